//! A limit for calls that have none of their own.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Runs the work in a thread and waits for it no longer than the limit. Work that does not end is left behind; it
/// ends with the process.
pub(crate) fn within<T: Send + 'static>(limit: Duration, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(work()));
    receiver.recv_timeout(limit).ok()
}
