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
use super::{Outcome, SignIn, timed_out};
use crate::entra::AuthorizationRequest;
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt;

/// How often a wait looks for a signal, which must find the terminal as it was.
const LOOK: Duration = Duration::from_millis(100);
/// The largest address that is read; Microsoft's have about 2,000 characters.
const LARGEST: u64 = 64 * 1024;

/// A sign-in that waits for the person's clipboard.
pub(crate) struct PasteSignIn<'a> {
    sign_in: &'a SignIn<'a>,
    request: AuthorizationRequest,
    pasted: Pasted,
    redirects: Receiver<Result<Redirect>>,
}

impl<'a> PasteSignIn<'a> {
    pub(crate) fn begin(sign_in: &'a SignIn<'a>) -> Self {
        let request = sign_in.request(sign_in.lead().profile().redirect_uri.clone());
        let (sender, redirects) = mpsc::channel();
        let pasted = Pasted::begin(request.state.secret(), sender, Unfit::Ends);
        Self { sign_in, request, pasted, redirects }
    }

    /// Where the person signs in.
    pub(crate) fn address(&self) -> &Url {
        &self.request.url
    }

    /// Waits for the address, and exchanges what it brings.
    pub(crate) fn finish(self, timeout: Duration) -> Result<Outcome> {
        let redirect = wait(&self.redirects, timeout).unwrap_or_else(|nobody| match nobody {
            Nobody::InTime => Err(timed_out(self.sign_in.lead(), timeout)),
            Nobody::AtAll => Err(nothing_came()),
        });
        drop(self.pasted); // the terminal is the person's again, and so are signals
        self.sign_in.exchange(redirect?, self.request)
    }
}

/// Reads the terminal, or a pipe, until it is dropped.
pub(super) struct Pasted {
    /// Put back as it was when this is dropped.
    _terminal: Option<Terminal>,
    /// A signal waits until the terminal is as it was: fields are dropped in their order.
    _held: Option<interrupt::Held>,
}

/// What a pipe's text that is no address does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unfit {
    /// It ends the sign-in, which has nothing else to wait for.
    Ends,
    /// It is not meant for us: the browser may still come.
    IsIgnored,
}

impl Pasted {
    pub(super) fn begin(state: &str, redirects: Sender<Result<Redirect>>, unfit: Unfit) -> Self {
        let state = state.to_owned();
        if !std::io::stdin().is_terminal() {
            thread::spawn(move || read_pipe(&state, &redirects, unfit));
            return Self { _terminal: None, _held: None };
        }
        if unfit == Unfit::IsIgnored && !Terminal::CAN_STOP {
            return Self { _terminal: None, _held: None };
        }
        let held = interrupt::hold();
        match Terminal::open() {
            Some((terminal, pastes)) => {
                thread::spawn(move || read_terminal(pastes, &state, &redirects));
                Self { _terminal: Some(terminal), _held: Some(held) }
            }
            None => Self { _terminal: None, _held: None }, // in the background: the terminal is somebody else's
        }
    }
}

/// Whether the browser's address may be pasted while the listener waits for the browser itself.
pub(super) fn is_possible_beside_browser() -> bool {
    Terminal::CAN_STOP || !std::io::stdin().is_terminal()
}

/// How a wait ended without an address.
pub(super) enum Nobody {
    /// The time is up, or a signal came, which then does what it does.
    InTime,
    /// Nothing can come any more: the input has ended, or the terminal is in another program's hands.
    AtAll,
}

/// The first redirect. A signal that is held off ends the wait.
pub(super) fn wait(redirects: &Receiver<Result<Redirect>>, timeout: Duration) -> Result<Result<Redirect>, Nobody> {
    let begun = Instant::now();
    while !interrupt::is_received() {
        let left = timeout.checked_sub(begun.elapsed()).ok_or(Nobody::InTime)?;
        match redirects.recv_timeout(left.min(LOOK)) {
            Ok(redirect) => return Ok(redirect),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(Nobody::AtAll),
        }
    }
    Err(Nobody::InTime)
}

fn nothing_came() -> Error {
    Error::new(ErrorKind::PastedAddress, "no address came on stdin, and no terminal is there to paste one into").hint(
        "run `get-token` in the foreground of a terminal, or with --server where a browser can come back (`ssh -L`)",
    )
}

fn read_pipe(state: &str, redirects: &Sender<Result<Redirect>>, unfit: Unfit) {
    let mut text = String::new();
    _ = std::io::stdin().take(LARGEST).read_to_string(&mut text);
    if text.trim().is_empty() {
        return; // no pipe, as from cron, or nothing in it
    }
    match parse_pasted(&text, state) {
        Ok(redirect) => _ = redirects.send(Ok(redirect)),
        Err(misfit) if unfit == Unfit::IsIgnored => log::warn!("stdin: {}", misfit.explained()),
        Err(misfit) => {
            let error = Error::new(ErrorKind::PastedAddress, misfit.explained());
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
            Err(misfit) => log::warn!("{} ({} characters came)", misfit.explained(), text.trim().chars().count()),
        }
    }
}
