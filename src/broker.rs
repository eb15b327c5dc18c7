//! The identity broker of a managed Linux device: a service on the session bus that holds the device's credential and
//! hands out access tokens (`com.microsoft.identity.broker1`). Experimental: it has not been tested
//! with Microsoft's broker.
//!
//! Microsoft does not document the protocol. It is known from the sources of its clients siemens/linux-entra-sso,
//! siemens/sso-mib, abraunegg/onedrive and evolution-ews, and of the broker of himmelblau.

mod account;
mod answer;
#[cfg_attr(all(target_os = "linux", feature = "keychain"), path = "broker/bus.rs")]
#[cfg_attr(not(all(target_os = "linux", feature = "keychain")), path = "broker/none.rs")]
mod bus;
mod failure;
mod request;

use std::time::Duration;

use crate::config::{Grant, Profile};
use crate::entra::{Access, Flow};
use crate::error::{Cause, Error, ErrorKind, Result};
use crate::patience::Patience;
use crate::unix_time::now;
pub(crate) use account::{BrokerAccount, usernames, with_username};
#[cfg(any(test, fuzzing))]
pub(crate) use answer::{accounts as parse_accounts, token as parse_token, version as parse_version};
use bus::Bus;
pub(crate) use failure::into_error as explain_refusal;
use request::Interaction;
#[cfg(any(test, fuzzing))]
pub(crate) use request::silent as silent_request;

/// How long a call without a window may take: the limit of D-Bus libraries (the reference library's default).
const TIMEOUT: Duration = Duration::from_secs(25);

/// What version 3.0.1 reports if it was asked for scopes that it does not grant, such as those of OpenID Connect
/// (abraunegg/onedrive#3685).
const DECLINED_SCOPES: &str = "declined scopes";

/// Why a call got no answer.
#[cfg_attr(not(all(target_os = "linux", feature = "keychain")), expect(dead_code, reason = "there is no broker"))]
enum CallError {
    /// There is no broker, or no session bus.
    Absent(String),
    /// The broker did not respond within the time limit.
    TimedOut,
    /// It may work later.
    Transient(String),
    Other(String),
}

/// A connection to the broker, for one profile.
pub(crate) struct Broker<'a> {
    bus: Bus,
    profile: &'a Profile,
    patience: Patience,
}

impl<'a> Broker<'a> {
    /// Connects to the session bus. The bus starts the broker with the first call.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] if there is no session bus, [`ErrorKind::TryLater`] if it does not respond.
    pub(crate) fn connect(profile: &'a Profile, patience: Patience) -> Result<Self> {
        debug_assert_eq!(profile.grant, Grant::Broker);
        let bus = Bus::connect(patience.limit(TIMEOUT)).map_err(|error| into_error(error, profile))?;
        Ok(Self { bus, profile, patience })
    }

    /// Returns the broker's version.
    pub(crate) fn version(&self) -> Result<String> {
        let answer = self.call("getLinuxBrokerVersion", &request::version())?;
        answer::version(&answer)
    }

    /// Returns the accounts that are signed in to the broker.
    pub(crate) fn accounts(&self) -> Result<Vec<BrokerAccount>> {
        let answer = self.call("getAccounts", &request::accounts(self.profile))?;
        answer::accounts(&answer, self.profile)
    }

    /// Returns an access token for an account, without a window. `claims` are those that Microsoft demanded, as JSON.
    pub(crate) fn acquire_silently(&self, account: &BrokerAccount, claims: Option<&str>) -> Result<Access> {
        self.acquire("acquireTokenSilently", Interaction::None, Some(account), claims, self.patience.limit(TIMEOUT))
    }

    /// Returns an access token after the broker has asked the person in a window. Without an account, the person
    /// chooses one. The error is caused by [`Cause::Timeout`] if nobody signed in.
    pub(crate) fn acquire_interactively(
        &self,
        account: Option<&BrokerAccount>,
        claims: Option<&str>,
        timeout: Duration,
    ) -> Result<Access> {
        self.acquire("acquireTokenInteractively", Interaction::Window, account, claims, timeout)
    }

    fn acquire(
        &self,
        method: &str,
        interaction: Interaction,
        account: Option<&BrokerAccount>,
        claims: Option<&str>,
        timeout: Duration,
    ) -> Result<Access> {
        let attempt = |scopes: &[String]| {
            let request = request::token(self.profile, interaction, account, claims, scopes);
            let answer = self.bus.call(method, &request, timeout).map_err(|error| match error {
                CallError::TimedOut if interaction == Interaction::Window => {
                    into_error(error, self.profile).with_cause(Cause::Timeout)
                }
                error => into_error(error, self.profile),
            })?;
            answer::token(&answer, account, self.profile, interaction.flow(), now())
        };
        match attempt(&request::scopes(self.profile)) {
            Err(error) if is_about_scopes(&error) => {
                log::info!("the identity broker did not accept the scopes; requesting all that were consented to");
                attempt(&[self.profile.default_scope()])
            }
            result => result,
        }
    }

    fn call(&self, method: &str, request: &str) -> Result<String> {
        let answer = self.bus.call(method, request, self.patience.limit(TIMEOUT));
        answer.map_err(|error| into_error(error, self.profile))
    }
}

impl Interaction {
    /// Returns the flow that error messages refer to.
    fn flow(self) -> Flow {
        match self {
            Self::None => Flow::Refresh,
            Self::Window => Flow::AuthorizationCode,
        }
    }
}

fn is_about_scopes(error: &Error) -> bool {
    error.refusal().is_some_and(|refusal| refusal.description.to_lowercase().contains(DECLINED_SCOPES))
}

/// Returns the error of a call that got no answer.
fn into_error(error: CallError, profile: &Profile) -> Error {
    match error {
        CallError::Absent(why) => {
            Error::new(ErrorKind::Unavailable, format!("the identity broker is not available: {why}")).hint(format!(
                "install and start the broker of your organisation (microsoft-identity-broker or himmelblau), and run \
                 this in your desktop session; without a broker, remove broker = true from {}",
                profile.file.display()
            ))
        }
        CallError::TimedOut => into_error(CallError::Transient("it does not respond".to_owned()), profile),
        CallError::Transient(why) => {
            Error::new(ErrorKind::TryLater, format!("the identity broker cannot be used: {why}")).hint(
                "try again later; if this persists, sign out of the desktop and in again, which restarts the broker",
            )
        }
        CallError::Other(why) => failure::unexpected(&why),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, Profile};

    /// Returns a profile for the tests of this module.
    pub(super) fn profile() -> Profile {
        let text = "client_id = '9e5f94bc-e8a4-4e73-b8be-63364c29d753'".to_owned();
        let config = Config::parse("config.toml".as_ref(), text).expect("a configuration");
        config.profile(&"mail".parse().expect("a name")).expect("a profile")
    }
}
