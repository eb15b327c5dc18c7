//! The library's two functions for Python. The exceptions that they raise are Python's own: `m365auth/__init__.py`.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use log::LevelFilter;
use m365auth::{Error, ErrorKind, Result};
use pyo3::prelude::*;

/// How often a waiting call looks for Ctrl-C.
const LOOK: Duration = Duration::from_millis(50);
/// How long an answer is still awaited after Ctrl-C, as the commands do: whoever ends between Microsoft's answer and
/// the save may lose the only token that works.
const GRACE: Duration = Duration::from_secs(2);

thread_local! {
    /// Where this thread panicked. The panic's own words may hold a secret, its place does not.
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
        // What other libraries say stays unsaid, for nobody here knows whether it holds a secret.
        let logger = pyo3_log::Logger::new(module.py(), pyo3_log::Caching::Nothing)?
            .filter(LevelFilter::Off)
            .filter_target("m365auth".to_owned(), LevelFilter::Info);
        _ = logger.install(); // fails where there is one already: the module is imported again
        Ok(())
    }
}

/// An access token for a profile, good for ten minutes or more, as `refresh-token` prints it.
///
/// Where none is kept in memory, it talks to Microsoft, and stores the renewed refresh token before it returns. Threads
/// and processes may call it at the same time. Raises m365auth.Error, a ValueError, where there is no token to be had.
#[pyfunction]
#[pyo3(signature = (profile = "mail"))]
fn get_access_token(py: Python<'_>, profile: &str) -> PyResult<String> {
    let profile = profile.to_owned();
    wait_for(py, move || Ok(m365auth::get_access_token(&profile)?.into_secret()))
}

/// The stored refresh token of a profile, as `get-refresh-token` prints it.
///
/// Uses no network, and needs no configuration. Raises m365auth.Error, a ValueError, where there is none.
#[pyfunction]
#[pyo3(signature = (profile = "mail"))]
fn get_refresh_token(py: Python<'_>, profile: &str) -> PyResult<String> {
    let profile = profile.to_owned();
    wait_for(py, move || Ok(m365auth::get_refresh_token(&profile)?.into_secret()))
}

/// Does the work in a thread of its own, while other Python threads run, and Ctrl-C is heard.
fn wait_for<T: Send + 'static>(py: Python<'_>, work: impl FnOnce() -> Result<T> + Send + 'static) -> PyResult<T> {
    let (sender, receiver) = mpsc::channel();
    py.detach(move || {
        let in_thread = move || {
            let result = panic::catch_unwind(AssertUnwindSafe(work));
            sender.send(result.map_err(|_| PANIC.take()))
        };
        thread::Builder::new().spawn(in_thread).map_err(|error| no_thread(&error))?;
        loop {
            match receiver.recv_timeout(LOOK) {
                Ok(Ok(result)) => return result.map_err(|error| exception(&error)),
                Ok(Err(place)) => return Err(defect(&place)),
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
    new("TryLater", &format!("no thread can be started: {error}"), Some(hint), None)
}

fn defect(place: &str) -> PyErr {
    let version = env!("CARGO_PKG_VERSION");
    new("Error", &format!("a defect in m365auth {version} at {place}"), Some("please report it"), None)
}

fn new(class: &str, message: &str, hint: Option<&str>, reference: Option<&str>) -> PyErr {
    Python::attach(|py| {
        let arguments = (message, hint, reference);
        let made = py.import("m365auth").and_then(|module| module.getattr(class)?.call1(arguments));
        made.map_or_else(|error| error, PyErr::from_value)
    })
}
