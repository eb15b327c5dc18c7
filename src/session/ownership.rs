//! Whose token it is: a profile belongs to one account, and a refresh token to the authority and client that it was
//! issued for.

use super::Session;
use crate::config::{Profile, ProfileName};
use crate::entra::{Account, Tokens};
use crate::error::{Error, ErrorKind, Result};
use crate::store::{Stored, Stores};

/// Returns why the stored token does not fit the configuration, if it does not.
pub(super) fn mismatch(stored: &Stored, profile: &Profile, stores: &Stores) -> Option<Error> {
    let username = profile.username.as_deref();
    ensure_confirmed_username(&profile.name, username, stores).and_then(|()| ensure_same_origin(stored, profile)).err()
}

/// Fails if `username` is not the one for which the profile's account was confirmed at a sign-in. This also detects
/// two configuration files with the same profile.
pub(super) fn ensure_confirmed_username(name: &ProfileName, username: Option<&str>, stores: &Stores) -> Result<()> {
    let Some(owner) = stores.owner(username).filter(|owner| !owner.is_confirmed_for(username)) else {
        return Ok(());
    };
    let message = format!(
        "the profile \"{name}\" belongs to {}, but its username is now {}",
        owner.username(),
        username.unwrap_or_default()
    );
    Err(Error::new(ErrorKind::SignIn, message).hint(format!(
        "run `get-token --profile {name:#}` to sign in as that user, or undo the change of username; if two \
             configuration files have this profile, rename it in one of them"
    )))
}

/// Fails if the stored token was issued by another login host or to another client: another host must not see it, and
/// Microsoft rejects it from another client.
pub(super) fn ensure_same_origin(stored: &Stored, profile: &Profile) -> Result<()> {
    match stored.record.as_ref().and_then(|record| record.differs_from(profile)) {
        None => Ok(()),
        Some(origin) => Err(other_origin("stored token", "issued", &origin, profile)),
    }
}

/// Returns the error for a token that was issued, or an account that was chosen, for another login host or client.
pub(super) fn other_origin(what: &str, happened: &str, origin: &str, profile: &Profile) -> Error {
    let name = &profile.name;
    Error::new(ErrorKind::Configuration, format!("the {what} of the profile \"{name}\" was {happened} for {origin}"))
        .hint(format!(
            "run `get-token --profile {name:#}` to sign in again, or undo the change in {}",
            profile.file.display()
        ))
}

impl Session {
    /// Returns the account of a refreshed token. Fails if it is not the account that the profile belongs to.
    pub(super) fn account_of_refresh(&self, stored: &Stored, tokens: &Tokens) -> Result<Account> {
        let name = &self.profile.name;
        let hint =
            format!("run `get-token --profile {name:#}` and choose the account that this profile should belong to");
        let recorded = stored.record.as_ref().and_then(|record| record.account.as_ref());
        // The recorded account was compared with the owner before the request.
        if let Some((account, owner)) =
            tokens.named_account().zip(self.owner()).filter(|(named, owner)| !owner.account.is_same_as(named))
        {
            let message = format!(
                "the stored token of the profile \"{name}\" belongs to {}, but {} signed in last",
                account.name, owner.account.name
            );
            return Err(Error::new(ErrorKind::SignIn, message).hint(hint));
        }
        // An id_token with a fault proves nothing, so the record must name the account.
        tokens.access.account.as_ref().or(recorded).cloned().ok_or_else(|| {
            let message =
                format!("Microsoft did not say which account the stored token of the profile \"{name}\" belongs to");
            Error::new(ErrorKind::SignIn, message).hint(hint)
        })
    }
}
