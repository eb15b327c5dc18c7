//! Tokens from the identity broker, which keeps the refresh token. The record says whose tokens the profile gets.

use std::time::Duration;

use super::{Session, SignedIn, ownership, refused};
use crate::broker::{self, Broker, BrokerAccount};
use crate::cache::{self, IssuedFor};
use crate::entra::{Access, Account, Flow, is_policy};
use crate::error::{Error, ErrorKind, Result};
use crate::lock::Lock;
use crate::store::Record;

/// Where the tokens come from, as shown to the user.
const LOCATION: &str = "the identity broker of this device";

impl Session {
    /// Connects to the identity broker.
    pub(crate) fn broker(&self) -> Result<Broker<'_>> {
        Broker::connect(&self.profile, self.patience)
    }

    /// Requests a token of the recorded account from the broker.
    pub(super) fn acquire_from_broker(&self, lock: &Lock) -> Result<Access> {
        self.acquire_recorded(lock).inspect_err(|error| self.remember_refusal(error))
    }

    fn acquire_recorded(&self, lock: &Lock) -> Result<Access> {
        let (profile, paths) = (&self.profile, &self.paths);
        let account = self.broker_account();
        let issued_for = account.as_ref().ok().map(IssuedFor::BrokerAccount);
        cache::remove_unless_issued_for(issued_for, paths, &profile.name);
        let account = account?;
        let request = refused::digest(&format!("{} {}", account.tenant_id, account.object_id), profile);
        if let Some(refusal) = refused::find(lock, &request) {
            log::info!("the identity broker refused this request while this command was waiting");
            return Err(broker::explain_refusal(refusal, profile, Flow::Refresh));
        }
        let access = self.acquire_silently(&account).inspect_err(|error| refused::leave(lock, request, error))?;
        // A sign-in does not wait for the lock forever. The account that it chose must stay.
        if !self.broker_account().is_ok_and(|current| current.is_same_as(&account)) {
            log::warn!("the account was changed during the request; this access token belongs to {}", account.name);
            return Ok(access);
        }
        self.record_brokered(&access)?;
        Ok(access)
    }

    /// Requests a token of an account from the broker, without a window.
    pub(crate) fn acquire_silently(&self, account: &Account) -> Result<Access> {
        let broker = self.broker()?;
        let known = broker.accounts()?.into_iter().find(|known| known.account.is_same_as(account));
        let known = known.ok_or_else(|| {
            let name = &self.profile.name;
            let message = format!("{} is no longer signed in to the identity broker", account.name);
            Error::new(ErrorKind::SignIn, message)
                .hint(format!("run `get-token --profile {name:#}` in your desktop session to sign in"))
        })?;
        let access = broker.acquire_silently(&known, self.stores.claims().as_deref())?;
        Ok(Access { account: Some(account.clone()), ..access })
    }

    /// Returns the account whose tokens the profile gets.
    ///
    /// # Errors
    ///
    /// No sign-in has chosen one, or it does not fit the configuration.
    pub(crate) fn broker_account(&self) -> Result<Account> {
        let profile = &self.profile;
        ownership::ensure_confirmed_username(&profile.name, profile.username.as_deref(), &self.stores)?;
        let record = self.stores.broker_record();
        // The last sign-in may have been one without the broker, with another account.
        let owner = self.owner().map(|owner| owner.account);
        let account = record.as_ref().and_then(|record| record.account.clone());
        let account = account.filter(|account| owner.as_ref().is_none_or(|owner| owner.is_same_as(account)));
        if let Some(origin) = record.and_then(|record| record.differs_from(profile)) {
            return Err(ownership::other_origin("broker account", "chosen", &origin, profile));
        }
        account.ok_or_else(|| {
            let name = &profile.name;
            Error::new(ErrorKind::SignIn, format!("no account of the identity broker is chosen for profile \"{name}\""))
                .hint(format!("run `get-token --profile {name:#}` to choose one"))
        })
    }

    /// Records the account of a sign-in through the broker, and caches its token.
    pub(crate) fn store_brokered(&self, access: Access) -> Result<SignedIn> {
        let _lock = self.lock().inspect_err(|error| log::warn!("continuing without the lock: {error}"));
        cache::remove(&self.paths, &self.profile.name); // it may belong to another account
        self.record_brokered(&access)?;
        self.stores.remove_claims();
        Ok(SignedIn { access, refresh_token: None, location: LOCATION.to_owned(), in_file: false })
    }

    fn record_brokered(&self, access: &Access) -> Result<()> {
        let mut record = Record::for_new_token(&self.profile, access);
        if let Some(old) = self.stores.broker_record() {
            record.issued = old.issued;
        }
        self.stores.save_broker_record(record).map_err(|error| {
            let records = self.paths.records(&self.profile.name);
            Error::new(ErrorKind::Storage, format!("cannot write {}: {error}", records.display()))
                .hint("make the file and its folder writable, then run the same command again")
        })?;
        self.reset_notification();
        if let Some(account) = &access.account {
            self.cache(access, IssuedFor::BrokerAccount(account));
        }
        Ok(())
    }

    /// Requests a token for a sign-in: without a window if the account is signed in to the broker, else with the
    /// broker's window. `ensure_display` fails if no window can be opened.
    pub(crate) fn sign_in_with_broker(
        &self,
        broker: &Broker<'_>,
        account: Option<&BrokerAccount>,
        timeout: Duration,
        ensure_display: impl FnOnce(&str) -> Result<()>,
    ) -> Result<Access> {
        let claims = self.stores.claims();
        let claims = claims.as_deref();
        let reason = match account.map(|account| broker.acquire_silently(account, claims)) {
            // A window does not help against an outage or a policy.
            Some(Err(error)) if error.kind() == ErrorKind::SignIn && !is_blocked_by_policy(&error) => error.to_string(),
            Some(result) => return result,
            None => "no account of this profile is signed in to the identity broker".to_owned(),
        };
        ensure_display(&reason)?;
        let mut access = broker.acquire_interactively(account, claims, timeout)?;
        // Later requests find the account by the IDs that the broker uses.
        if let Some(named) = access.account.clone()
            && let Ok(accounts) = broker.accounts()
            && let Some(known) = accounts.into_iter().find(|known| known.is(&named))
        {
            access.account = Some(known.account);
        }
        Ok(access)
    }
}

/// Returns whether a policy caused the refusal and the broker's window would not help. AADSTS50097 does not count,
/// because the broker can register the device in its window.
fn is_blocked_by_policy(error: &Error) -> bool {
    error.refusal().is_some_and(|refusal| is_policy(refusal) && refusal.code != Some(50_097))
}
