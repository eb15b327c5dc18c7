//! Connections to mail servers, in plain text and over TLS. Each step has a limit.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use tokio::task::JoinSet;

use crate::config::{Profile, SUBMISSION, Server};
use crate::entra::{certificate_hint, refusal_of_certificate, tls_configuration};
use crate::error::{Error, ErrorKind, Result};
use crate::sanitize::for_terminal;
use crate::{runtime, timeout};

/// The time limit for everything before the token: the lookup of the host name, the connection, TLS and the first
/// commands. A server that works responds within a second.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long an address may take before the next one is tried in parallel (RFC 8305, 8).
const NEXT_ADDRESS: Duration = Duration::from_millis(250);

pub(super) type TlsStream = StreamOwned<ClientConnection, LimitedStream>;

/// A connection whose reads and writes fail after its deadline. A server that sends a byte now and then must not delay
/// the check forever.
pub(super) struct LimitedStream {
    stream: TcpStream,
    limit: Duration,
    deadline: Instant,
}

impl LimitedStream {
    fn new(stream: TcpStream, limit: Duration, since: Instant) -> Self {
        Self { stream, limit, deadline: since + limit }
    }

    /// Starts a new time limit.
    pub(super) fn allow(&mut self, limit: Duration) {
        (self.limit, self.deadline) = (limit, Instant::now() + limit);
    }

    fn left(&self) -> io::Result<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(late(self.limit)) } else { Ok(left) }
    }

    /// A read or write that exceeds its time limit fails with WouldBlock on Unix (socket(7), SO_RCVTIMEO).
    fn explain(&self, error: io::Error) -> io::Error {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => late(self.limit),
            _ => error,
        }
    }
}

impl Read for LimitedStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(self.left()?))?;
        self.stream.read(buffer).map_err(|error| self.explain(error))
    }
}

impl Write for LimitedStream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(self.left()?))?;
        self.stream.write(buffer).map_err(|error| self.explain(error))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Connects to the address that responds first.
pub(super) fn connect(server: &Server) -> Result<LimitedStream> {
    let start = Instant::now();
    try_to_connect(server).map(|stream| LimitedStream::new(stream, TIMEOUT, start)).map_err(|error| {
        match error.kind() {
            io::ErrorKind::TimedOut if error.raw_os_error().is_none() => unreachable(server, &late(TIMEOUT)),
            _ => unreachable(server, &error),
        }
    })
}

fn try_to_connect(server: &Server) -> io::Result<TcpStream> {
    let (host, port, start) = (server.host.clone(), server.port, Instant::now());
    let lookup = move || (host.as_str(), port).to_socket_addrs().map(|addresses| addresses.collect::<Vec<_>>());
    let addresses = timeout::run(TIMEOUT, lookup)??;
    let stream = runtime::new()?.block_on(async {
        let left = TIMEOUT.saturating_sub(start.elapsed());
        tokio::time::timeout(left, side_by_side(&addresses)).await.unwrap_or(Err(io::ErrorKind::TimedOut.into()))
    })?;
    stream.set_nonblocking(false)?;
    Ok(stream)
}

/// Tries the addresses in order. The next attempt starts after [`NEXT_ADDRESS`], in parallel with the others, or as
/// soon as one of them fails ("Happy Eyeballs", RFC 8305, 5).
async fn side_by_side(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let (mut attempts, mut left) = (JoinSet::new(), addresses.iter().copied());
    let mut last = io::Error::other("the host name has no address");
    loop {
        let next = left.next();
        if let Some(address) = next {
            attempts.spawn(async move { tokio::net::TcpStream::connect(address).await?.into_std() });
        }
        let pause = if next.is_some() { NEXT_ADDRESS } else { TIMEOUT };
        match tokio::time::timeout(pause, attempts.join_next()).await {
            Ok(Some(Ok(Ok(stream)))) => return Ok(stream),
            Ok(Some(Ok(Err(error)))) => last = error,
            Ok(Some(Err(error))) => last = io::Error::other(error),
            Ok(None) => return Err(last),
            Err(_) => {} // still waiting
        }
    }
}

/// Starts TLS with the same certificate authorities as for the token endpoint.
pub(super) fn start_tls(server: &Server, plain: LimitedStream, profile: &Profile) -> Result<TlsStream> {
    let name = ServerName::try_from(server.host.clone())
        .map_err(|error| Error::new(ErrorKind::Configuration, format!("{server} is not a valid host name: {error}")))?;
    let connection = ClientConnection::new(Arc::new(tls_configuration(profile)?), name)
        .map_err(|error| unreachable(server, &io::Error::other(error)))?;
    let mut stream = StreamOwned::new(connection, plain);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).map_err(|error| {
            let refusal = refusal_of_certificate(&error);
            let error = refusal.map_or(error, io::Error::other);
            let failure = unreachable(server, &error);
            match certificate_hint(profile, &error.to_string()) {
                Some(hint) => failure.hint(hint),
                None => failure,
            }
        })?;
    }
    Ok(stream)
}

fn late(limit: Duration) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("did not respond within {} seconds", limit.as_secs()))
}

/// Returns the error for a server to which the connection failed.
pub(super) fn unreachable(server: &Server, error: &io::Error) -> Error {
    let message = match error.kind() {
        io::ErrorKind::TimedOut if error.raw_os_error().is_none() => format!("{server} {error}"),
        // rustls explains this with a link to its manual.
        io::ErrorKind::UnexpectedEof => format!("{server} closed the connection"),
        _ => format!("{server} cannot be reached: {}", for_terminal(&error.to_string())),
    };
    let port = if server.port == SUBMISSION { " (some networks block port 587)" } else { "" };
    Error::new(ErrorKind::TryLater, message)
        .hint(format!("check whether your network allows connections to {server}{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns an address on which nobody answers: the kernel drops connections beyond the backlog.
    async fn silent_address() -> (SocketAddr, Vec<tokio::net::TcpStream>, tokio::net::TcpListener) {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
        let listener = socket.listen(1).expect("listening");
        let address = listener.local_addr().expect("an address");
        let mut waiting = Vec::new();
        while let Ok(Ok(stream)) = tokio::time::timeout(NEXT_ADDRESS, tokio::net::TcpStream::connect(address)).await {
            waiting.push(stream);
        }
        (address, waiting, listener)
    }

    #[test]
    fn an_address_that_does_not_answer_does_not_delay_the_next_one() {
        runtime::new().expect("a runtime").block_on(async {
            let (silent, _waiting, _silent_listener) = silent_address().await;
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            let working = listener.local_addr().expect("an address");
            let connected = tokio::time::timeout(TIMEOUT, side_by_side(&[silent, working])).await;
            let stream = connected.expect("in time").expect("connected");
            assert_eq!(stream.peer_addr().expect("an address"), working);
        });
    }

    #[test]
    fn a_server_that_sends_a_byte_now_and_then_exceeds_the_limit() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let stream = TcpStream::connect(listener.local_addr().expect("an address")).expect("connected");
        let (mut server, _) = listener.accept().expect("accepted");
        std::thread::spawn(move || {
            for _ in 0..200 {
                std::thread::sleep(Duration::from_millis(20));
                if server.write_all(b"a").is_err() {
                    return;
                }
            }
        });
        let mut stream = LimitedStream::new(stream, Duration::from_secs(1), Instant::now());
        let error = stream.read_to_end(&mut Vec::new()).expect_err("the limit");
        assert_eq!(error.to_string(), "did not respond within 1 seconds");
    }
}
