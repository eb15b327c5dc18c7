//! The port that the browser comes back to, on this machine's own addresses alone (RFC 8252, 7.3 and 8.3).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use oauth2::RedirectUrl;

use crate::error::{Error, ErrorKind, Result};

/// How often a free port is looked for.
const ATTEMPTS: usize = 8;

/// The port of the redirect URI, taken before anybody is sent there.
pub(super) struct Port {
    pub(super) listeners: Vec<TcpListener>,
    redirect_uri: RedirectUrl,
}

impl Port {
    /// Takes the port on loopback alone. Over HTTP and without a port in the redirect URI, any that is free.
    pub(super) fn of(redirect_uri: &RedirectUrl) -> Result<Self> {
        let url = redirect_uri.url();
        if url.scheme() == "http" && url.port().is_none() {
            // The free port of one address may be taken on the other.
            let listeners = (0..ATTEMPTS).find_map(|_| bind(0).ok()).map_or_else(|| bind(0), Ok);
            let listeners = listeners.map_err(|error| taken(0, &error))?;
            let port = listeners[0].local_addr().map_err(|error| taken(0, &error))?.port();
            let redirect_uri = with_port(redirect_uri.as_str(), port);
            return Ok(Self { listeners, redirect_uri });
        }
        let port = url.port_or_known_default().expect("http and https have a default");
        Ok(Self { listeners: bind(port).map_err(|error| taken(port, &error))?, redirect_uri: redirect_uri.clone() })
    }

    /// What the browser is told to come back to.
    pub(super) fn redirect_uri(&self) -> RedirectUrl {
        self.redirect_uri.clone()
    }
}

/// The address with the port after its host, and otherwise to the letter: `http://localhost` has no slash at its end.
pub(crate) fn with_port(address: &str, port: u16) -> RedirectUrl {
    let host = address.find("://").map_or(0, |end| end + 3);
    let path = address[host..].find('/').map_or(address.len(), |start| host + start);
    let (before, after) = address.split_at(path);
    RedirectUrl::new(format!("{before}:{port}{after}")).expect("an address with a port is one")
}

/// Both addresses of localhost or none: on one alone, somebody else could take the other and get the browser's visit.
/// A machine without IPv6 has one.
///
/// Nobody can take them after us, on Windows neither: who binds one address, and does not ask to share it, has it as
/// exclusively as with SO_EXCLUSIVEADDRUSE (Microsoft's tables in "Using SO_REUSEADDR and SO_EXCLUSIVEADDRUSE", for
/// Windows Server 2003 and later). And who listens on all addresses does not get what comes for one.
fn bind(port: u16) -> io::Result<Vec<TcpListener>> {
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

fn taken(port: u16, error: &io::Error) -> Error {
    let why = match error.kind() {
        io::ErrorKind::AddrInUse => "another program listens there".to_owned(),
        // Or has it to itself, or it lies in a range that Hyper-V took: WSAEACCES.
        io::ErrorKind::PermissionDenied if cfg!(windows) => {
            "Windows keeps it for another program (`netsh int ipv4 show excludedportrange protocol=tcp`)".to_owned()
        }
        _ => error.to_string(),
    };
    let who = match () {
        () if cfg!(windows) => format!("netstat -ano | findstr :{port}"),
        () if cfg!(target_os = "macos") => format!("lsof -nP -iTCP:{port}"),
        () => format!("ss -ltnp 'sport = {port}'"),
    };
    Error::new(ErrorKind::Unavailable, format!("cannot listen on port {port} of this machine: {why}")).hint(format!(
        "end the other `get-token`, or put another port into redirect_uri in config.toml \
         (Microsoft ignores the port of localhost; see who has this one with `{who}`)"
    ))
}

#[cfg(test)]
mod tests {
    use super::{bind, with_port};

    #[test]
    fn nobody_else_takes_the_port_even_by_asking_to_share_it() {
        for ours in bind(0).expect("a port is free") {
            let address = ours.local_addr().expect("it is bound");
            let other =
                if address.is_ipv4() { tokio::net::TcpSocket::new_v4() } else { tokio::net::TcpSocket::new_v6() };
            let other = other.expect("a socket");
            other.set_reuseaddr(true).expect("every system has that option");
            assert!(other.bind(address).is_err(), "{address}");
        }
    }

    #[test]
    fn the_port_is_put_in_and_the_rest_stays_to_the_letter() {
        for (written, sent) in [
            ("http://localhost", "http://localhost:8000"),
            ("http://localhost/", "http://localhost:8000/"),
            ("http://127.0.0.1/a/b", "http://127.0.0.1:8000/a/b"),
        ] {
            assert_eq!(with_port(written, 8000).as_str(), sent);
        }
    }
}
