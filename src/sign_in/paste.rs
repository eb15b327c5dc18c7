//! The sign-in with a browser on any machine: the user pastes the redirect URL, which no listener receives.
//!
//! Over SSH, this is the default flow. In the sign-in with a browser, stdin is read while the listener runs. A redirect
//! URL can be longer than the lines of a terminal in canonical mode (1,024 bytes on macOS, 4,096 on Linux), so
//! canonical mode is turned off.

use std::io::{self, IsTerminal as _, Read as _};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use url::Url;

use super::port::ssh_forward;
use super::redirect::{Redirect, RedirectError, parse_pasted};
use super::terminal::{self, Terminal};
use super::{SignIn, SignInOutcome, timed_out};
use crate::entra::AuthorizationRequest;
use crate::error::{Error, ErrorKind, Result};
use crate::runtime::MORE_RESOURCES;
use crate::session::Session;
use crate::signals;

/// How often a wait checks for a signal, which is delivered only after the terminal is restored.
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// The largest redirect URL that is read. Microsoft's have about 2,000 characters.
const MAX_SIZE: usize = 64 * 1024;
/// A text on a pipe has ended if nothing follows a line end for this long.
const PAUSE: Duration = Duration::from_millis(150);

/// A sign-in that waits for a pasted redirect URL.
pub(crate) struct PasteSignIn<'a> {
    sign_in: &'a SignIn<'a>,
    request: AuthorizationRequest,
    pasted: Pasted,
    redirects: Receiver<Result<Redirect, InvalidPaste>>,
}

impl<'a> PasteSignIn<'a> {
    /// Starts to read the redirect URL from stdin.
    pub(crate) fn begin(sign_in: &'a SignIn<'a>) -> Result<Self> {
        let session = sign_in.first_session();
        let request = sign_in.request(session.profile().redirect_uri.clone());
        let (sender, redirects) = mpsc::channel();
        let pasted =
            Pasted::begin(request.state.secret(), sender, OnInvalid::Fail).map_err(|error| no_thread(&error))?;
        if !pasted.is_reading {
            return Err(no_input(session));
        }
        Ok(Self { sign_in, request, pasted, redirects })
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
#[derive(Default)]
pub(super) struct Pasted {
    _terminal: Option<Terminal>,
    /// Dropped after the terminal is restored, because fields are dropped in the order of their declaration.
    _deferred: Option<signals::SignalGuard>,
    is_reading: bool,
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
    /// Starts to read stdin in a thread, which sends each redirect to `redirects`. Reads nothing if stdin is the null
    /// device or if another program uses the terminal.
    pub(super) fn begin(
        state: &str,
        redirects: Sender<Result<Redirect, InvalidPaste>>,
        on_invalid: OnInvalid,
    ) -> io::Result<Self> {
        let state = state.to_owned();
        if !io::stdin().is_terminal() {
            if terminal::stdin_is_null_device() {
                return Ok(Self::default());
            }
            let (sender, chunks) = mpsc::channel();
            thread::Builder::new().spawn(move || send_stdin(&sender))?;
            thread::Builder::new().spawn(move || read_pipe(chunks, &state, &redirects, on_invalid))?;
            return Ok(Self { is_reading: true, ..Self::default() });
        }
        if on_invalid == OnInvalid::Ignore && !Terminal::CAN_CANCEL {
            return Ok(Self::default());
        }
        let deferred = signals::defer();
        let Some((terminal, pastes)) = Terminal::open() else { return Ok(Self::default()) };
        thread::Builder::new().spawn(move || read_terminal(pastes, &state, &redirects))?;
        Ok(Self { _terminal: Some(terminal), _deferred: Some(deferred), is_reading: true })
    }

    /// Returns whether the user can paste.
    pub(super) fn is_reading(&self) -> bool {
        self.is_reading
    }
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

fn no_thread(error: &io::Error) -> Error {
    Error::new(ErrorKind::TryLater, format!("cannot start a thread to read the redirect URL from stdin: {error}"))
        .hint(MORE_RESOURCES)
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

/// Reads texts from a pipe until one is a redirect URL of this sign-in.
fn read_pipe(
    chunks: Receiver<Vec<u8>>,
    state: &str,
    redirects: &Sender<Result<Redirect, InvalidPaste>>,
    on_invalid: OnInvalid,
) {
    let mut pipe = Pipe { chunks, has_ended: false };
    let mut invalid = None;
    while !pipe.has_ended {
        let text = pipe.next_text();
        match parse_pasted(&text, state) {
            Ok(redirect) => {
                _ = redirects.send(Ok(redirect));
                return;
            }
            Err(_) if text.trim().is_empty() => {}
            Err(error) => {
                let error = invalid.insert(InvalidPaste::new(error, &text));
                if on_invalid == OnInvalid::Ignore || !pipe.has_ended {
                    log::warn!("stdin: {}", error.with_advice());
                }
            }
        }
    }
    if let Some(invalid) = invalid.filter(|_| on_invalid == OnInvalid::Fail) {
        _ = redirects.send(Err(invalid));
    }
}

/// Reads stdin to its end, in a thread of its own: not every system can give a read a timeout.
fn send_stdin(sender: &Sender<Vec<u8>>) {
    let mut buffer = [0; 4096];
    loop {
        match io::stdin().read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(length @ 1..) if sender.send(buffer[..length].to_vec()).is_ok() => {}
            _ => return,
        }
    }
}

/// A pipe as stdin. `ssh` without a terminal, and programs that run this one, keep it open.
struct Pipe {
    chunks: Receiver<Vec<u8>>,
    has_ended: bool,
}

impl Pipe {
    /// Returns the text up to a line end that nothing follows for [`PAUSE`], or up to the end of input.
    fn next_text(&mut self) -> String {
        let mut text = Vec::new();
        let mut limit = Duration::MAX;
        loop {
            match self.chunks.recv_timeout(limit) {
                Ok(chunk) => {
                    limit = if chunk.ends_with(b"\n") { PAUSE } else { Duration::MAX };
                    // A longer text cannot be a redirect URL, and must not fill the memory.
                    text.extend(chunk.into_iter().take(MAX_SIZE.saturating_sub(text.len())));
                }
                Err(error) => {
                    self.has_ended = error == RecvTimeoutError::Disconnected;
                    return String::from_utf8_lossy(&text).into_owned();
                }
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
/// Only its length is shown, because the text may contain a code. The length tells whether another program truncated
/// it.
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
