//! A limit for calls that have none of their own.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// How often a wait looks whether it shall stop.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Runs the work in a thread and waits for it no longer than the limit. Work that does not end is left behind; it
/// ends with the process.
///
/// # Errors
///
/// [`io::ErrorKind::TimedOut`], or why the system gives no thread.
pub(crate) fn run<T: Send + 'static>(limit: Duration, work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    run_cancellable(limit, || false, work)
}

/// The same, and no longer than until somebody says stop ([`io::ErrorKind::Interrupted`]).
pub(crate) fn run_cancellable<T: Send + 'static>(
    limit: Duration,
    is_cancelled: impl Fn() -> bool,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let (sender, receiver) = mpsc::channel();
    thread::Builder::new().spawn(move || sender.send(work()))?;
    let start = Instant::now();
    loop {
        let left = limit.checked_sub(start.elapsed()).ok_or(io::ErrorKind::TimedOut)?;
        match receiver.recv_timeout(left.min(POLL_INTERVAL)) {
            Ok(result) => return Ok(result),
            Err(RecvTimeoutError::Timeout) if !is_cancelled() => {}
            Err(_) => return Err(io::ErrorKind::Interrupted.into()),
        }
    }
}
