//! The sign-in flows, and what they have in common.
//!
//! The flows are [`browser`] (a browser on this machine is redirected to a listener on loopback), [`paste`] (the user
//! pastes the URL to which the browser was redirected) and [`device`] (the user enters a code on another device).
//! [`with_token`] stores a refresh token from stdin, and [`broker`] asks the identity broker of a managed device. This
//! module stores the tokens that a flow returns.

pub(crate) mod broker;
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
pub(crate) mod with_token;

use std::time::Duration;

use axum::http::StatusCode;
use oauth2::{AuthorizationCode, RedirectUrl, Scope};

use crate::config::{Profile, ProfileName};
use crate::entra::{Account, AuthorizationRequest, Flow, Tokens, refusal};
use crate::error::{Cause, Error, ErrorKind, Refusal, Result};
use crate::session::{Session, SignedIn};
use crate::signals;
use redirect::Redirect;

/// The default of `--timeout`, in seconds.
pub(crate) const DEFAULT_TIMEOUT: u64 = 300;
/// The largest value of `--timeout`, in seconds.
pub(crate) const MAX_TIMEOUT: u64 = 86_400;

/// A sign-in for one or more profiles, which share the client ID and the authority.
pub(crate) struct SignIn<'a> {
    /// The first session requests the tokens. The other profiles redeem its refresh token.
    pub(crate) sessions: &'a [Session],
    /// Explains something to the user and asks a yes-or-no question. The answer is no if no terminal is attached.
    pub(crate) confirm: &'a dyn Fn(&str, &str) -> bool,
    /// Asks whether to try a failed save again. The answer is no if no terminal is attached.
    pub(crate) retry_save: &'a dyn Fn(&Error) -> bool,
}

/// The result of a sign-in: the tokens or the error of the first profile, and of each other profile.
pub(crate) struct SignInOutcome {
    pub(crate) first: Result<SignedIn>,
    pub(crate) others: Vec<(ProfileName, Result<SignedIn>)>,
}

impl SignIn<'_> {
    pub(crate) fn first_session(&self) -> &Session {
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
                let profile = self.first_session().profile();
                Err(refusal::into_error(refusal, StatusCode::BAD_REQUEST, profile, Flow::AuthorizationCode))
            }
        }
    }

    /// Stores the tokens of the first profile, then requests and stores the tokens of each other profile, even if an
    /// earlier profile failed.
    ///
    /// One refresh token serves all profiles: it is bound to the user and the client, not to a resource (Microsoft:
    /// "Refresh tokens in the Microsoft identity platform").
    fn store(&self, tokens: Tokens) -> Result<SignInOutcome> {
        let account = tokens.access.account.clone().ok_or_else(|| {
            Error::new(ErrorKind::Protocol, "Microsoft did not say which account signed in")
                .hint("nothing was stored; run the same command again")
        })?;
        self.ensure_same_account(&account)?;
        let issued = tokens.refresh_token.clone();
        let first = self.first_session().store(tokens, self.retry_save);
        // A refresh token that could not be stored for the first profile still serves the others.
        let Some(refresh_token) = first.as_ref().map_or(issued, |first| first.refresh_token.clone()) else {
            return Ok(SignInOutcome { first, others: Vec::new() });
        };
        let redeem = |session: &Session| {
            let _deferred = signals::defer();
            let mut tokens = session.entra().refresh(&refresh_token, Flow::UnstoredToken)?;
            tokens.refresh_token.get_or_insert_with(|| refresh_token.clone());
            if let Some(other) = tokens.named_account().filter(|named| !named.is_same_as(&account)) {
                let (signed_in, other) = (describe(&account, other), describe(other, &account));
                let message = format!("you signed in as {signed_in}, but Microsoft returned a token of {other}");
                return Err(Error::new(ErrorKind::Protocol, message)
                    .hint(format!("run `get-token --profile {:#}`", session.profile().name)));
            }
            tokens.access.account.get_or_insert_with(|| account.clone());
            session.store(tokens, self.retry_save)
        };
        let others =
            self.sessions[1..].iter().map(|session| (session.profile().name.clone(), redeem(session))).collect();
        Ok(SignInOutcome { first, others })
    }

    /// Fails unless the account is the one that each profile belongs to, or the user confirms it: the browser is often
    /// signed in to another account, and another user of this machine can complete a sign-in of ours with an account of
    /// theirs.
    fn ensure_same_account(&self, account: &Account) -> Result<()> {
        let mut confirmed = Vec::new();
        for session in self.sessions {
            let Some(mismatch) = Mismatch::of(session, account) else { continue };
            // Profiles usually share one username, which is asked about once.
            if mismatch.username.is_some_and(|username| confirmed.contains(&username)) {
                continue;
            }
            confirmed.extend(mismatch.username);
            if !(self.confirm)(&mismatch.explanation, mismatch.question) {
                return Err(Error::new(ErrorKind::SignIn, mismatch.message)
                    .hint(mismatch.hint)
                    .with_cause(Cause::WrongAccount));
            }
        }
        Ok(())
    }
}

/// An account that differs from what the profile expects.
struct Mismatch<'a> {
    /// The configured `username`, if only that differs.
    username: Option<&'a str>,
    explanation: String,
    question: &'static str,
    message: String,
    hint: String,
}

impl<'a> Mismatch<'a> {
    /// Once an account was confirmed, only tenant ID and object ID count: at many universities the sign-in name is not
    /// the mail address.
    fn of(session: &'a Session, account: &Account) -> Option<Self> {
        let (profile, name) = (session.profile(), &account.name);
        let username = profile.username.as_deref();
        match session.owner() {
            Some(owner) if !owner.account.is_same_as(account) => {
                let (new, old) = (describe(account, &owner.account), describe(&owner.account, account));
                let statement =
                    |you| format!("{you} signed in as {new}, but the profile \"{}\" belongs to {old}", profile.name);
                Some(Self {
                    username: None,
                    explanation: format!("{}.", statement("You")),
                    question: "Use the new account for this profile?",
                    message: format!("{}; nothing was stored", statement("you")),
                    hint: format!(
                        "run `get-token --profile {0:#}` again and choose {1}, or run `get-token --sign-out --profile \
                         {0:#}` first to switch accounts",
                        profile.name,
                        if owner.account.name.is_empty() { "that account" } else { &owner.account.name }
                    ),
                })
            }
            Some(owner) if owner.is_confirmed_for(username) => None,
            _ => {
                let username = username.filter(|username| username.to_lowercase() != name.to_lowercase())?;
                let statement = |you| {
                    format!(
                        "{you} signed in as {name}, but the username of the profile \"{}\" is {username}",
                        profile.name
                    )
                };
                Some(Self {
                    username: Some(username),
                    explanation: format!("{}.", statement("You")),
                    question: "Is this the right account?",
                    message: format!("{}; nothing was stored", statement("you")),
                    hint: format!(
                        "run `get-token --profile {:#}` again: choose {username}, or confirm {name} in a terminal",
                        profile.name
                    ),
                })
            }
        }
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
pub(crate) fn can_listen(profile: &Profile) -> Result<()> {
    port::Port::bind(profile, false).map(drop)
}

/// Returns the error for a sign-in that was not completed within `--timeout`.
fn timed_out(session: &Session, timeout: Duration) -> Error {
    let name = &session.profile().name;
    let seconds = timeout.as_secs();
    let unit = if seconds == 1 { "second" } else { "seconds" };
    let longer = seconds.saturating_mul(2).clamp(DEFAULT_TIMEOUT, MAX_TIMEOUT);
    Error::new(
        ErrorKind::TryLater,
        format!("nobody signed in within {seconds} {unit} (profile \"{name}\")"),
    )
    .hint(format!(
        "run `get-token --profile {name:#} --timeout {longer}` to allow more time; if Microsoft's page showed an error, \
         look up its AADSTS code in docs/aadsts.md"
    ))
}
