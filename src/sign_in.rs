//! The ways to sign in. The only room that knows a person.
//!
//! Three siblings lead to tokens: [`browser`] (a browser on this machine comes back to us), [`paste`] (the person brings
//! the address that the browser came to) and [`device`] (a code on another device). What they brought is stored here.

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

use axum::http::StatusCode;
use oauth2::{AuthorizationCode, RedirectUrl, Scope};

use crate::config::ProfileName;
use crate::entra::{Account, AuthorizationRequest, Tokens, refusal};
use crate::error::{Error, ErrorKind, Refusal, Result};
use crate::session::{Session, SignedIn};
use crate::signals;
use redirect::Redirect;

/// A sign-in for one profile, or for several of the same client and authority. The first one leads.
pub(crate) struct SignIn<'a> {
    pub(crate) sessions: &'a [Session],
    /// Asks the person whether the second account may take the first one's place.
    pub(crate) confirm: &'a dyn Fn(&str) -> bool,
}

/// What a sign-in brought: the leading profile's, and each other's.
pub(crate) struct SignInOutcome {
    pub(crate) first: SignedIn,
    pub(crate) others: Vec<(ProfileName, Result<SignedIn>)>,
}

impl SignIn<'_> {
    fn leading(&self) -> &Session {
        &self.sessions[0]
    }

    fn request(&self, redirect_uri: RedirectUrl) -> AuthorizationRequest {
        self.leading().entra().authorization_request(redirect_uri, &self.scopes_of_others())
    }

    fn scopes_of_others(&self) -> Vec<Scope> {
        let own = &self.leading().profile().scopes;
        let others = self.sessions[1..].iter().flat_map(|session| &session.profile().scopes);
        others.filter(|scope| !own.contains(scope)).cloned().collect()
    }

    /// Exchanges what the browser brought back.
    fn exchange(&self, redirect: Redirect, request: AuthorizationRequest) -> Result<SignInOutcome> {
        match redirect {
            Redirect::Code(code) => {
                let tokens = self.leading().entra().exchange(AuthorizationCode::new(code), request)?;
                self.store(tokens)
            }
            Redirect::Refused { error, description } => {
                let refusal = Refusal::from_redirect(&error, &description);
                Err(refusal::into_error(refusal, StatusCode::BAD_REQUEST, self.leading().profile()))
            }
        }
    }

    /// Stores the tokens of the leading profile, and fetches and stores the others' with the same refresh token, which is
    /// bound to user and client, not to a service (Microsoft: "refresh tokens").
    fn store(&self, tokens: Tokens) -> Result<SignInOutcome> {
        let account = tokens.access.account.clone().ok_or_else(|| {
            Error::new(ErrorKind::Protocol, "Microsoft did not say which account signed in")
                .hint("nothing was stored; run the same command again")
        })?;
        self.ensure_same_account(&account)?;
        let first = self.leading().store(tokens)?;
        let serve = |session: &Session| {
            let _deferred = signals::defer();
            let mut tokens = session.entra().refresh(&first.refresh_token)?;
            tokens.refresh_token.get_or_insert_with(|| first.refresh_token.clone());
            if tokens.access.account.get_or_insert_with(|| account.clone()).is_same_as(&account) {
                session.store(tokens)
            } else {
                Err(Error::new(ErrorKind::Protocol, "Microsoft answered with the token of another account")
                    .hint("nothing was stored; run the same command again"))
            }
        };
        let others =
            self.sessions[1..].iter().map(|session| (session.profile().name.clone(), serve(session))).collect();
        Ok(SignInOutcome { first, others })
    }

    /// Fails unless the account is the one that each profile belongs to, or the user confirms it: a browser that is signed
    /// in to another account is a common accident, and another user of this machine can complete a sign-in of ours with
    /// an account of theirs.
    fn ensure_same_account(&self, account: &Account) -> Result<()> {
        for session in self.sessions {
            let Some(mismatch) = Mismatch::of(session, account) else { continue };
            if !(self.confirm)(&mismatch.question) {
                let name = &session.profile().name;
                return Err(Error::new(ErrorKind::SignIn, mismatch.message).hint(format!(
                    "nothing was stored; sign in as {}, or run `get-token --profile {name:#}` in a terminal to confirm {}",
                    mismatch.expected, account.name
                )));
            }
        }
        Ok(())
    }
}

/// An account that differs from what the profile expects.
struct Mismatch {
    expected: String,
    question: String,
    message: String,
}

impl Mismatch {
    /// Once an account was confirmed, only tenant ID and object ID count: at many universities the sign-in name is not the
    /// mail address.
    fn of(session: &Session, account: &Account) -> Option<Self> {
        let (profile, name) = (session.profile(), &account.name);
        let username = profile.username.as_deref();
        let signed_in = format!("you signed in as {name}");
        match session.owner() {
            Some(owner) if !owner.account.is_same_as(account) => Some(Self {
                expected: owner.account.name.clone(),
                question: format!(
                    "The profile \"{}\" belongs to {}, but {signed_in}. Replace it?",
                    profile.name, owner.account.name
                ),
                message: format!("{signed_in}, but the profile \"{}\" belongs to {}", profile.name, owner.account.name),
            }),
            Some(owner) if owner.is_confirmed_for(username) => None,
            _ => {
                let username = username.filter(|username| username.to_lowercase() != name.to_lowercase())?;
                Some(Self {
                    expected: username.to_owned(),
                    question: format!(
                        "The username of the profile \"{}\" is {username}, but {signed_in}. Is this the right account?",
                        profile.name
                    ),
                    message: format!("{signed_in}, but the username of the profile \"{}\" is {username}", profile.name),
                })
            }
        }
    }
}

/// What a person types without its being shown. None at the end of input.
pub(crate) fn hidden_line() -> Option<String> {
    terminal::hidden_line()
}

/// Whether the browser could come back to this machine now.
pub(crate) fn can_listen(redirect_uri: &RedirectUrl) -> Result<()> {
    port::Port::of(redirect_uri).map(drop)
}

/// Nobody came.
fn timed_out(session: &Session, timeout: std::time::Duration) -> Error {
    let name = &session.profile().name;
    Error::new(ErrorKind::TryLater, format!("nobody signed in within {} seconds", timeout.as_secs())).hint(format!(
        "run `get-token --profile {name:#}` again, or allow more time with --timeout; if Microsoft's page showed an \
             error, docs/troubleshooting.md says what its AADSTS code means"
    ))
}
