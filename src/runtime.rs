//! The tokio runtime for network and keychain calls. It runs on the calling thread.

use std::io;

use tokio::runtime::{Builder, Runtime};

/// Creates the runtime.
///
/// # Errors
///
/// The system has too few file descriptors left. Without this check, tokio panics if only some of them are available.
pub(crate) fn new() -> io::Result<Runtime> {
    #[cfg(unix)]
    {
        /// One for epoll, one for its waker, three for signals (a feature that zbus enables), and one spare for the other
        /// threads.
        const DESCRIPTORS: usize = 6;
        let files: io::Result<Vec<_>> = (0..DESCRIPTORS).map(|_| std::fs::File::open("/dev/null")).collect();
        files?;
    }
    Builder::new_current_thread().enable_all().build()
}
