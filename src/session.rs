//! One profile with its store and its line to Microsoft: the way of a token, top-down.

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
/// How long a sign-out waits for a refresh to end.
const SIGN_OUT: Duration = Duration::from_secs(60);
/// In seconds.
pub(crate) const DAY: u64 = 24 * 60 * 60;

/// One profile, ready to hand out tokens.
///
/// Its network calls block, and must not be made from within an async runtime.
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

/// What a sign-in brought.
#[derive(Debug)]
pub(crate) struct SignedIn {
    /// For the profile's resource, and by whom.
    pub(crate) access: Access,
    /// As it is stored.
    pub(crate) refresh_token: RefreshToken,
    /// Where the refresh token lives now, for a person.
    pub(crate) location: String,
    /// The token is in a file, and not encrypted.
    pub(crate) in_file: bool,
}

impl Session {
    /// The session of one profile.
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

    /// The profile of this session.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    pub(crate) fn stores(&self) -> &Stores {
        &self.stores
    }

    pub(crate) fn paths(&self) -> &Paths {
        &self.paths
    }

    /// An access token that is good for ten minutes or more: the one that is kept in memory, else a new one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::SignIn`] where a person must sign in, [`ErrorKind::TryLater`] where the network or Microsoft is
    /// down, [`ErrorKind::Unavailable`] where the keychain is closed, [`ErrorKind::Configuration`] where the token
    /// came from another authority or client. The stored token survives every error.
    pub fn access_token(&self) -> Result<Access> {
        if let Some(access) = self.cache.get() {
            return Ok(access);
        }
        let _lock = self.lock()?;
        // Whoever held the lock has mostly just filled it.
        self.cache.get().map_or_else(|| self.refresh(), Ok)
    }

    /// A new access token, whatever is kept. The refresh token that comes with it is saved before this returns.
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
            // To ask the keychain is mostly to wait for it; meanwhile the certificate authorities are read.
            _ = thread::Builder::new().spawn_scoped(scope, || entra.warm_up());
            self.refresh_from_store(&entra)
        })
    }

    /// With the first stored token that Microsoft does not refuse.
    fn refresh_from_store(&self, entra: &Entra<'_>) -> Result<Access> {
        let mut refused = None;
        for location in self.stores.locations() {
            let stored = match self.stores.load(*location) {
                Ok(Some(stored)) => stored,
                Ok(None) => continue,
                // The refusal of the other copy is the better news: it says that Microsoft was asked.
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
        // A sign-in does not wait for us for ever, and what it brought stays.
        if self.stores.was_replaced(stored) {
            log::warn!("another token was stored meanwhile, and stays; this access token is of the one before");
            return entra::ensure_well_formed(&access.token).map(|()| access);
        }
        let mut record = Record::for_new_token(&self.profile, access.account.clone());
        match &refresh_token {
            Some(token) => {
                let was_in_file = stored.location == Location::File;
                match self.stores.save(token, record) {
                    Ok(Location::File) if !was_in_file => self.warn_of_file(),
                    Ok(_) => {}
                    // Microsoft keeps the old one alive, so that the next call works all the same.
                    Err(error) => log::warn!("the new refresh token could not be stored: {error}"),
                }
            }
            None => {
                record.issued = stored.record.as_ref().map_or(record.issued, |old| old.issued);
                self.stores.mark_used(stored, record);
            }
        }
        entra::ensure_well_formed(&access.token)?; // and whatever it is, the refresh token is safe
        self.cache.insert(&access);
        Ok(access)
    }

    /// A refresh token goes to nobody but whom it came from: another authority could keep it, and Microsoft refuses it
    /// from another client.
    fn ensure_same_origin(&self, stored: &Stored) -> Result<()> {
        let name = &self.profile.name;
        match stored.record.as_ref().and_then(|record| record.differs_from(&self.profile)) {
            None => Ok(()),
            Some(origin) => Err(Error::new(
                ErrorKind::Configuration,
                format!("the stored token of \"{name}\" came from {origin}, and the configuration says another"),
            )
            .hint(format!("run `get-token --profile {name:#}` to sign in with the new one, or undo the change"))),
        }
    }

    fn warn_of_file(&self) {
        let place = self.stores.describe(Location::File);
        log::warn!("no keychain takes the token: it is now in {place}, not encrypted, readable by you alone");
    }

    pub(crate) fn entra(&self) -> Entra<'_> {
        Entra::new(&self.profile)
    }

    /// The account whose token was stored last, as far as that is known.
    pub(crate) fn last_account(&self) -> Option<Account> {
        self.stores.last_account()
    }

    /// Fails where what a sign-in brings could not be stored. It is asked on a line of its own, since the sign-in takes
    /// minutes.
    pub(crate) fn ensure_storable(&self) -> Result<()> {
        Stores::new(&self.paths, &self.profile.name, &self.profile.store).ensure_keychain_accepts()
    }

    /// Stores what a sign-in brought.
    pub(crate) fn store(&self, tokens: Tokens) -> Result<SignedIn> {
        let Tokens { access, refresh_token } = tokens;
        let refresh_token = refresh_token.ok_or_else(|| {
            Error::new(ErrorKind::Protocol, "Microsoft's answer has no refresh token")
                .hint("see whether an administrator must consent to offline_access for this client ID")
        })?;
        entra::ensure_well_formed(&access.token)?;
        // Whoever refreshes now holds the old token, and must not save it over the new one. But a person's sign-in is not
        // thrown away for somebody who holds the lock for ever.
        let _lock = self.lock().inspect_err(|error| log::warn!("going on without the lock: {error}"));
        let _deferred = signals::defer();
        let record = Record::for_new_token(&self.profile, access.account.clone());
        let location = self.stores.save(&refresh_token, record).map_err(|error| {
            let hint = error.next_step().unwrap_or_default().to_owned();
            Error::new(ErrorKind::Storage, format!("you are signed in, but the token cannot be stored: {error}"))
                .hint(hint)
        })?;
        cache::remove(&self.paths, &self.profile.name); // it may be of another account, and the new one not fit in
        self.cache.insert(&access);
        let in_file = location == Location::File;
        Ok(SignedIn { access, refresh_token, location: self.stores.describe(location), in_file })
    }
}

/// Removes a profile's token from every place. Says where one was, and what could not be emptied.
pub(crate) fn sign_out(profile: &ProfileName, choice: &StoreChoice) -> Result<(Vec<String>, Option<Error>)> {
    let paths = Paths::from_environment()?;
    let _lock = Lock::acquire(&paths, profile, SIGN_OUT)?;
    cache::remove(&paths, profile);
    Ok(Stores::new(&paths, profile, choice).remove_all())
}

/// A refresh token for programs that use it themselves.
pub(crate) struct StoredToken {
    pub(crate) token: RefreshToken,
    /// How long ago Microsoft issued it, in days, if that is so long that it may soon be dead.
    pub(crate) old: Option<u64>,
    pub(crate) account: Option<Account>,
}

/// The stored refresh token of a profile, without any talk with Microsoft.
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

/// The Python original's words, so that a search finds them.
pub(crate) fn no_refresh_token(profile: &ProfileName) -> Error {
    Error::new(ErrorKind::SignIn, format!("No refresh token found for the profile \"{profile}\""))
        .hint(format!("run `get-token --profile {profile:#}` to sign in"))
}
