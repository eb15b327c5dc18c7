//! The port of the redirect URI, on the loopback addresses only (RFC 8252, 7.3 and 8.3).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use oauth2::RedirectUrl;

use crate::config::Profile;
use crate::error::{Error, ErrorKind, Result};
use crate::runtime::{self, MORE_RESOURCES};

/// The port of `ssh -L 7598:localhost:7598 HOST`, which the documents show. Microsoft ignores the port of localhost.
const FORWARDED_PORT: u16 = 7598;
/// How many ports are tried to find one that is free on both loopback addresses.
const ATTEMPTS: usize = 8;

/// The bound port of the redirect URI. It is bound before the redirect URI is sent to Microsoft.
pub(super) struct Port {
    pub(super) listeners: Vec<TcpListener>,
    redirect_uri: RedirectUrl,
}

impl Port {
    /// Binds the port of the redirect URI. For an `http` URI without a port, binds a free port, or [`FORWARDED_PORT`]
    /// if `ssh` forwards it.
    pub(super) fn bind(profile: &Profile, is_forwarded: bool) -> Result<Self> {
        let forwarded;
        let redirect_uri = &profile.redirect_uri;
        let redirect_uri = match fixed_port(redirect_uri) {
            None if is_forwarded => {
                forwarded = with_port(redirect_uri.as_str(), FORWARDED_PORT);
                &forwarded
            }
            _ => redirect_uri,
        };
        let error = |error: io::Error| bind_error(redirect_uri, profile, &error);
        match fixed_port(redirect_uri) {
            Some(port) => {
                let listeners = bind_loopback(port).map_err(error)?;
                Ok(Self { listeners, redirect_uri: redirect_uri.clone() })
            }
            None => {
                // A port that is free on one address may be in use on the other.
                let free = (0..ATTEMPTS).find_map(|_| bind_loopback(0).ok());
                let listeners = free.map_or_else(|| bind_loopback(0), Ok).map_err(error)?;
                let port = listeners[0].local_addr().map_err(error)?.port();
                Ok(Self { listeners, redirect_uri: with_port(redirect_uri.as_str(), port) })
            }
        }
    }

    /// Returns the redirect URI to send to Microsoft.
    pub(super) fn redirect_uri(&self) -> RedirectUrl {
        self.redirect_uri.clone()
    }
}

/// Returns the port of the redirect URI, or `None` if any free port is used.
fn fixed_port(redirect_uri: &RedirectUrl) -> Option<u16> {
    let url = redirect_uri.url();
    if url.scheme() == "http" { url.port() } else { url.port_or_known_default() }
}

/// Returns the `ssh` command that forwards the port of the redirect URI, for a hint.
pub(super) fn ssh_forward(redirect_uri: &RedirectUrl) -> String {
    let port = fixed_port(redirect_uri).unwrap_or(FORWARDED_PORT);
    format!("ssh -L {port}:localhost:{port} HOST")
}

/// Inserts the port into a URI and leaves the rest unchanged. A URL parser would add a slash to `http://localhost`.
pub(crate) fn with_port(uri: &str, port: u16) -> RedirectUrl {
    let host = uri.find("://").map_or(0, |end| end + 3);
    let path = uri[host..].find('/').map_or(uri.len(), |start| host + start);
    let (before, after) = uri.split_at(path);
    RedirectUrl::new(format!("{before}:{port}{after}")).expect("a URI with a port is still a URI")
}

/// Binds the port on both loopback addresses, or on 127.0.0.1 only if the machine has no IPv6.
///
/// It fails if one of the two is in use, because another program could otherwise receive the redirect there.
///
/// No other program can bind the addresses afterwards. That is also true on Windows: a socket that is bound to a
/// specific address without SO_REUSEADDR is as exclusive as one with SO_EXCLUSIVEADDRUSE (Microsoft: the tables in
/// "Using SO_REUSEADDR and SO_EXCLUSIVEADDRUSE", for Windows Server 2003 and later). A program that listens on all
/// addresses does not receive connections to a specific address on which another program listens.
fn bind_loopback(port: u16) -> io::Result<Vec<TcpListener>> {
    let mut listeners = vec![TcpListener::bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))?];
    let port = listeners[0].local_addr()?.port();
    match TcpListener::bind(SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), port)) {
        Ok(listener) => listeners.push(listener),
        Err(error) if has_no_ipv6(&error) => {}
        Err(error) => return Err(error),
    }
    Ok(listeners)
}

fn has_no_ipv6(error: &io::Error) -> bool {
    #[cfg(unix)]
    if error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error()) {
        return true;
    }
    error.kind() == io::ErrorKind::AddrNotAvailable
}

/// Returns the error for a listener that cannot start because the system has too few file descriptors or threads left.
pub(super) fn out_of_resources(redirect_uri: &RedirectUrl, error: &io::Error) -> Error {
    let message = format!("cannot listen for the redirect URI {}: {error}", redirect_uri.as_str());
    Error::new(ErrorKind::TryLater, message).hint(MORE_RESOURCES)
}

fn bind_error(redirect_uri: &RedirectUrl, profile: &Profile, error: &io::Error) -> Error {
    let (uri, file) = (redirect_uri.as_str(), profile.file.display());
    if runtime::is_out_of_resources(error) {
        return out_of_resources(redirect_uri, error);
    }
    let Some(port) = fixed_port(redirect_uri) else {
        let message = format!("cannot listen on any free port for the redirect URI {uri}: {error}");
        return Error::new(ErrorKind::Unavailable, message)
            .hint(format!("set redirect_uri in {file} to a URI with a port, such as http://localhost:7598/"));
    };
    let (reason, first_step) = match error.kind() {
        io::ErrorKind::AddrInUse => (
            "another program uses the port".to_owned(),
            format!("find that program with `{}` and stop it, or ", list_listeners(port)),
        ),
        // WSAEACCES: a program uses the port exclusively, or Hyper-V has reserved a range that contains it.
        io::ErrorKind::PermissionDenied if cfg!(windows) => (
            "Windows has reserved the port for another program".to_owned(),
            "list the reserved ports with `netsh int ipv4 show excludedportrange protocol=tcp`, and ".to_owned(),
        ),
        io::ErrorKind::PermissionDenied if port < 1024 => {
            ("only root can listen on a port below 1024".to_owned(), String::new())
        }
        _ => (error.to_string(), String::new()),
    };
    let message = format!("cannot listen on port {port} for the redirect URI {uri}: {reason}");
    Error::new(ErrorKind::Unavailable, message).hint(format!(
        "{first_step}change the port of redirect_uri in {file} (Microsoft ignores the port of localhost, so the app \
         registration stays valid)"
    ))
}

/// Returns the command that shows which program listens on the port.
fn list_listeners(port: u16) -> String {
    match () {
        () if cfg!(windows) => format!("netstat -ano | findstr :{port}"),
        () if cfg!(target_os = "macos") => format!("lsof -nP -iTCP:{port}"),
        () => format!("ss -ltnp 'sport = {port}'"),
    }
}

#[cfg(test)]
mod tests {
    use super::{bind_loopback, with_port};

    #[test]
    fn another_program_cannot_bind_the_port_even_with_so_reuseaddr() {
        for ours in bind_loopback(0).expect("a port is free") {
            let address = ours.local_addr().expect("a bound address");
            let other =
                if address.is_ipv4() { tokio::net::TcpSocket::new_v4() } else { tokio::net::TcpSocket::new_v6() };
            let other = other.expect("a socket");
            other.set_reuseaddr(true).expect("setting SO_REUSEADDR");
            assert!(other.bind(address).is_err(), "{address}");
        }
    }

    #[test]
    fn the_port_is_inserted_and_the_rest_is_unchanged() {
        for (written, sent) in [
            ("http://localhost", "http://localhost:8000"),
            ("http://localhost/", "http://localhost:8000/"),
            ("http://127.0.0.1/a/b", "http://127.0.0.1:8000/a/b"),
        ] {
            assert_eq!(with_port(written, 8000).as_str(), sent);
        }
    }
}
