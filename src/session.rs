//! One profile with its store, its cache and the identity platform: how a token is obtained, top-down.

mod application;
mod brokered;
mod builder;
mod early;
mod ownership;
mod refused;
mod signed_in;
mod stored;

use std::sync::{Arc, OnceLock};
use std::{fmt, panic, thread};

use tokio::sync::oneshot;

use crate::cache::{self, Cache, CachedToken, IssuedFor};
use crate::config::{Config, Grant, Profile, ProfileName};
use crate::entra::{self, Access, Entra, Flow, Tokens, token_is_refused};
use crate::error::{Error, Result};
use crate::lock::Lock;
use crate::paths::Paths;
use crate::patience::Patience;
use crate::private_fs::FileId;
use crate::runtime;
use crate::signals;
use crate::store::{Location, Owner, Record, Saved, Stored, Stores};
use crate::token::RefreshToken;
use crate::unix_time::now;
pub use builder::SessionBuilder;
pub(crate) use early::HandedOut;
pub(crate) use signed_in::SignedIn;
pub(crate) use stored::{
    StoredState, ensure_has_refresh_token, remove_broker_account, sign_out, stored_refresh_token, stored_state,
};

/// In seconds.
pub(crate) const DAY: u64 = 24 * 60 * 60;

/// A profile, ready to hand out tokens.
///
/// Its methods block, except [`Session::access_token_async`]. Threads may share a session; processes and other sessions
/// of the same profile may refresh at the same time.
///
/// ```no_run
/// let session = m365auth::Session::builder().open("calendar")?;
/// let access = session.access_token()?;
/// println!("until {:?}: {:?}", access.expires_at(), access.scopes().collect::<Vec<_>>());
/// # Ok::<(), m365auth::Error>(())
/// ```
pub struct Session {
    paths: Paths,
    profile: Profile,
    cache: Cache,
    stores: Stores,
    patience: Patience,
    /// Why the last access token was not cached.
    not_cached: OnceLock<&'static str>,
}

impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (profile, cache) = (self.profile.name.as_str(), self.paths.cache());
        formatter.debug_struct("Session").field("profile", &profile).field("cache_dir", &cache).finish_non_exhaustive()
    }
}

impl Session {
    /// Returns a builder, which opens a session.
    #[must_use]
    pub fn builder() -> SessionBuilder {
        SessionBuilder::default()
    }

    /// Opens a session for one profile, with the user's folders.
    pub(crate) fn open(config: &Config, profile: &ProfileName) -> Result<Self> {
        let profile = config.profile(profile)?;
        Ok(Self::new(Paths::from_environment()?, profile))
    }

    fn new(paths: Paths, profile: Profile) -> Self {
        let stores = Stores::new(&paths, &profile.name, &profile.store);
        let cache = Cache::new(&paths, &profile);
        Self { paths, profile, cache, stores, patience: Patience::Full, not_cached: OnceLock::new() }
    }

    /// Returns the profile of this session.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    pub(crate) fn stores(&self) -> &Stores {
        &self.stores
    }

    pub(crate) fn paths(&self) -> &Paths {
        &self.paths
    }

    /// Returns an access token that is valid for at least five minutes (if its lifetime is under 20 minutes, for at
    /// least a quarter of it): the cached one, or a new one.
    ///
    /// A cached token is renewed after half of its lifetime, or when Microsoft asks for it (`refresh_in`). If that
    /// fails, the cached one is returned as long as it is valid for those five minutes (or that quarter).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::SignIn`] if the user must sign in, [`ErrorKind::TryLater`] if the network or Microsoft is down,
    /// [`ErrorKind::Unavailable`] if the keychain is locked or absent, [`ErrorKind::Configuration`] if the stored token
    /// was issued by another login host or to another client. The stored token is kept in every case.
    ///
    /// # Panics
    ///
    /// Never. It may be called within an async runtime, where it uses a thread of its own, but it blocks the caller.
    ///
    /// [`ErrorKind::Configuration`]: crate::ErrorKind::Configuration
    /// [`ErrorKind::SignIn`]: crate::ErrorKind::SignIn
    /// [`ErrorKind::TryLater`]: crate::ErrorKind::TryLater
    /// [`ErrorKind::Unavailable`]: crate::ErrorKind::Unavailable
    pub fn access_token(&self) -> Result<Access> {
        runtime::outside_of_tokio(|| self.hand_out().map(|handed_out| self.with_account(handed_out.access)))
    }

    /// Does the same as [`Session::access_token`] in a thread of its own. Works with any async runtime.
    ///
    /// If the future is dropped, the thread completes its request, so no new refresh token is lost.
    ///
    /// # Errors
    ///
    /// Those of [`Session::access_token`].
    pub async fn access_token_async(self: &Arc<Self>) -> Result<Access> {
        let (session, (sender, receiver)) = (Arc::clone(self), oneshot::channel());
        let thread = thread::Builder::new().spawn(move || _ = sender.send(session.access_token()));
        let thread = thread.map_err(runtime::no_thread)?;
        match receiver.await {
            Ok(result) => result,
            Err(_) => panic::resume_unwind(thread.join().expect_err("it ended without a result")),
        }
    }

    /// Adds account and scopes to a cached token.
    pub(crate) fn with_account(&self, mut access: Access) -> Access {
        // The cache keeps neither account nor scopes: an ordinary user's keyring is small.
        if access.account.is_none()
            && let Some(record) = self.record()
        {
            access.scopes = record.scopes();
            access.account = record.account;
        }
        access
    }

    /// Like [`Session::access_token`], but a cached token comes without its account and scopes, and with the reason why
    /// it could not be renewed.
    pub(crate) fn hand_out(&self) -> Result<HandedOut> {
        match self.cached() {
            Some(cached) if now() < cached.lifetime.due => return Ok(cached.into()),
            Some(due) => {
                if let Some(handed_out) = self.renew_early(due) {
                    return Ok(handed_out);
                }
            }
            None => {}
        }
        let lock = self.lock()?;
        // The previous holder of the lock has usually just filled the cache.
        match self.cached() {
            Some(cached) => Ok(cached.into()),
            None => self.refresh(&lock).map(HandedOut::from),
        }
    }

    /// Returns the record of the token that was issued last.
    fn record(&self) -> Option<Record> {
        match self.profile.grant {
            Grant::RefreshToken => self.stores.newest_record(),
            Grant::ClientCredentials => None,
            Grant::Broker => self.stores.broker_record(),
        }
    }

    /// Returns the cached token, if it may be handed out.
    pub(crate) fn cached(&self) -> Option<CachedToken> {
        self.cache.get(|| self.file_id())
    }

    /// Returns why the last access token was not cached, if it was not.
    pub(crate) fn not_cached(&self) -> Option<&'static str> {
        self.not_cached.get().copied()
    }

    /// Returns the identity of the refresh token's file, which a cached access token belongs to.
    fn file_id(&self) -> Option<FileId> {
        if self.profile.grant == Grant::RefreshToken { self.stores.file_id() } else { None }
    }

    /// Caches an access token, unless its lifetime is unknown.
    fn cache(&self, access: &Access, issued_for: IssuedFor<'_>) {
        let cached = match access.lifetime {
            Some(lifetime) => {
                let cached = CachedToken { token: access.token.clone(), lifetime };
                self.cache.insert(&cached, issued_for, self.file_id())
            }
            None => Err("Microsoft did not say when it expires"),
        };
        if let Err(why) = cached {
            log::info!("the access token is not cached in kernel memory: {why}");
            _ = self.not_cached.set(why);
        }
    }

    /// Returns a new access token, even if one is cached. The rotated refresh token is saved before this returns.
    ///
    /// # Errors
    ///
    /// Those of [`Session::access_token`].
    pub fn fresh_access_token(&self) -> Result<Access> {
        runtime::outside_of_tokio(|| self.refresh(&self.lock()?))
    }

    /// Returns the stored refresh token, for programs that request access tokens themselves. Needs no network.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if the profile has no refresh token because of its grant, [`ErrorKind::SignIn`] if
    /// no token is stored or the configured `username` is not the confirmed one, [`ErrorKind::Unavailable`] if the
    /// keychain is locked or absent.
    ///
    /// [`ErrorKind::Configuration`]: crate::ErrorKind::Configuration
    /// [`ErrorKind::SignIn`]: crate::ErrorKind::SignIn
    /// [`ErrorKind::Unavailable`]: crate::ErrorKind::Unavailable
    pub fn refresh_token(&self) -> Result<RefreshToken> {
        let Profile { name, username, store, grant, .. } = &self.profile;
        ensure_has_refresh_token(*grant, name)?;
        stored_refresh_token(&self.paths, name, username.as_deref(), store).map(|stored| stored.token)
    }

    fn lock(&self) -> Result<Lock> {
        Lock::acquire(&self.paths, &self.profile.name, self.profile.network_timeout)
    }

    /// Requests a token with the profile's grant.
    fn refresh(&self, lock: &Lock) -> Result<Access> {
        match self.profile.grant {
            Grant::RefreshToken => self.with_warm_client(|entra| self.refresh_from_store(entra, lock)),
            Grant::ClientCredentials => self.with_warm_client(|entra| self.request_for_application(entra, lock)),
            Grant::Broker => self.acquire_from_broker(lock),
        }
    }

    /// Prepares the HTTP client while the caller does something else first. A keychain call is mostly waiting; the
    /// certificate authorities are read and the login host is looked up meanwhile.
    fn with_warm_client(&self, request: impl FnOnce(&Entra<'_>) -> Result<Access>) -> Result<Access> {
        let entra = self.entra();
        thread::scope(|scope| {
            _ = thread::Builder::new().spawn_scoped(scope, || entra.warm_up());
            request(&entra)
        })
    }

    /// Refreshes with the first stored token that Microsoft accepts.
    fn refresh_from_store(&self, entra: &Entra<'_>, lock: &Lock) -> Result<Access> {
        let Profile { name, username, .. } = &self.profile;
        ownership::ensure_confirmed_username(name, username.as_deref(), &self.stores)?;
        let mut refusal = None;
        let search = self.stores.find(|stored| match self.refresh_with(entra, &stored, lock) {
            Err(error) if error.refusal().is_some_and(token_is_refused) => {
                refusal.get_or_insert(error);
                Ok(None)
            }
            result => result.map(Some),
        });
        let search = search.inspect_err(|error| self.remember_refusal(error))?;
        if search.found.is_none() {
            refusal.iter().for_each(|error| self.remember_refusal(error));
        }
        if let Some(failure) = search.failure.as_ref().filter(|_| search.found.is_some() || refusal.is_some()) {
            let level = if self.patience.is_full() { log::Level::Warn } else { log::Level::Info };
            log::log!(level, "{failure}");
        }
        // A refusal of one copy is more specific than a store that failed, because Microsoft was asked.
        search.found.ok_or_else(|| refusal.or(search.failure).unwrap_or_else(|| self.not_found()))
    }

    fn not_found(&self) -> Error {
        cache::remove_unless_issued_for(None, &self.paths, &self.profile.name);
        self.stores.not_found()
    }

    fn refresh_with(&self, entra: &Entra<'_>, stored: &Stored, lock: &Lock) -> Result<Access> {
        cache::remove_unless_issued_for(Some(IssuedFor::RefreshToken(&stored.token)), &self.paths, &self.profile.name);
        ownership::ensure_same_origin(stored, &self.profile)?;
        let _deferred = signals::defer();
        let tokens = self.redeem(entra, stored, lock)?;
        let account = self.account_of_refresh(stored, &tokens)?;
        let Tokens { mut access, refresh_token, .. } = tokens;
        access.account = Some(account);
        // A sign-in does not wait for the lock forever. The token that it stored must stay.
        if self.stores.was_replaced(stored) {
            log::warn!(
                "another sign-in replaced the stored token during the refresh; this access token belongs to the \
                 previous sign-in"
            );
            return entra::ensure_well_formed(&access.token).map(|()| access);
        }
        let mut record = Record::for_new_token(&self.profile, &access);
        match &refresh_token {
            Some(token) => match self.stores.save(token, record) {
                Ok(saved) => self.warn_of_file(stored.location, &saved),
                // The old token stays valid for a while (Microsoft: "Refresh tokens"), so the next call works.
                Err(error) => log::warn!("could not store the new refresh token: {error}"),
            },
            None => {
                record.issued = stored.record.as_ref().map_or(record.issued, |old| old.issued);
                self.stores.mark_used(stored, record);
            }
        }
        entra::ensure_well_formed(&access.token)?; // checked only now, when the refresh token is safe
        self.reset_notification();
        self.cache(&access, IssuedFor::RefreshToken(refresh_token.as_ref().unwrap_or(&stored.token)));
        Ok(access)
    }

    /// Redeems the stored token, unless Microsoft refused it while this process was waiting for the lock.
    fn redeem(&self, entra: &Entra<'_>, stored: &Stored, lock: &Lock) -> Result<Tokens> {
        let request = refused::digest(stored.token.secret(), &self.profile);
        if let Some(refusal) = refused::find(lock, &request) {
            log::info!("Microsoft refused this token while this command was waiting");
            return Err(entra.explain_refusal(refusal, Flow::Refresh));
        }
        entra.refresh(&stored.token, Flow::Refresh).inspect_err(|error| refused::leave(lock, request, error))
    }

    /// After a success, the next refusal runs `on_sign_in_needed` again, even within the hour.
    fn reset_notification(&self) {
        _ = std::fs::remove_file(self.paths.notified(&self.profile.name));
    }

    /// Warns that a token was stored in a file, unless it was in the file before.
    fn warn_of_file(&self, before: Location, saved: &Saved) {
        if saved.location != Location::File || before == Location::File {
            return;
        }
        let place = self.stores.describe(Location::File);
        match &saved.keychain_failure {
            None => log::warn!("no keychain is available: the refresh token is now stored unencrypted in {place}"),
            Some(failure) => log::warn!(
                "{failure}: the refresh token is stored unencrypted in {place}; the next refresh that finds the keychain \
                 unlocked moves it there"
            ),
        }
    }

    pub(crate) fn entra(&self) -> Entra<'_> {
        Entra::new(&self.profile, self.patience, self.stores.claims())
    }

    /// Returns the account that the profile belongs to, if it is known.
    pub(crate) fn owner(&self) -> Option<Owner> {
        self.stores.owner(self.profile.username.as_deref())
    }
}
