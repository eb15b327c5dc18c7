//! Sign in with a browser on this machine: listen on loopback, let the person sign in at Microsoft, take the code that
//! the browser brings back (authorization code flow for native apps, RFC 8252).

use std::thread;
use std::time::Duration;

use axum::http::StatusCode;
use oauth2::AuthorizationCode;
use url::Url;

use super::callback::{Callback, Port, Redirect};
use super::certificate::Certificate;
use crate::entra::{AuthorizationRequest, described, refused};
use crate::error::{Error, ErrorKind, Refusal, Result};
use crate::session::{Session, SignedIn};

/// A sign-in that waits for the person. The callback listens already.
pub(crate) struct BrowserSignIn<'a> {
    session: &'a Session,
    request: AuthorizationRequest,
    callback: Callback,
    fingerprint: Option<String>,
}

impl<'a> BrowserSignIn<'a> {
    pub(crate) fn begin(session: &'a Session) -> Result<Self> {
        let port = Port::of(&session.profile().redirect_uri)?;
        let certificate = match port.redirect_uri().url().scheme() {
            "https" => Some(Certificate::of_callback(session.paths())?),
            _ => None,
        };
        let fingerprint = certificate.as_ref().map(Certificate::fingerprint);
        let request = session.authorization_request(port.redirect_uri());
        let callback = Callback::listen(port, request.state.secret(), certificate);
        Ok(Self { session, request, callback, fingerprint })
    }

    /// Where the person signs in.
    pub(crate) fn address(&self) -> &Url {
        &self.request.url
    }

    /// SHA-256 of the certificate that the browser will warn of; over HTTP there is none.
    pub(crate) fn fingerprint(&self) -> Option<&str> {
        self.fingerprint.as_deref()
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
    pub(crate) fn finish(self, timeout: Duration) -> Result<SignedIn> {
        let name = self.session.profile().name.clone();
        let redirect = self.callback.wait(timeout).ok_or_else(|| {
            Error::new(ErrorKind::TryLater, format!("nobody signed in within {} seconds", timeout.as_secs()))
                .hint(format!("run `get-token --profile {name}` again, or allow more time with --timeout"))
        })?;
        let result = match redirect {
            Redirect::Code(code) => self.session.finish_sign_in(AuthorizationCode::new(code), self.request),
            Redirect::Refused { error, description } => {
                Err(refused(described(&error, &description), StatusCode::BAD_REQUEST, self.session.profile()))
            }
        };
        self.callback.show(match &result {
            Ok(signed_in) => Ok(signed_in.account.as_ref().map_or_else(String::new, |account| account.name.clone())),
            Err(error) => Err(with_ids(error)),
        });
        result
    }
}

/// The page has no terminal beside it that shows the code.
fn with_ids(error: &Error) -> String {
    match error.refusal().map(Refusal::ids).filter(|ids| !ids.is_empty()) {
        Some(ids) => format!("{error} ({ids})"),
        None => error.to_string(),
    }
}
