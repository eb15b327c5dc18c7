//! The tokio runtime for network and keychain calls. It runs on the calling thread.

use std::future::Future;
use std::{io, panic, thread};

use tokio::runtime::{Builder, Handle, Runtime as TokioRuntime};

use crate::error::{Error, ErrorKind, Result};

/// The hint for an error that the system has too few file descriptors or threads left.
pub(crate) const MORE_RESOURCES: &str =
    "close some programs or raise the limits of open files and processes (`ulimit -n`, `ulimit -u`), then try again";

/// A runtime on the calling thread. Dropping it does not wait for tasks that are still running, such as a DNS lookup.
pub(crate) struct Runtime(Option<TokioRuntime>);

impl Runtime {
    /// Runs a future to completion.
    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.0.as_ref().expect("the runtime is there until the drop").block_on(future)
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.0.take().into_iter().for_each(TokioRuntime::shutdown_background);
    }
}

/// Creates the runtime.
///
/// # Errors
///
/// The system has too few file descriptors left.
pub(crate) fn new() -> io::Result<Runtime> {
    /// One for a socket or a file.
    const SPARE: usize = 1;
    with_spare_descriptors(SPARE)
}

/// Creates the runtime if this many file descriptors are left afterwards.
///
/// Without this check, tokio panics when only some of its own descriptors are available.
///
/// # Errors
///
/// Those of [`new`].
pub(crate) fn with_spare_descriptors(spare: usize) -> io::Result<Runtime> {
    #[cfg(unix)]
    {
        /// Two for epoll, one for its waker, and three for signals (a feature that zbus enables).
        const OWN: usize = 6;
        let null = std::fs::File::open("/dev/null")?;
        let copies: io::Result<Vec<_>> = (1..OWN + spare).map(|_| null.try_clone()).collect();
        copies?;
    }
    #[cfg(not(unix))]
    let _ = spare; // no limit that a process can reach
    Builder::new_current_thread().enable_all().build().map(|runtime| Runtime(Some(runtime)))
}

/// Fails if the system has no thread left.
#[cfg(target_os = "linux")]
pub(crate) fn ensure_spare_thread() -> io::Result<()> {
    let thread = thread::Builder::new().spawn(|| {});
    let thread = thread.map_err(|error| io::Error::new(error.kind(), format!("cannot start a thread: {error}")))?;
    _ = thread.join();
    Ok(())
}

/// Runs `work`, which may create a runtime: in a thread of its own if this thread belongs to a runtime of tokio, which
/// panics if another one is started within it.
///
/// # Errors
///
/// Those of `work`, and [`ErrorKind::TryLater`] if no thread can be started.
pub(crate) fn outside_of_tokio<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    if Handle::try_current().is_err() {
        return work();
    }
    thread::scope(|scope| {
        let thread = thread::Builder::new().spawn_scoped(scope, work).map_err(no_thread)?;
        thread.join().unwrap_or_else(|panic| panic::resume_unwind(panic))
    })
}

/// Returns whether the system has no descriptor, process or memory left.
pub(crate) fn is_out_of_resources(error: &io::Error) -> bool {
    #[cfg(unix)]
    {
        use rustix::io::Errno;
        let codes = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM, Errno::AGAIN];
        codes.iter().any(|code| error.raw_os_error() == Some(code.raw_os_error()))
    }
    #[cfg(not(unix))]
    {
        /// WSAEMFILE and WSAENOBUFS (Microsoft: "Windows Sockets Error Codes").
        const CODES: [i32; 2] = [10_024, 10_055];
        error.kind() == io::ErrorKind::OutOfMemory || error.raw_os_error().is_some_and(|code| CODES.contains(&code))
    }
}

/// Returns the error of a thread that could not be started.
pub(crate) fn no_thread(error: io::Error) -> Error {
    Error::new(ErrorKind::TryLater, format!("cannot start a thread: {error}"))
        .hint("close some programs, or raise the limits of processes and memory (`ulimit -u`, `ulimit -v`)")
}
