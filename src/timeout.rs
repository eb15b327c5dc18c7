//! A timeout for blocking calls that do not have one.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// How often a wait checks for a cancellation.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Runs `work` in a new thread, and returns its result if it finishes within `limit`. Otherwise the thread keeps
/// running until the process ends.
///
/// # Errors
///
/// [`io::ErrorKind::TimedOut`], or the reason why the thread cannot be started.
pub(crate) fn run<T: Send + 'static>(limit: Duration, work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    run_cancellable(limit, || false, work)
}

/// Does the same as [`run`], but returns [`io::ErrorKind::Interrupted`] as soon as `is_cancelled` returns true.
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
