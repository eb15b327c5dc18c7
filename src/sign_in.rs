//! The three sign-in flows, and what they have in common.
//!
//! The flows are [`browser`] (a browser on this machine is redirected to a listener on loopback), [`paste`] (the
//! user pastes the URL to which the browser was redirected) and [`device`] (the user enters a code on another device).
//! This module stores the tokens that a flow returns.

pub(crate) mod browser;
mod callback;
mod certificate;
pub(crate) mod device;
mod page;
pub(crate) mod paste;
pub(crate) mod port;
pub(crate) mod redirect;
#[cfg_attr(unix, path = "sign_in/terminal.rs")]
#[cfg_attr(not(unix), path = "sign_in/line_terminal.rs")]
mod terminal;

use std::time::Duration;

use axum::http::StatusCode;
use oauth2::{AuthorizationCode, RedirectUrl, Scope};

use crate::config::ProfileName;
use crate::entra::{Account, AuthorizationRequest, Tokens, refusal};
use crate::error::{Error, ErrorKind, Refusal, Result};
use crate::session::{Session, SignedIn};
use crate::signals;
use redirect::Redirect;

/// A sign-in for one or more profiles, which share the client ID and the authority.
pub(crate) struct SignIn<'a> {
    /// The first session requests the tokens. The other profiles redeem its refresh token.
    pub(crate) sessions: &'a [Session],
    /// Asks the user whether the second account may replace the first one.
    pub(crate) confirm: &'a dyn Fn(&Account, &Account) -> bool,
}

/// The result of a sign-in: the tokens of the first profile, and the tokens or the error of each other profile.
pub(crate) struct SignInOutcome {
    pub(crate) first: SignedIn,
    pub(crate) others: Vec<(ProfileName, Result<SignedIn>)>,
}

impl SignIn<'_> {
    fn first_session(&self) -> &Session {
        &self.sessions[0]
    }

    fn request(&self, redirect_uri: RedirectUrl) -> AuthorizationRequest {
        self.first_session().entra().authorization_request(redirect_uri, &self.additional_scopes())
    }

    /// Returns the scopes that only the other profiles need, so that the user consents to all scopes at once.
    fn additional_scopes(&self) -> Vec<Scope> {
        let own = &self.first_session().profile().scopes;
        let others = self.sessions[1..].iter().flat_map(|session| &session.profile().scopes);
        others.filter(|scope| !own.contains(scope)).cloned().collect()
    }

    /// Exchanges the authorization code for tokens and stores them, or returns Microsoft's refusal as an error.
    fn exchange(&self, redirect: Redirect, request: AuthorizationRequest) -> Result<SignInOutcome> {
        match redirect {
            Redirect::Code(code) => {
                let tokens = self.first_session().entra().exchange(AuthorizationCode::new(code), request)?;
                self.store(tokens)
            }
            Redirect::Refused { error, description } => {
                let refusal = Refusal::from_redirect(&error, &description);
                Err(refusal::into_error(refusal, StatusCode::BAD_REQUEST, self.first_session().profile()))
            }
        }
    }

    /// Stores the tokens of the first profile, then requests and stores the tokens of each other profile.
    ///
    /// One refresh token serves all profiles: it is bound to the user and the client, not to a resource (Microsoft:
    /// "Refresh tokens in the Microsoft identity platform").
    fn store(&self, tokens: Tokens) -> Result<SignInOutcome> {
        self.ensure_same_account(&tokens)?;
        let first = self.first_session().store(tokens)?;
        let redeem = |session: &Session| {
            let _deferred = signals::defer();
            let mut tokens = session.entra().refresh(&first.refresh_token)?;
            tokens.refresh_token.get_or_insert_with(|| first.refresh_token.clone());
            tokens.access.account = tokens.access.account.or_else(|| first.access.account.clone());
            session.store(tokens)
        };
        let others =
            self.sessions[1..].iter().map(|session| (session.profile().name.clone(), redeem(session))).collect();
        Ok(SignInOutcome { first, others })
    }

    /// Fails if the user signed in with an account other than the profile's and does not confirm the replacement.
    ///
    /// This happens easily: the browser may already be signed in to another account.
    fn ensure_same_account(&self, tokens: &Tokens) -> Result<()> {
        let Some(new) = &tokens.access.account else { return Ok(()) };
        for session in self.sessions {
            let name = &session.profile().name;
            let Some(old) = session.last_account() else { continue };
            if old.is_same_as(new) || (self.confirm)(&old, new) {
                continue;
            }
            let message = format!(
                "you signed in as {}, but the profile \"{name}\" belongs to {}; nothing was stored",
                describe(new, &old),
                describe(&old, new)
            );
            return Err(Error::new(ErrorKind::SignIn, message).hint(format!(
                "run `get-token --profile {name:#}` again and choose {}, or run `get-token --sign-out --profile {name:#}` \
                 first to switch accounts",
                if old.name.is_empty() { "that account" } else { &old.name }
            )));
        }
        Ok(())
    }
}

/// Returns the name and the tenant of an account, and its object ID if they do not distinguish it from the other one.
fn describe(account: &Account, other: &Account) -> String {
    let Account { name, tenant_id, object_id } = account;
    let shown = if name.is_empty() { "an account without a name" } else { name };
    if (name, tenant_id) == (&other.name, &other.tenant_id) {
        format!("{shown} (tenant {tenant_id}, object ID {object_id})")
    } else {
        format!("{shown} (tenant {tenant_id})")
    }
}

/// Reads a line from the terminal without echo. Returns `None` at the end of input.
pub(crate) fn hidden_line() -> Option<String> {
    terminal::hidden_line()
}

/// Checks that the port of the redirect URI is free.
pub(crate) fn can_listen(redirect_uri: &RedirectUrl) -> Result<()> {
    port::Port::bind(redirect_uri).map(drop)
}

/// Returns the error for a sign-in that was not completed within `--timeout`.
fn timed_out(session: &Session, timeout: Duration) -> Error {
    let name = &session.profile().name;
    let seconds = timeout.as_secs();
    let unit = if seconds == 1 { "second" } else { "seconds" };
    let longer = seconds.saturating_mul(2).clamp(300, 86_400); // the most that --timeout allows
    Error::new(
        ErrorKind::TryLater,
        format!("nobody signed in within {seconds} {unit} (profile \"{name}\")"),
    )
    .hint(format!(
        "run `get-token --profile {name:#} --timeout {longer}` to allow more time; if Microsoft's page showed an error, \
         look up its AADSTS code in docs/troubleshooting.md"
    ))
}
