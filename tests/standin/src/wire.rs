//! Responses that a correct HTTP server cannot send. They are written directly to the connection.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt as _;
use socket2::SockRef;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// More than any client should read.
const HUGE: usize = 8 * 1024 * 1024;

/// What to do with the connection. A response carries it as an extension.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wire {
    Reset,
    Closed,
    Hang,
    Truncated,
    Huge,
    ByteByByte,
}

impl Wire {
    pub fn with(self, mut response: Response) -> Response {
        response.extensions_mut().insert(self);
        response
    }

    pub async fn execute(self, response: Response, mut stream: TlsStream<TcpStream>) {
        // An error means that the client closed the connection.
        let _ = match self {
            Wire::Hang => std::future::pending().await,
            // A socket that lingers for zero seconds closes with RST instead of FIN (an abort, RFC 9293 §3.6).
            Wire::Reset => SockRef::from(stream.get_ref().0).set_linger(Some(Duration::ZERO)),
            // Without TLS's close_notify (RFC 8446 §6.1), as if a machine in between ended the connection.
            Wire::Closed => Ok(()),
            Wire::Truncated => truncated(&mut stream).await,
            Wire::Huge => huge(&mut stream).await,
            Wire::ByteByByte => byte_by_byte(response, &mut stream).await,
        };
    }
}

impl IntoResponse for Wire {
    fn into_response(self) -> Response {
        self.with(().into_response())
    }
}

async fn truncated(stream: &mut (impl AsyncWrite + Unpin)) -> std::io::Result<()> {
    stream.write_all(&head("200 OK", "content-length: 4000\r\n")).await?;
    stream.write_all(br#"{"token_type":"Bearer","expires_in":3600,"access_token":"eyJ0"#).await?;
    stream.flush().await
}

async fn huge(stream: &mut (impl AsyncWrite + Unpin)) -> std::io::Result<()> {
    let start = br#"{"token_type":"Bearer","access_token":""#;
    let length = format!("content-length: {}\r\n", start.len() + HUGE);
    stream.write_all(&head("200 OK", &length)).await?;
    stream.write_all(start).await?;
    let part = [b'a'; 16 * 1024];
    for _ in 0..HUGE / part.len() {
        stream.write_all(&part).await?;
    }
    stream.shutdown().await
}

async fn byte_by_byte(response: Response, stream: &mut (impl AsyncWrite + Unpin)) -> std::io::Result<()> {
    let (parts, body) = response.into_parts();
    let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
    let mut bytes = head(&parts.status.to_string(), &format!("content-length: {}\r\n", body.len()));
    bytes.extend_from_slice(&body);
    for (index, byte) in bytes.iter().enumerate() {
        stream.write_all(&[*byte]).await?;
        stream.flush().await?;
        // A pause after every byte would be too slow for a test.
        if index % 64 == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    stream.shutdown().await
}

fn head(status: &str, length: &str) -> Vec<u8> {
    let fixed =
        "content-type: application/json; charset=utf-8\r\ncache-control: no-store, no-cache\r\nconnection: close\r\n";
    format!("HTTP/1.1 {status}\r\n{fixed}{length}\r\n").into_bytes()
}
