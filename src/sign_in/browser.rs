//! Sign in with a browser on this machine: listen on loopback, let the person sign in at Microsoft, take the code that
//! the browser brings back (authorization code flow for native apps, RFC 8252). Where the browser cannot come back, the
//! person may paste the address that it went to.

use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use url::Url;

use super::callback::{Callback, Failed};
use super::certificate::Certificate;
use super::paste::{self, OnInvalid, Pasted, wait};
use super::port::Port;
use super::redirect::Redirect;
use super::{SignIn, SignInOutcome};
use crate::entra::AuthorizationRequest;
use crate::error::{Refusal, Result};

/// A sign-in that waits for the person. The callback listens already.
pub(crate) struct BrowserSignIn<'a> {
    sign_in: &'a SignIn<'a>,
    request: AuthorizationRequest,
    callback: Callback,
    pasted: Pasted,
    redirects: Receiver<Result<Redirect>>,
    fingerprint: Option<String>,
}

impl<'a> BrowserSignIn<'a> {
    pub(crate) fn begin(sign_in: &'a SignIn<'a>) -> Result<Self> {
        let session = sign_in.leading();
        let port = Port::of(&session.profile().redirect_uri)?;
        let certificate = match port.redirect_uri().url().scheme() {
            "https" => Some(Certificate::of_callback(session.paths())?),
            _ => None,
        };
        let fingerprint = certificate.as_ref().map(Certificate::fingerprint);
        let request = sign_in.request(port.redirect_uri());
        let state = request.state.secret();
        let (sender, redirects) = mpsc::channel();
        let callback = Callback::listen(port, state, certificate, sender.clone());
        let pasted = Pasted::begin(state, sender, OnInvalid::Ignore);
        Ok(Self { sign_in, request, callback, pasted, redirects, fingerprint })
    }

    /// Where the person signs in.
    pub(crate) fn address(&self) -> &Url {
        &self.request.url
    }

    /// SHA-256 of the certificate that the browser will warn of; over HTTP there is none.
    pub(crate) fn fingerprint(&self) -> Option<&str> {
        self.fingerprint.as_deref()
    }

    /// Whether the address that the browser came to may be pasted, too.
    pub(crate) fn accepts_paste(&self) -> bool {
        paste::works_beside_browser()
    }

    /// Opens the person's browser, and goes on at once: a text browser keeps the terminal until it is left.
    pub(crate) fn open_browser(&self) {
        let address = self.request.url.to_string();
        thread::spawn(move || {
            if let Err(error) = webbrowser::open(&address) {
                log::warn!("no browser could be opened ({error}): please open the address yourself");
            }
        });
    }

    /// Waits for the browser's return, and exchanges what it brings. The browser shows how it went.
    pub(crate) fn finish(self, timeout: Duration) -> Result<SignInOutcome> {
        let redirect = wait(&self.redirects, timeout);
        drop(self.pasted); // restores the terminal, and lets signals take their effect
        let redirect = redirect.map_err(|error| error.into_error(self.sign_in.leading(), timeout))?;
        let result = self.sign_in.exchange(redirect, self.request);
        self.callback.show(match &result {
            Ok(outcome) => {
                Ok(outcome.first.access.account.as_ref().map_or_else(String::new, |account| account.name.clone()))
            }
            Err(error) => Err(Failed {
                why: error.to_string(),
                reference: error.refusal().map_or_else(String::new, Refusal::ids),
            }),
        });
        result
    }
}
