//! A proxy's response to CONNECT (RFC 9110, 9.3.6). The HTTP client reports neither the status of a refusal nor the
//! authentication schemes that the proxy offers, so the proxy is asked again.

use std::io;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::net::TcpStream;
use url::form_urlencoded;

use super::Proxy;
use crate::sanitize::for_terminal;

/// In bytes. The headers are shorter.
const MAX_RESPONSE: usize = 8 * 1024;
/// Short, because the proxy has just answered the first request.
const TIMEOUT: Duration = Duration::from_secs(3);

/// The refusal of a proxy.
pub(in crate::entra) struct ProxyRefusal {
    /// The status, such as `403 Forbidden`.
    pub(in crate::entra) status: String,
    /// The authentication schemes that the proxy offers, such as `Basic` and `NTLM`.
    pub(in crate::entra) schemes: Vec<String>,
}

/// Asks the proxy for a connection to `HOST:PORT`, and returns its refusal. Returns `None` if it cannot be read. A
/// password that the proxy did not accept is not sent again, because that can lock the account.
pub(in crate::entra) async fn refusal(proxy: &Proxy, target: &str, sends_password: bool) -> Option<ProxyRefusal> {
    if proxy.url.scheme() != "http" {
        return None;
    }
    let authorization = if sends_password { authorization(proxy) } else { String::new() };
    let response = tokio::time::timeout(TIMEOUT, ask(proxy, target, &authorization)).await.ok()?.ok()?;
    parse(&response)
}

async fn ask(proxy: &Proxy, target: &str, authorization: &str) -> io::Result<String> {
    let host = proxy.url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let stream = TcpStream::connect((host, proxy.port())).await?;
    let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{authorization}\r\n");
    let mut unsent = request.as_bytes();
    while !unsent.is_empty() {
        stream.writable().await?;
        match stream.try_write(unsent) {
            Ok(sent) => unsent = &unsent[sent..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    let mut response = Vec::new();
    while response.len() < MAX_RESPONSE && !response.windows(4).any(|window| window == b"\r\n\r\n") {
        stream.readable().await?;
        let mut chunk = [0; 1024];
        match stream.try_read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => response.extend_from_slice(&chunk[..read]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(String::from_utf8_lossy(&response).into_owned())
}

/// Returns the header with user name and password, if the URL has them.
fn authorization(proxy: &Proxy) -> String {
    let Some(password) = proxy.url.password() else { return String::new() };
    // Percent-decoding as in forms, where + and & have a meaning of their own.
    let decode = |text: &str| {
        let text = text.replace('+', "%2B").replace('&', "%26");
        form_urlencoded::parse(text.as_bytes()).map(|(text, _)| text.into_owned()).collect::<String>()
    };
    let credentials = format!("{}:{}", decode(proxy.url.username()), decode(password));
    format!("Proxy-Authorization: Basic {}\r\n", STANDARD.encode(credentials))
}

fn parse(response: &str) -> Option<ProxyRefusal> {
    let mut lines = response.lines();
    let (_, status) = lines.next()?.strip_prefix("HTTP/")?.split_once(' ')?;
    let offers = lines.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("Proxy-Authenticate").then(|| value.split_whitespace().next())?
    });
    Some(ProxyRefusal { status: for_terminal(status), schemes: offers.map(for_terminal).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_has_a_status_and_the_offered_schemes() {
        let response = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: NTLM\r\n\
                      proxy-authenticate: Basic realm=\"x\"\r\n\r\n";
        let refusal = parse(response).expect("a refusal");
        assert_eq!(
            (&*refusal.status, &*refusal.schemes.join(" ")),
            ("407 Proxy Authentication Required", "NTLM Basic")
        );
        assert!(parse("").is_none() && parse("220 mail.example.com").is_none());
    }

    #[test]
    fn user_name_and_password_are_decoded() {
        let authorization = |url: &str| {
            let url = url::Url::parse(url).expect("a URL");
            authorization(&Proxy { variable: "HTTPS_PROXY", url })
        };
        assert_eq!(authorization("http://proxy"), "");
        let expected = format!("Proxy-Authorization: Basic {}\r\n", STANDARD.encode("DOM\\user:a+b&c=#d"));
        assert_eq!(authorization("http://DOM%5Cuser:a+b&c=%23d@proxy"), expected);
    }
}
