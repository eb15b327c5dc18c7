//! Sign in with a browser anywhere: the person brings the address that it came back to, from which nobody answered.
//!
//! Used alone over SSH, and beside the listener in the ordinary sign-in. An address is longer than the line that a
//! terminal takes (1,024 bytes on macOS, 4,096 on Linux), so that it is read outside of line mode.

use std::io::{IsTerminal as _, Read as _};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use url::Url;

use super::redirect::{Redirect, parse_pasted};
use super::terminal::Terminal;
use super::{SignIn, SignInOutcome, timed_out};
use crate::entra::AuthorizationRequest;
use crate::error::{Error, ErrorKind, Result};
use crate::session::Session;
use crate::signals;

/// How often a wait looks for a signal, which must find the terminal as it was.
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// The largest address that is read; Microsoft's have about 2,000 characters.
const MAX_SIZE: u64 = 64 * 1024;

/// A sign-in that waits for the person's clipboard.
pub(crate) struct PasteSignIn<'a> {
    sign_in: &'a SignIn<'a>,
    request: AuthorizationRequest,
    pasted: Pasted,
    redirects: Receiver<Result<Redirect>>,
}

impl<'a> PasteSignIn<'a> {
    pub(crate) fn begin(sign_in: &'a SignIn<'a>) -> Self {
        let request = sign_in.request(sign_in.leading().profile().redirect_uri.clone());
        let (sender, redirects) = mpsc::channel();
        let pasted = Pasted::begin(request.state.secret(), sender, OnInvalid::Fail);
        Self { sign_in, request, pasted, redirects }
    }

    /// Where the person signs in.
    pub(crate) fn address(&self) -> &Url {
        &self.request.url
    }

    /// Waits for the address, and exchanges what it brings.
    pub(crate) fn finish(self, timeout: Duration) -> Result<SignInOutcome> {
        let redirect = wait(&self.redirects, timeout);
        drop(self.pasted); // restores the terminal, and lets signals take their effect
        let redirect = redirect.map_err(|error| error.into_error(self.sign_in.leading(), timeout))?;
        self.sign_in.exchange(redirect, self.request)
    }
}

/// Reads the terminal, or a pipe, until it is dropped.
pub(super) struct Pasted {
    /// Put back as it was when this is dropped.
    _terminal: Option<Terminal>,
    /// A signal waits until the terminal is as it was: fields are dropped in their order.
    _deferred: Option<signals::SignalGuard>,
}

/// What a pipe's text that is no address does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum OnInvalid {
    /// End the sign-in: there is nothing else to wait for.
    Fail,
    /// Keep waiting for the browser: the text is not meant for us.
    Ignore,
}

impl Pasted {
    pub(super) fn begin(state: &str, redirects: Sender<Result<Redirect>>, on_invalid: OnInvalid) -> Self {
        let state = state.to_owned();
        if !std::io::stdin().is_terminal() {
            thread::spawn(move || read_pipe(&state, &redirects, on_invalid));
            return Self { _terminal: None, _deferred: None };
        }
        if on_invalid == OnInvalid::Ignore && !Terminal::CAN_CANCEL {
            return Self { _terminal: None, _deferred: None };
        }
        let held = signals::defer();
        match Terminal::open() {
            Some((terminal, pastes)) => {
                thread::spawn(move || read_terminal(pastes, &state, &redirects));
                Self { _terminal: Some(terminal), _deferred: Some(held) }
            }
            None => Self { _terminal: None, _deferred: None }, // in the background: the terminal is somebody else's
        }
    }
}

/// Whether the browser's address may be pasted while the listener waits for the browser itself.
pub(super) fn works_beside_browser() -> bool {
    Terminal::CAN_CANCEL || !std::io::stdin().is_terminal()
}

/// Why a wait ended without a redirect.
pub(super) enum WaitError {
    /// The time is up, or a signal is pending, which then takes its effect.
    TimedOut,
    /// Nothing can arrive any more: the input has ended, or another program has the terminal.
    Closed,
    /// What arrived is not a redirect URL, and there is nothing else to wait for.
    Invalid(Error),
}

impl WaitError {
    pub(super) fn into_error(self, session: &Session, timeout: Duration) -> Error {
        match self {
            Self::TimedOut => timed_out(session, timeout),
            Self::Closed => input_closed(),
            Self::Invalid(error) => error,
        }
    }
}

/// Returns the first redirect. A pending signal ends the wait.
pub(super) fn wait(redirects: &Receiver<Result<Redirect>>, timeout: Duration) -> Result<Redirect, WaitError> {
    let begun = Instant::now();
    while !signals::is_pending() {
        let left = timeout.checked_sub(begun.elapsed()).ok_or(WaitError::TimedOut)?;
        match redirects.recv_timeout(left.min(POLL_INTERVAL)) {
            Ok(redirect) => return redirect.map_err(WaitError::Invalid),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(WaitError::Closed),
        }
    }
    Err(WaitError::TimedOut)
}

fn input_closed() -> Error {
    Error::new(ErrorKind::PastedUrl, "no address came on stdin, and no terminal is there to paste one into").hint(
        "run `get-token` in the foreground of a terminal, or with --server where a browser can come back (`ssh -L`)",
    )
}

fn read_pipe(state: &str, redirects: &Sender<Result<Redirect>>, on_invalid: OnInvalid) {
    let mut text = String::new();
    _ = std::io::stdin().take(MAX_SIZE).read_to_string(&mut text);
    if text.trim().is_empty() {
        return; // no pipe, as from cron, or nothing in it
    }
    match parse_pasted(&text, state) {
        Ok(redirect) => _ = redirects.send(Ok(redirect)),
        Err(error) if on_invalid == OnInvalid::Ignore => log::warn!("stdin: {}", error.explanation()),
        Err(error) => {
            let error = Error::new(ErrorKind::PastedUrl, error.explanation());
            _ = redirects.send(Err(error.hint("run `get-token` again, and paste once more")));
        }
    }
}

/// What does not fit is explained, and asked for again.
fn read_terminal(mut pastes: super::terminal::Pastes, state: &str, redirects: &Sender<Result<Redirect>>) {
    while let Some(text) = pastes.next() {
        match parse_pasted(&text, state) {
            Ok(redirect) => {
                _ = redirects.send(Ok(redirect));
                return;
            }
            Err(_) if text.trim().is_empty() => {}
            Err(error) => log::warn!("{} ({} characters came)", error.explanation(), text.trim().chars().count()),
        }
    }
}
