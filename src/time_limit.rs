//! A limit for calls that have none of their own.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// How often a wait looks whether it shall stop.
const LOOK: Duration = Duration::from_millis(100);

/// Runs the work in a thread and waits for it no longer than the limit. Work that does not end is left behind; it
/// ends with the process.
///
/// # Errors
///
/// [`io::ErrorKind::TimedOut`], or why the system gives no thread.
pub(crate) fn within<T: Send + 'static>(limit: Duration, work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    within_unless(limit, || false, work)
}

/// The same, and no longer than until somebody says stop ([`io::ErrorKind::Interrupted`]).
pub(crate) fn within_unless<T: Send + 'static>(
    limit: Duration,
    stop: impl Fn() -> bool,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let (sender, receiver) = mpsc::channel();
    thread::Builder::new().spawn(move || sender.send(work()))?;
    let begun = Instant::now();
    loop {
        let left = limit.checked_sub(begun.elapsed()).ok_or(io::ErrorKind::TimedOut)?;
        match receiver.recv_timeout(left.min(LOOK)) {
            Ok(result) => return Ok(result),
            Err(RecvTimeoutError::Timeout) if !stop() => {}
            Err(_) => return Err(io::ErrorKind::Interrupted.into()),
        }
    }
}
