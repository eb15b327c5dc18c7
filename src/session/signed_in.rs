//! Storing what a sign-in returned.

use super::Session;
use crate::cache::{self, IssuedFor};
use crate::entra::{self, Access, Tokens};
use crate::error::{Error, ErrorKind, Result};
use crate::signals;
use crate::store::{Location, Record, Saved, Stores};
use crate::token::RefreshToken;

/// The result of a sign-in.
#[derive(Debug)]
pub(crate) struct SignedIn {
    /// The access token for the profile's resource, with the account that signed in.
    pub(crate) access: Access,
    /// The stored refresh token. None if the identity broker hands out the access tokens.
    pub(crate) refresh_token: Option<RefreshToken>,
    /// Where the refresh token is stored, or where access tokens come from, as shown to the user.
    pub(crate) location: String,
    /// Whether the refresh token is in an unencrypted file.
    pub(crate) in_file: bool,
}

impl Session {
    /// Fails if the token of a sign-in could not be stored. Uses a separate connection to the keychain, because the
    /// sign-in takes minutes.
    pub(crate) fn ensure_storable(&self) -> Result<()> {
        Stores::new(&self.paths, &self.profile.name, &self.profile.store).ensure_keychain_accepts()
    }

    /// Stores the tokens of a sign-in. If that fails, `retry` decides whether it is tried again.
    pub(crate) fn store(&self, tokens: Tokens, retry: &dyn Fn(&Error) -> bool) -> Result<SignedIn> {
        let Tokens { access, refresh_token, .. } = tokens;
        let refresh_token = refresh_token.ok_or_else(|| {
            Error::new(
                ErrorKind::Protocol,
                format!("Microsoft did not issue a refresh token to client {}", self.profile.client_id.as_str()),
            )
            .hint("ask an administrator whether this app may use the permission offline_access")
        })?;
        entra::ensure_well_formed(&access.token)?;
        // A refresh that is running has the old token and must not save it over the new one. But a sign-in is not
        // discarded because another process holds the lock forever.
        let _lock = self.lock().inspect_err(|error| log::warn!("continuing without the lock: {error}"));
        let _deferred = signals::defer();
        let record = Record::for_new_token(&self.profile, &access);
        let saved = self.save_or_retry(&refresh_token, &record, retry)?;
        if saved.keychain_failure.is_some() {
            self.warn_of_file(Location::Keychain, &saved);
        }
        if saved.location == Location::Keychain {
            self.warn_unless_loaded_unattended(&refresh_token);
        }
        self.reset_notification();
        self.stores.remove_claims();
        cache::remove(&self.paths, &self.profile.name); // it may belong to another account, and the new token may not fit
        self.cache(&access, IssuedFor::RefreshToken(&refresh_token));
        let in_file = saved.location == Location::File;
        Ok(SignedIn {
            access,
            refresh_token: Some(refresh_token),
            location: self.stores.describe(saved.location),
            in_file,
        })
    }

    fn save_or_retry(&self, token: &RefreshToken, record: &Record, retry: &dyn Fn(&Error) -> bool) -> Result<Saved> {
        let mut saved = self.stores.save(token, record.clone());
        while let Err(error) = &saved {
            if signals::is_pending() || !retry(error) {
                let message = format!("you are signed in, but the refresh token could not be stored: {error}");
                let hint = error.next_step().unwrap_or_default();
                return Err(Error::new(ErrorKind::Storage, message).hint(hint));
            }
            // A keychain that failed is called again only on a new connection.
            saved = Stores::new(&self.paths, &self.profile.name, &self.profile.store).save(token, record.clone());
        }
        saved
    }

    /// Warns if mail programs will not get the token that a sign-in has just saved in the keychain.
    fn warn_unless_loaded_unattended(&self, token: &RefreshToken) {
        if let Err(error) = self.stores.ensure_loads_unattended(token) {
            let hint = error.next_step().map(|hint| format!(" ({hint})")).unwrap_or_default();
            log::warn!("programs that run unattended cannot read this token: {error}{hint}");
        }
    }
}
