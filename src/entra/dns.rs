//! Looks up host names in a thread of our own. The lookup of the HTTP library uses tokio's threads, and tokio panics if
//! the system has none left.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::Mutex;
use std::vec::IntoIter;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::oneshot::{self, Receiver};

/// The system's lookup of host names (getaddrinfo(3)).
#[derive(Default)]
pub(super) struct SystemLookup {
    /// The lookup that was started ahead of the request, with its host.
    started: Mutex<Option<(String, Lookup)>>,
}

type Lookup = Receiver<io::Result<IntoIter<SocketAddr>>>;

impl SystemLookup {
    /// Starts to look up the host of the next request. That request reports any error.
    pub(super) fn start_ahead(&self, host: &str) {
        let lookup = start(host.to_owned()).ok().map(|lookup| (host.to_owned(), lookup));
        *self.started.lock().expect("no thread panics with it") = lookup;
    }
}

impl Resolve for SystemLookup {
    fn resolve(&self, name: Name) -> Resolving {
        let mut started = self.started.lock().expect("no thread panics with it");
        let lookup = match started.take_if(|(host, _)| host == name.as_str()) {
            Some((_, lookup)) => Ok(lookup),
            None => start(name.as_str().to_owned()),
        };
        Box::pin(async move { Ok(Box::new(lookup?.await??) as Addrs) })
    }
}

fn start(host: String) -> io::Result<Lookup> {
    let (sender, lookup) = oneshot::channel();
    let look_up = move || {
        // The library replaces the port. A receiver that is gone no longer waits for the answer.
        _ = sender.send((host.as_str(), 0).to_socket_addrs());
    };
    std::thread::Builder::new().spawn(look_up)?;
    Ok(lookup)
}
