//! The library's two functions for Python. `m365auth/__init__.py` defines the exceptions that they raise.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use log::LevelFilter;
use m365auth::{Error, ErrorKind, Result};
use pyo3::prelude::*;

/// How often a waiting call checks for Ctrl-C.
const SIGNAL_CHECK_INTERVAL: Duration = Duration::from_millis(50);
/// How long a call waits for the response after Ctrl-C, as the commands do. Ending between Microsoft's response and the
/// save could lose the only refresh token that works.
const GRACE: Duration = Duration::from_secs(2);

thread_local! {
    /// The location of this thread's panic. The panic's message may contain a secret; its location does not.
    static PANIC: Cell<String> = const { Cell::new(String::new()) };
}

#[pymodule]
mod _native {
    use super::*;

    #[pymodule_export]
    use super::{get_access_token, get_refresh_token};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        panic::set_hook(Box::new(|panic| PANIC.set(panic.location().map(ToString::to_string).unwrap_or_default())));
        // Other libraries' messages are dropped, because they might contain a secret.
        let logger = pyo3_log::Logger::new(module.py(), pyo3_log::Caching::Nothing)?
            .filter(LevelFilter::Off)
            .filter_target("m365auth".to_owned(), LevelFilter::Info);
        _ = logger.install(); // fails if the module was imported before and the logger is installed already
        Ok(())
    }
}

/// Returns an access token for a profile, as `refresh-token` prints it. It is valid for at least
/// five minutes (if its lifetime is under 20 minutes, for at least a quarter of it).
///
/// Without a cached token, it requests one from Microsoft and stores the new refresh token before it returns. Threads
/// and processes may call it at the same time. Raises m365auth.Error, a ValueError, if no token is available.
#[pyfunction]
#[pyo3(signature = (profile = "mail"))]
fn get_access_token(py: Python<'_>, profile: &str) -> PyResult<String> {
    let profile = profile.to_owned();
    wait_for(py, move || Ok(m365auth::get_access_token(&profile)?.into_secret()))
}

/// Returns the stored refresh token of a profile, as `get-refresh-token` prints it.
///
/// Does not use the network and does not require a configuration. Raises m365auth.Error, a ValueError, if no token is
/// stored.
#[pyfunction]
#[pyo3(signature = (profile = "mail"))]
fn get_refresh_token(py: Python<'_>, profile: &str) -> PyResult<String> {
    let profile = profile.to_owned();
    wait_for(py, move || Ok(m365auth::get_refresh_token(&profile)?.into_secret()))
}

/// Runs the work in its own thread, so other Python threads keep running, and Ctrl-C interrupts the call.
fn wait_for<T: Send + 'static>(py: Python<'_>, work: impl FnOnce() -> Result<T> + Send + 'static) -> PyResult<T> {
    let (sender, receiver) = mpsc::channel();
    py.detach(move || {
        let in_thread = move || {
            let result = panic::catch_unwind(AssertUnwindSafe(work));
            sender.send(result.map_err(|_| PANIC.take()))
        };
        thread::Builder::new().spawn(in_thread).map_err(|error| no_thread(&error))?;
        loop {
            match receiver.recv_timeout(SIGNAL_CHECK_INTERVAL) {
                Ok(Ok(result)) => return result.map_err(|error| exception(&error)),
                Ok(Err(location)) => return Err(defect(&location)),
                Err(_) => Python::attach(|py| py.check_signals()).inspect_err(|_| _ = receiver.recv_timeout(GRACE))?,
            }
        }
    })
}

fn exception(error: &Error) -> PyErr {
    let class = match error.kind() {
        ErrorKind::SignIn => "SignInNeeded",
        ErrorKind::TryLater => "TryLater",
        ErrorKind::Configuration => "ConfigurationError",
        _ => "Error",
    };
    let reference = error.refusal().map(|refusal| refusal.ids()).filter(|ids| !ids.is_empty());
    new(class, &error.to_string(), error.next_step(), reference.as_deref())
}

fn no_thread(error: &std::io::Error) -> PyErr {
    let hint = "close some programs, or raise the limits of processes and memory (`ulimit -u`, `ulimit -v`)";
    new("TryLater", &format!("cannot start a thread: {error}"), Some(hint), None)
}

fn defect(location: &str) -> PyErr {
    let version = env!("CARGO_PKG_VERSION");
    let message = format!("internal error in m365auth {version} at {location}");
    new("Error", &message, Some("report this message as a bug"), None)
}

fn new(class: &str, message: &str, hint: Option<&str>, reference: Option<&str>) -> PyErr {
    Python::attach(|py| {
        let arguments = (message, hint, reference);
        let exception = py.import("m365auth").and_then(|module| module.getattr(class)?.call1(arguments));
        exception.map_or_else(|error| error, PyErr::from_value)
    })
}
