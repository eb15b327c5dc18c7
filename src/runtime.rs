//! The tokio runtime for network and keychain calls. It runs on the calling thread.

use std::io;

use tokio::runtime::{Builder, Runtime};

/// Creates the runtime.
///
/// # Errors
///
/// The system has too few file descriptors or threads left.
pub(crate) fn new() -> io::Result<Runtime> {
    /// One for a socket or a file.
    const SPARE: usize = 1;
    with_spare_descriptors(SPARE)
}

/// Creates the runtime if this many file descriptors are left afterwards.
///
/// Without these checks, tokio panics: when only some of its own descriptors are available, or when a library starts a
/// blocking task and the system has no thread left.
///
/// # Errors
///
/// Those of [`new`].
pub(crate) fn with_spare_descriptors(spare: usize) -> io::Result<Runtime> {
    #[cfg(unix)]
    {
        /// Two for epoll, one for its waker, and three for signals (a feature that zbus enables).
        const OWN: usize = 6;
        let files: io::Result<Vec<_>> = (0..OWN + spare).map(|_| std::fs::File::open("/dev/null")).collect();
        files?;
    }
    #[cfg(not(unix))]
    let _ = spare; // no limit that a process can reach
    let thread = std::thread::Builder::new().spawn(|| {});
    let thread = thread.map_err(|error| io::Error::new(error.kind(), format!("cannot start a thread: {error}")))?;
    _ = thread.join();
    Builder::new_current_thread().enable_all().build()
}
