//! Looks up host names in a thread of our own. The lookup of the HTTP library uses tokio's threads, and tokio panics if
//! the system has none left.

use std::net::ToSocketAddrs as _;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::oneshot;

/// The system's lookup of host names (getaddrinfo(3)).
pub(super) struct SystemLookup;

impl Resolve for SystemLookup {
    fn resolve(&self, name: Name) -> Resolving {
        let (sender, looked_up) = oneshot::channel();
        let look_up = move || {
            // The library replaces the port. A receiver that is gone no longer waits for the answer.
            _ = sender.send((name.as_str(), 0).to_socket_addrs());
        };
        let started = std::thread::Builder::new().spawn(look_up);
        Box::pin(async move {
            started?;
            let addresses = looked_up.await??;
            Ok(Box::new(addresses) as Addrs)
        })
    }
}
