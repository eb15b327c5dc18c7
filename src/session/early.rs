//! Renews a cached token early, so that an outage does not interrupt mail while the cached token is valid.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::Session;
use super::refused::configuration_digest;
use crate::cache::CachedToken;
use crate::config::{Credential, Grant};
use crate::entra::{Access, Lifetime, is_policy};
use crate::error::{Error, Result};
use crate::lock::Lock;
use crate::patience::Patience;
use crate::store::{Pause, RecordedRefusal, Stores};
use crate::unix_time::now;

/// How long an early renewal may wait for the store and for Microsoft.
const TIMEOUT: Duration = Duration::from_secs(3);
/// How long no new attempt is made after a refusal that a person must resolve, in seconds.
const REFUSAL_PAUSE: u64 = 30 * 60;

/// An access token to hand out.
pub(crate) struct HandedOut {
    pub(crate) access: Access,
    /// Whether this process requested it.
    pub(crate) is_new: bool,
    /// Why it could not be renewed, if a person must act before it expires.
    pub(crate) needs_a_person: Option<Error>,
}

impl From<Access> for HandedOut {
    fn from(access: Access) -> Self {
        Self { access, is_new: true, needs_a_person: None }
    }
}

impl Session {
    /// Renews a token that is due, if an attempt may be made now, and returns the new token, or the due one if there is
    /// none. Returns None if the store contains another refresh token than the one that the due token was issued for.
    pub(super) fn renew_early(&self, due: CachedToken) -> Option<HandedOut> {
        let attempt = match self.try_early(&due) {
            None => return Some(due.into()), // no attempt is made now
            Some(attempt) => attempt,
        };
        let error = match attempt {
            Ok(handed_out) => return Some(handed_out),
            Err(error) => error,
        };
        log::info!("the cached token was not renewed: {error}");
        // The attempt removes a cached token that does not belong to the stored refresh token.
        let kept = self.cached()?;
        Some(HandedOut { needs_a_person: Some(error).filter(Error::needs_a_person), ..kept.into() })
    }

    /// Tries to renew a token that is due. Returns None if no attempt may be made now.
    fn try_early(&self, due: &CachedToken) -> Option<Result<HandedOut>> {
        let configuration = configuration_digest(&self.profile);
        // Before the lock, so that a caller during a pause only reads a file.
        if !self.stores.allow_early_renewal(&configuration) {
            return None;
        }
        let lock = Lock::try_acquire(&self.paths, &self.profile.name)?;
        if let Some(renewed) = self.cached().filter(|cached| cached.lifetime != due.lifetime) {
            return Some(Ok(renewed.into()));
        }
        if !self.stores.allow_early_renewal(&configuration) {
            return None;
        }
        let pause = |seconds: u64| {
            let not_before = now().saturating_add(seconds).min(due.lifetime.floor);
            self.stores.pause_early_renewals(Pause { not_before, configuration: configuration.clone() })
        };
        // Recorded before the attempt, so that no caller tries again during the pause, whatever stops this process.
        let usual = self.usual_pause(&due.lifetime);
        if let Err(error) = pause(usual) {
            log::info!("not renewing the cached token early: cannot write its record: {error}");
            return None;
        }
        let result = self.impatient(Instant::now() + TIMEOUT).refresh(&lock);
        if let Err(error) = &result {
            let requested = error.retry_after().map_or(0, |pause| pause.as_secs());
            let refused = if error.needs_a_person() { REFUSAL_PAUSE } else { 0 };
            _ = pause(usual.max(requested).max(refused));
        }
        Some(result.map(HandedOut::from))
    }

    /// Returns how long no new attempt is made after a failure, in seconds.
    fn usual_pause(&self, lifetime: &Lifetime) -> u64 {
        let stores = self.profile.grant == Grant::RefreshToken && self.stores.uses_programs();
        match stores || matches!(self.profile.credential, Some(Credential::SecretCommand(_))) {
            // A program may open a window that asks for a passphrase: once for each token is enough.
            true => lifetime.floor.saturating_sub(now()),
            false => lifetime.retry_pause().as_secs().max(1),
        }
    }

    /// Returns a copy of this session that stops waiting at this time.
    pub(crate) fn impatient(&self, end: Instant) -> Self {
        let patience = Patience::Until(end);
        Self {
            paths: self.paths.clone(),
            profile: self.profile.clone(),
            cache: self.cache.clone(),
            stores: Stores::with_patience(&self.paths, &self.profile.name, &self.profile.store, patience),
            patience,
            not_cached: OnceLock::new(),
        }
    }

    /// Records a refusal that a person must resolve, for `--status`.
    pub(super) fn remember_refusal(&self, error: &Error) {
        if !error.needs_a_person() {
            return;
        }
        let refusal = error.refusal();
        let recorded = RecordedRefusal::new(error, refusal.is_some_and(is_policy));
        self.stores.remember_refusal(recorded, refusal.and_then(|refusal| refusal.claims.clone()));
    }

    /// Records that a sign-in was refused, but only if no token is stored: a stored token still works. A store that
    /// cannot be read may contain one. The claims are recorded in any case, because the next sign-in needs them.
    pub(crate) fn remember_refused_sign_in(&self, error: &Error) {
        let is_empty = self.record().is_none()
            && (self.profile.grant == Grant::Broker || matches!(self.stores.load_first(), Ok(None)));
        match error.refusal().and_then(|refusal| refusal.claims.clone()) {
            _ if is_empty => self.remember_refusal(error),
            Some(claims) => self.stores.remember_claims(claims),
            None => {}
        }
    }
}

impl From<CachedToken> for Access {
    fn from(CachedToken { token, lifetime }: CachedToken) -> Self {
        Self { token, lifetime: Some(lifetime), scopes: Vec::new(), account: None }
    }
}

impl From<CachedToken> for HandedOut {
    fn from(cached: CachedToken) -> Self {
        Self { access: cached.into(), is_new: false, needs_a_person: None }
    }
}
