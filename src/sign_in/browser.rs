//! The sign-in with a browser on this machine: the authorization code flow for native apps (RFC 8252).
//!
//! A listener on loopback receives the redirect with the authorization code. If the redirect does not reach it, the
//! user can paste the redirect URL instead.

use std::io;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use url::Url;

use super::callback::Callback;
use super::certificate::Certificate;
use super::page::Page;
use super::paste::{InvalidPaste, OnInvalid, Pasted, wait};
use super::port::{self, Port};
use super::redirect::Redirect;
use super::{SignIn, SignInOutcome};
use crate::entra::AuthorizationRequest;
use crate::error::Result;

/// A sign-in that waits for the redirect. The listener is already running.
pub(crate) struct BrowserSignIn<'a> {
    sign_in: &'a SignIn<'a>,
    request: AuthorizationRequest,
    callback: Callback,
    pasted: Pasted,
    redirects: Receiver<Result<Redirect, InvalidPaste>>,
    fingerprint: Option<String>,
}

impl<'a> BrowserSignIn<'a> {
    /// Starts the listener, and reads stdin for a pasted redirect URL. `is_forwarded` says that `ssh` forwards the
    /// port, so it must be known in advance.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TryLater`](crate::ErrorKind::TryLater) if the listener needs more file descriptors or threads than
    /// the system has left. The user can still paste the redirect URL.
    pub(crate) fn begin(sign_in: &'a SignIn<'a>, is_forwarded: bool) -> Result<Self> {
        let session = sign_in.first_session();
        let port = Port::bind(session.profile(), is_forwarded)?;
        let certificate = match port.redirect_uri().url().scheme() {
            "https" => Some(Certificate::load_or_generate(session.paths(), &session.profile().file)?),
            _ => None,
        };
        let fingerprint = certificate.as_ref().map(Certificate::fingerprint);
        let redirect_uri = port.redirect_uri();
        let request = sign_in.request(redirect_uri.clone());
        let state = request.state.secret();
        let (sender, redirects) = mpsc::channel();
        let callback = Callback::listen(port, state, certificate, sender.clone())
            .map_err(|error| port::out_of_resources(&redirect_uri, &error))?;
        let pasted = Pasted::begin(state, sender, OnInvalid::Ignore).unwrap_or_else(|error| {
            log::warn!("cannot start a thread to read a pasted URL from stdin: {error}");
            Pasted::default()
        });
        Ok(Self { sign_in, request, callback, pasted, redirects, fingerprint })
    }

    /// Returns the URL at which the user signs in.
    pub(crate) fn address(&self) -> &Url {
        &self.request.url
    }

    /// Returns the SHA-256 fingerprint of the self-signed certificate, or `None` for an `http` redirect URI.
    pub(crate) fn fingerprint(&self) -> Option<&str> {
        self.fingerprint.as_deref()
    }

    /// Returns whether the redirect URL can also be pasted.
    pub(crate) fn accepts_paste(&self) -> bool {
        self.pasted.is_reading()
    }

    /// Opens the default browser in a thread, because a text browser does not return until the user quits it.
    pub(crate) fn open_browser(&self) {
        let url = self.request.url.to_string();
        let open = move || {
            if let Err(error) = webbrowser::open(&url) {
                warn_not_opened(&error);
            }
        };
        if let Err(error) = thread::Builder::new().spawn(open) {
            warn_not_opened(&error);
        }
    }

    /// Waits for the redirect, exchanges its code for tokens, and shows the result in the browser.
    pub(crate) fn finish(self, timeout: Duration) -> Result<SignInOutcome> {
        let redirect = wait(&self.redirects, timeout);
        drop(self.pasted); // restores the terminal, then delivers a deferred signal
        let redirect = redirect.map_err(|error| error.into_error(self.sign_in.first_session(), timeout))?;
        let result = self.sign_in.exchange(redirect, self.request);
        self.callback.show(Page::of_result(self.sign_in.sessions, &result));
        result
    }
}

fn warn_not_opened(error: &io::Error) {
    log::warn!("cannot open a browser ({error}); open the URL above yourself");
}
