//! One profile with its store, its cache and the identity platform: how a token is obtained, top-down.

use std::thread;
use std::time::Duration;

use oauth2::RefreshToken;

use crate::cache::{self, Cache};
use crate::config::{Config, Profile, ProfileName, StoreChoice};
use crate::entra::{self, Access, Account, Entra, REFRESH_TOKEN_DAYS, Tokens, token_is_refused};
use crate::error::{Error, ErrorKind, Result};
use crate::lock::Lock;
use crate::paths::Paths;
use crate::signals;
use crate::store::{Location, Record, Stored, Stores};
use crate::unix_time::now;

/// The age from which `get-refresh-token` warns: programs that only read the token never renew it.
const WARN_AFTER: Duration = Duration::from_secs(75 * DAY);
/// How long a sign-out waits for a running refresh.
const SIGN_OUT: Duration = Duration::from_secs(60);
/// In seconds.
pub(crate) const DAY: u64 = 24 * 60 * 60;

/// A profile, ready to hand out tokens.
///
/// Its network calls block. Do not make them from within an async runtime.
///
/// ```no_run
/// let config = m365auth::Config::load("config.toml".as_ref())?;
/// let session = m365auth::Session::open(&config, &"calendar".parse()?)?;
/// let access = session.access_token()?;
/// println!("{:?} may {:?} until {:?}", access.account, access.scopes, access.expires);
/// # Ok::<(), m365auth::Error>(())
/// ```
pub struct Session {
    paths: Paths,
    profile: Profile,
    cache: Cache,
    stores: Stores,
}

/// The result of a sign-in.
#[derive(Debug)]
pub(crate) struct SignedIn {
    /// The access token for the profile's resource, with the account that signed in.
    pub(crate) access: Access,
    /// The stored refresh token.
    pub(crate) refresh_token: RefreshToken,
    /// Where the refresh token is stored, as shown to the user.
    pub(crate) location: String,
    /// Whether the refresh token is in an unencrypted file.
    pub(crate) in_file: bool,
}

impl Session {
    /// Opens a session for one profile.
    ///
    /// # Errors
    ///
    /// Those of [`Config::profile`] and [`Paths::from_environment`].
    pub fn open(config: &Config, profile: &ProfileName) -> Result<Self> {
        let profile = config.profile(profile)?;
        let paths = Paths::from_environment()?;
        let stores = Stores::new(&paths, &profile.name, &profile.store);
        let cache = Cache::new(&paths, &profile);
        Ok(Self { paths, profile, cache, stores })
    }

    /// Returns the profile of this session.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    pub(crate) fn stores(&self) -> &Stores {
        &self.stores
    }

    pub(crate) fn paths(&self) -> &Paths {
        &self.paths
    }

    /// Returns an access token that is valid for at least ten minutes: the cached one, or a new one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::SignIn`] if the user must sign in, [`ErrorKind::TryLater`] if the network or Microsoft is down,
    /// [`ErrorKind::Unavailable`] if the keychain is locked or absent, [`ErrorKind::Configuration`] if the stored token was
    /// issued by another authority or to another client. The stored token is kept in every case.
    pub fn access_token(&self) -> Result<Access> {
        if let Some(access) = self.cache.get() {
            return Ok(access);
        }
        let _lock = self.lock()?;
        // The previous holder of the lock has usually just filled the cache.
        self.cache.get().map_or_else(|| self.refresh(), Ok)
    }

    /// Returns a new access token, even if one is cached. The rotated refresh token is saved before this returns.
    ///
    /// # Errors
    ///
    /// Those of [`Session::access_token`].
    pub fn fresh_access_token(&self) -> Result<Access> {
        let _lock = self.lock()?;
        self.refresh()
    }

    fn lock(&self) -> Result<Lock> {
        Lock::acquire(&self.paths, &self.profile.name, self.profile.network_timeout)
    }

    fn refresh(&self) -> Result<Access> {
        let entra = self.entra();
        thread::scope(|scope| {
            // A keychain call is mostly waiting; the certificate authorities are read meanwhile.
            _ = thread::Builder::new().spawn_scoped(scope, || entra.warm_up());
            self.refresh_from_store(&entra)
        })
    }

    /// Refreshes with the first stored token that Microsoft accepts.
    fn refresh_from_store(&self, entra: &Entra<'_>) -> Result<Access> {
        let mut refused = None;
        for location in self.stores.locations() {
            let stored = match self.stores.load(*location) {
                Ok(Some(stored)) => stored,
                Ok(None) => continue,
                // The refusal of the other copy says more: Microsoft was asked.
                Err(error) if refused.is_some() => {
                    log::warn!("{error}");
                    continue;
                }
                Err(error) => return Err(error),
            };
            match self.refresh_token_of(entra, &stored) {
                Err(error) if error.refusal().is_some_and(token_is_refused) => {
                    refused.get_or_insert(error);
                }
                result => return result,
            }
        }
        Err(refused.unwrap_or_else(|| no_refresh_token(&self.profile.name)))
    }

    fn refresh_token_of(&self, entra: &Entra<'_>, stored: &Stored) -> Result<Access> {
        self.ensure_same_origin(stored)?;
        let _deferred = signals::defer();
        let Tokens { mut access, refresh_token } = entra.refresh(&stored.token)?;
        let known = || stored.record.as_ref().and_then(|record| record.account.clone());
        access.account = access.account.or_else(known);
        // A sign-in does not wait for the lock for ever. The token that it stored must stay.
        if self.stores.was_replaced(stored) {
            log::warn!(
                "another sign-in replaced the stored token meanwhile; this access token belongs to the previous sign-in"
            );
            return entra::ensure_well_formed(&access.token).map(|()| access);
        }
        let mut record = Record::for_new_token(&self.profile, access.account.clone());
        match &refresh_token {
            Some(token) => {
                let was_in_file = stored.location == Location::File;
                match self.stores.save(token, record) {
                    Ok(Location::File) if !was_in_file => self.warn_of_file(),
                    Ok(_) => {}
                    // The old token stays valid for a while (Microsoft: "Refresh tokens"), so that the next call works.
                    Err(error) => log::warn!("could not store the new refresh token: {error}"),
                }
            }
            None => {
                record.issued = stored.record.as_ref().map_or(record.issued, |old| old.issued);
                self.stores.mark_used(stored, record);
            }
        }
        entra::ensure_well_formed(&access.token)?; // checked only now, when the refresh token is safe
        self.cache.insert(&access);
        Ok(access)
    }

    /// Fails if the stored token was issued by another authority or to another client: another authority must not see it,
    /// and Microsoft rejects it from another client.
    fn ensure_same_origin(&self, stored: &Stored) -> Result<()> {
        let name = &self.profile.name;
        match stored.record.as_ref().and_then(|record| record.differs_from(&self.profile)) {
            None => Ok(()),
            Some(origin) => Err(Error::new(
                ErrorKind::Configuration,
                format!("the stored token of the profile \"{name}\" was issued for {origin}"),
            )
            .hint(format!("run `get-token --profile {name:#}` to sign in again, or undo the change in config.toml"))),
        }
    }

    fn warn_of_file(&self) {
        let place = self.stores.describe(Location::File);
        log::warn!("no keychain is available: the refresh token is now stored unencrypted in {place}");
    }

    pub(crate) fn entra(&self) -> Entra<'_> {
        Entra::new(&self.profile)
    }

    /// Returns the account whose token was stored last, if it is known.
    pub(crate) fn last_account(&self) -> Option<Account> {
        self.stores.last_account()
    }

    /// Fails if the token of a sign-in could not be stored. Uses a separate connection to the keychain, because the sign-in
    /// takes minutes.
    pub(crate) fn ensure_storable(&self) -> Result<()> {
        Stores::new(&self.paths, &self.profile.name, &self.profile.store).ensure_keychain_accepts()
    }

    /// Stores the tokens of a sign-in.
    pub(crate) fn store(&self, tokens: Tokens) -> Result<SignedIn> {
        let Tokens { access, refresh_token } = tokens;
        let refresh_token = refresh_token.ok_or_else(|| {
            Error::new(
                ErrorKind::Protocol,
                format!("Microsoft issued no refresh token to client {}", self.profile.client_id.as_str()),
            )
            .hint("ask an administrator whether this app may use the permission offline_access")
        })?;
        entra::ensure_well_formed(&access.token)?;
        // A refresh that is running has the old token and must not save it over the new one. But a sign-in is not discarded
        // because another process holds the lock for ever.
        let _lock = self.lock().inspect_err(|error| log::warn!("continuing without the lock: {error}"));
        let _deferred = signals::defer();
        let record = Record::for_new_token(&self.profile, access.account.clone());
        let location = self.stores.save(&refresh_token, record).map_err(|error| {
            let hint = error.next_step().unwrap_or_default().to_owned();
            Error::new(
                ErrorKind::Storage,
                format!("you are signed in, but the refresh token could not be stored: {error}"),
            )
            .hint(hint)
        })?;
        cache::remove(&self.paths, &self.profile.name); // it may belong to another account, and the new token may not fit
        self.cache.insert(&access);
        let in_file = location == Location::File;
        Ok(SignedIn { access, refresh_token, location: self.stores.describe(location), in_file })
    }
}

/// Removes a profile's token from every store. Returns where one was removed, and the first error.
pub(crate) fn sign_out(profile: &ProfileName, choice: &StoreChoice) -> Result<(Vec<String>, Option<Error>)> {
    let paths = Paths::from_environment()?;
    let _lock = Lock::acquire(&paths, profile, SIGN_OUT)?;
    cache::remove(&paths, profile);
    Ok(Stores::new(&paths, profile, choice).remove_all())
}

/// A refresh token for programs that use it directly.
pub(crate) struct StoredToken {
    pub(crate) token: RefreshToken,
    /// The token's age in days, if it may soon expire.
    pub(crate) old: Option<u64>,
    pub(crate) account: Option<Account>,
}

/// Returns the stored refresh token of a profile, without any network request.
pub(crate) fn stored_refresh_token(profile: &ProfileName, choice: &StoreChoice) -> Result<StoredToken> {
    let Stored { token, record, .. } = Stores::new(&Paths::from_environment()?, profile, choice)
        .load_first()?
        .ok_or_else(|| no_refresh_token(profile))?;
    let age = record.as_ref().map(|record| Duration::from_secs(now().saturating_sub(record.issued)));
    let old = age.filter(|age| *age >= WARN_AFTER).map(|age| age.as_secs() / DAY);
    if let Some(days) = old {
        log::warn!(
            "this refresh token is {days} days old and expires after {REFRESH_TOKEN_DAYS} days without use; \
             to renew it, run `refresh-token --profile {profile:#}` at least once a month",
        );
    }
    Ok(StoredToken { token, old, account: record.and_then(|record| record.account) })
}

/// Uses the Python tool's wording, so that a search for it finds the answer.
pub(crate) fn no_refresh_token(profile: &ProfileName) -> Error {
    Error::new(ErrorKind::SignIn, format!("No refresh token found for the profile \"{profile}\""))
        .hint(format!("run `get-token --profile {profile:#}` to sign in"))
}
