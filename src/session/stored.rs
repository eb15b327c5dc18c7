//! The stored refresh token, without any network request.

use std::time::Duration;

use super::{DAY, ownership};
use crate::cache::{self, IssuedFor};
use crate::config::{Config, Grant, Profile, ProfileName, StoreChoice};
use crate::entra::{Account, REFRESH_TOKEN_DAYS};
use crate::error::{Error, ErrorKind, Result};
use crate::lock::Lock;
use crate::paths::Paths;
use crate::store::{RecordedRefusal, Removed, Stored, Stores};
use crate::token::RefreshToken;
use crate::unix_time::now;

/// The age from which `get-refresh-token` warns: programs that only read the token never renew it.
const WARN_AFTER: Duration = Duration::from_secs(75 * DAY);
/// How long a sign-out waits for a running refresh.
const SIGN_OUT: Duration = Duration::from_secs(60);

/// Removes a profile's token from every store.
pub(crate) fn sign_out(profile: &ProfileName, choice: &StoreChoice) -> Result<Removed> {
    let paths = Paths::from_environment()?;
    let lock = Lock::acquire(&paths, profile, SIGN_OUT)?;
    lock.leave_message(""); // replaces a refusal, which may name the account
    cache::remove(&paths, profile);
    let stores = Stores::new(&paths, profile, choice);
    let removed = stores.remove_all();
    if let Err(error) = stores.remove_broker_record() {
        log::warn!("cannot write {}: {error}", paths.records(profile).display());
    }
    Ok(removed)
}

/// Removes the record of the account whose tokens come from the identity broker, and a refresh token that was stored
/// before. Returns the account, if there was one.
pub(crate) fn remove_broker_account(profile: &ProfileName, choice: &StoreChoice) -> Result<(Option<Account>, Removed)> {
    let paths = Paths::from_environment()?;
    let lock = Lock::acquire(&paths, profile, SIGN_OUT)?;
    lock.leave_message(""); // replaces a refusal, which may name the account
    cache::remove(&paths, profile);
    let stores = Stores::new(&paths, profile, choice);
    let account = stores.broker_record().and_then(|record| record.account);
    let removed = stores.remove_recorded();
    stores.remove_broker_record().map_err(|error| {
        let records = paths.records(profile);
        Error::new(ErrorKind::Storage, format!("cannot remove the account from {}: {error}", records.display()))
            .hint("make the file writable, then run the same command again")
    })?;
    Ok((account, removed))
}

/// Returns the stored token of a profile, or None if every store is empty. Removes a cached access token that was
/// issued for another refresh token.
fn load_stored(stores: &Stores, paths: &Paths, profile: &ProfileName) -> Result<Option<Stored>> {
    let stored = stores.load_first()?;
    let issued_for = stored.as_ref().map(|stored| IssuedFor::RefreshToken(&stored.token));
    cache::remove_unless_issued_for(issued_for, paths, profile);
    Ok(stored)
}

/// What is known of a profile without a request.
pub(crate) struct StoredState {
    /// The stored token, or why the store could not be read.
    pub(crate) stored: Result<Option<Stored>>,
    /// The last refusal that a person must resolve.
    pub(crate) refusal: Option<RecordedRefusal>,
    /// Why the stored token does not fit the configuration.
    pub(crate) mismatch: Option<Error>,
}

/// Returns what is known of a profile without a request. `profile` is None if the configuration is not complete.
pub(crate) fn stored_state(config: &Config, name: &ProfileName, profile: Option<&Profile>) -> Result<StoredState> {
    let paths = Paths::from_environment()?;
    let choice = config.store_choice(name)?;
    let stores = Stores::new(&paths, name, &choice);
    let stored = match config.grant(name) {
        Grant::RefreshToken => load_stored(&stores, &paths, name),
        Grant::ClientCredentials | Grant::Broker => Ok(None),
    };
    let loaded = stored.as_ref().ok().and_then(Option::as_ref);
    let mismatch = loaded.zip(profile).and_then(|(stored, profile)| ownership::mismatch(stored, profile, &stores));
    Ok(StoredState { stored, refusal: stores.refusal(), mismatch })
}

/// A refresh token for programs that use it directly.
pub(crate) struct StoredToken {
    pub(crate) token: RefreshToken,
    /// The token's age in days, if it may soon expire.
    pub(crate) old: Option<u64>,
    pub(crate) account: Option<Account>,
}

/// Fails if the profile has no refresh token of its own.
pub(crate) fn ensure_has_refresh_token(grant: Grant, profile: &ProfileName) -> Result<()> {
    let why = match grant {
        Grant::RefreshToken => return Ok(()),
        Grant::ClientCredentials => {
            "its grant is client_credentials, so the application requests access tokens for itself"
        }
        Grant::Broker => "its access tokens come from the identity broker, which keeps its refresh token",
    };
    let message = format!("the profile \"{profile}\" has no refresh token: {why}");
    Err(Error::new(ErrorKind::Configuration, message).hint(format!(
        "let the program run `refresh-token --profile {profile:#}`, which prints an access token (OfflineIMAP: \
         oauth2_access_token_eval)"
    )))
}

/// Returns the stored refresh token of a profile, without any network request. `username` is the configured one.
pub(crate) fn stored_refresh_token(
    paths: &Paths,
    profile: &ProfileName,
    username: Option<&str>,
    choice: &StoreChoice,
) -> Result<StoredToken> {
    let stores = Stores::new(paths, profile, choice);
    ownership::ensure_confirmed_username(profile, username, &stores)?;
    let Some(Stored { token, record, .. }) = load_stored(&stores, paths, profile)? else {
        return Err(stores.not_found());
    };
    let age = record.as_ref().map(|record| Duration::from_secs(now().saturating_sub(record.issued)));
    let old = age.filter(|age| *age >= WARN_AFTER).map(|age| age.as_secs() / DAY);
    if let Some(days) = old {
        log::warn!(
            "this refresh token is {days} days old and expires {REFRESH_TOKEN_DAYS} days after it was issued; \
             to renew it, run `refresh-token --profile {profile:#}` at least once a month",
        );
    }
    Ok(StoredToken { token, old, account: record.and_then(|record| record.account) })
}
