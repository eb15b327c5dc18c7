//! The sign-in with a browser on any machine: the user pastes the redirect URL, which no listener receives.
//!
//! Over SSH, this is the default flow. In the sign-in with a browser, stdin is read while the listener runs. A redirect URL
//! can be longer than the lines of a terminal in canonical mode (1,024 bytes on macOS, 4,096 on Linux), so that mode is
//! turned off.

use std::io::{IsTerminal as _, Read as _};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use url::Url;

use super::port::ssh_forward;
use super::redirect::{Redirect, RedirectError, parse_pasted};
use super::terminal::Terminal;
use super::{SignIn, SignInOutcome, timed_out};
use crate::entra::AuthorizationRequest;
use crate::error::{Error, ErrorKind, Result};
use crate::session::Session;
use crate::signals;

/// How often a wait checks for a signal, which is delivered only after the terminal is restored.
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// The largest redirect URL that is read. Microsoft's have about 2,000 characters.
const MAX_SIZE: u64 = 64 * 1024;

/// A sign-in that waits for a pasted redirect URL.
pub(crate) struct PasteSignIn<'a> {
    sign_in: &'a SignIn<'a>,
    request: AuthorizationRequest,
    pasted: Pasted,
    redirects: Receiver<Result<Redirect, InvalidPaste>>,
}

impl<'a> PasteSignIn<'a> {
    /// Starts to read the redirect URL from stdin.
    pub(crate) fn begin(sign_in: &'a SignIn<'a>) -> Self {
        let request = sign_in.request(sign_in.first_session().profile().redirect_uri.clone());
        let (sender, redirects) = mpsc::channel();
        let pasted = Pasted::begin(request.state.secret(), sender, OnInvalid::Fail);
        Self { sign_in, request, pasted, redirects }
    }

    /// Returns the URL at which the user signs in.
    pub(crate) fn address(&self) -> &Url {
        &self.request.url
    }

    /// Waits for the redirect URL, and exchanges its code for tokens.
    pub(crate) fn finish(self, timeout: Duration) -> Result<SignInOutcome> {
        let redirect = wait(&self.redirects, timeout);
        drop(self.pasted); // restores the terminal, then delivers a deferred signal
        let redirect = redirect.map_err(|error| error.into_error(self.sign_in.first_session(), timeout))?;
        self.sign_in.exchange(redirect, self.request)
    }
}

/// A reader of pasted redirect URLs. Dropping it restores the terminal.
pub(super) struct Pasted {
    _terminal: Option<Terminal>,
    /// Dropped after the terminal is restored, because fields are dropped in the order of their declaration.
    _deferred: Option<signals::SignalGuard>,
}

/// What to do when text from a pipe is not a redirect URL.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum OnInvalid {
    /// End the sign-in, because there is nothing else to wait for.
    Fail,
    /// Keep waiting for the browser, because the text may be meant for another program.
    Ignore,
}

impl Pasted {
    /// Starts a thread that reads stdin and sends each redirect to `redirects`.
    pub(super) fn begin(state: &str, redirects: Sender<Result<Redirect, InvalidPaste>>, on_invalid: OnInvalid) -> Self {
        let state = state.to_owned();
        if !std::io::stdin().is_terminal() {
            thread::spawn(move || read_pipe(&state, &redirects, on_invalid));
            return Self { _terminal: None, _deferred: None };
        }
        if on_invalid == OnInvalid::Ignore && !Terminal::CAN_CANCEL {
            return Self { _terminal: None, _deferred: None };
        }
        let deferred = signals::defer();
        match Terminal::open() {
            Some((terminal, pastes)) => {
                thread::spawn(move || read_terminal(pastes, &state, &redirects));
                Self { _terminal: Some(terminal), _deferred: Some(deferred) }
            }
            None => Self { _terminal: None, _deferred: None }, // another program uses the terminal
        }
    }
}

/// Returns whether a redirect URL can be pasted while the listener is running.
pub(super) fn works_beside_browser() -> bool {
    Terminal::CAN_CANCEL || !std::io::stdin().is_terminal()
}

/// Why a wait ended without a redirect.
pub(super) enum WaitError {
    /// The timeout elapsed, or a signal is pending, which takes effect once the terminal is restored.
    TimedOut,
    /// Nothing can arrive any more: stdin has ended, or another program uses the terminal.
    Closed,
    /// Stdin contained other text, and there is nothing else to wait for.
    Invalid(InvalidPaste),
}

impl WaitError {
    pub(super) fn into_error(self, session: &Session, timeout: Duration) -> Error {
        match self {
            Self::TimedOut => timed_out(session, timeout),
            Self::Closed => no_input(session),
            Self::Invalid(invalid) => invalid.into_error(session),
        }
    }
}

/// Waits for the first redirect. A pending signal ends the wait.
pub(super) fn wait(
    redirects: &Receiver<Result<Redirect, InvalidPaste>>,
    timeout: Duration,
) -> Result<Redirect, WaitError> {
    let start = Instant::now();
    while !signals::is_pending() {
        let left = timeout.checked_sub(start.elapsed()).ok_or(WaitError::TimedOut)?;
        match redirects.recv_timeout(left.min(POLL_INTERVAL)) {
            Ok(redirect) => return redirect.map_err(WaitError::Invalid),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(WaitError::Closed),
        }
    }
    Err(WaitError::TimedOut)
}

fn no_input(session: &Session) -> Error {
    let profile = session.profile();
    let message = format!(
        "cannot read a redirect URL for the profile \"{}\" from stdin: stdin is empty, or get-token runs in the background",
        profile.name
    );
    Error::new(ErrorKind::PastedUrl, message).hint(format!(
        "run `get-token --profile {name:#}` in the foreground of a terminal; or connect with `{forward}` and run \
         `get-token --server --profile {name:#}`",
        name = profile.name,
        forward = ssh_forward(&profile.redirect_uri)
    ))
}

fn read_pipe(state: &str, redirects: &Sender<Result<Redirect, InvalidPaste>>, on_invalid: OnInvalid) {
    let mut text = String::new();
    _ = std::io::stdin().take(MAX_SIZE).read_to_string(&mut text);
    if text.trim().is_empty() {
        return; // stdin is not a pipe, for example in a cron job, or the pipe is empty
    }
    match parse_pasted(&text, state) {
        Ok(redirect) => _ = redirects.send(Ok(redirect)),
        Err(error) => {
            let invalid = InvalidPaste::new(error, &text);
            match on_invalid {
                OnInvalid::Ignore => log::warn!("stdin: {}", invalid.with_advice()),
                OnInvalid::Fail => _ = redirects.send(Err(invalid)),
            }
        }
    }
}

/// Reads the terminal until the user pastes a redirect URL of this sign-in. Explains every other text in a warning.
fn read_terminal(mut pastes: super::terminal::Pastes, state: &str, redirects: &Sender<Result<Redirect, InvalidPaste>>) {
    while let Some(text) = pastes.next() {
        match parse_pasted(&text, state) {
            Ok(redirect) => {
                _ = redirects.send(Ok(redirect));
                return;
            }
            Err(_) if text.trim().is_empty() => {}
            Err(error) => log::warn!("{}", InvalidPaste::new(error, &text).with_advice()),
        }
    }
}

/// A text that is not a redirect URL of this sign-in.
///
/// Only its length is shown, because the text may contain a code. The length tells whether another program truncated it.
pub(super) struct InvalidPaste {
    error: RedirectError,
    characters: usize,
}

impl InvalidPaste {
    fn new(error: RedirectError, text: &str) -> Self {
        Self { error, characters: text.trim().chars().count() }
    }

    fn message(&self) -> String {
        let unit = if self.characters == 1 { "character" } else { "characters" };
        format!("{} ({} {unit})", self.error.explanation(), self.characters)
    }

    fn with_advice(&self) -> String {
        format!("{}; {}", self.message(), self.error.advice())
    }

    fn into_error(self, session: &Session) -> Error {
        let name = &session.profile().name;
        let hint = format!("run `get-token --profile {name:#}` again, and {}", self.error.advice());
        Error::new(ErrorKind::PastedUrl, self.message()).hint(hint)
    }
}
