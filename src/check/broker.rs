//! The identity broker, its accounts, and the account that the profile uses.

use super::CheckResult;
use crate::broker::usernames;
use crate::entra::Account;
use crate::error::Result;
use crate::session::Session;

/// The state of the identity broker.
pub(crate) struct BrokerState {
    /// Its version. None for an old broker, which does not report it.
    pub(crate) version: Option<String>,
    /// The user names of its accounts.
    pub(crate) accounts: Vec<String>,
    /// Whose tokens the profile gets, or why it gets none.
    pub(crate) account: Result<Account>,
}

/// Returns the state of the identity broker, and the account of a profile.
///
/// # Errors
///
/// The broker is not available, or does not answer.
pub(crate) fn broker_state(session: &Session) -> Result<BrokerState> {
    let broker = session.broker()?;
    let accounts = broker.accounts()?; // first, because every broker answers this
    let version = broker.version().inspect_err(|error| log::info!("{error}")).ok();
    let accounts = usernames(&accounts).into_iter().map(str::to_owned).collect();
    Ok(BrokerState { version, accounts, account: session.broker_account() })
}

/// Requests a token as `refresh-token` would, and discards it. Records nothing.
pub(crate) fn silent_token(session: &Session) -> Result<()> {
    session.acquire_silently(&session.broker_account()?).map(drop)
}

/// Reports on the identity broker. Returns whether a token can be requested.
pub(super) fn identity_broker(session: &Session, report: &mut dyn FnMut(&str, CheckResult)) -> bool {
    let BrokerState { version, accounts, account } = match broker_state(session) {
        Ok(state) => state,
        Err(error) => {
            report("identity broker", CheckResult::Failed(error));
            return false;
        }
    };
    let version = version.map_or_else(|| "an unknown version".to_owned(), |version| format!("version {version}"));
    let known = match accounts.is_empty() {
        true => "nobody is signed in to it".to_owned(),
        false => format!("signed in: {}", accounts.join(", ")),
    };
    report("identity broker", CheckResult::Passed(format!("{version}; {known} (experimental)")));
    match account {
        Ok(account) => {
            report("chosen account", CheckResult::Passed(account.name));
            true
        }
        Err(error) => {
            report("chosen account", CheckResult::Failed(error));
            false
        }
    }
}
