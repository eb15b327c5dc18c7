//! A sign-in through the identity broker of a managed device, which has its own window and keeps the refresh token.

use std::time::Duration;

use super::{SignIn, SignInOutcome, timed_out};
use crate::broker::{Broker, BrokerAccount, usernames, with_username};
use crate::entra::Access;
use crate::error::{Cause, Error, ErrorKind, Result};
use crate::session::Session;

/// Chooses one of several user names. None if nobody can be asked.
pub(crate) type Choose<'a> = &'a dyn Fn(&[&str]) -> Option<String>;

/// Signs in each profile with the account that has the configured `username`, or that the person chooses.
pub(crate) fn run(sign_in: &SignIn<'_>, timeout: Duration, choose: Choose<'_>) -> Result<SignInOutcome> {
    let session = sign_in.first_session();
    let broker = session.broker()?;
    let account = account(session, &broker, choose)?;
    let access = acquire(session, &broker, account.as_ref(), timeout)?;
    let account = access.account.clone().expect("a token of the broker names its account");
    sign_in.ensure_same_account(&account)?;
    let first = session.store_brokered(access);
    let serve = |session: &Session| {
        let broker = session.broker()?;
        let known = broker.accounts()?.into_iter().find(|known| known.account.is_same_as(&account));
        let access = acquire(session, &broker, known.as_ref(), timeout)?;
        let chosen = access.account.as_ref().expect("a token of the broker names its account");
        if !chosen.is_same_as(&account) {
            let message = format!("this sign-in is for {}, but {} was chosen", account.name, chosen.name);
            return Err(Error::new(ErrorKind::SignIn, message)
                .hint(format!("run `get-token --profile {:#}`", session.profile().name)));
        }
        session.store_brokered(access)
    };
    let others = sign_in.sessions[1..].iter().map(|session| (session.profile().name.clone(), serve(session))).collect();
    Ok(SignInOutcome { first, others })
}

fn acquire(
    session: &Session,
    broker: &Broker<'_>,
    account: Option<&BrokerAccount>,
    timeout: Duration,
) -> Result<Access> {
    let access = session.sign_in_with_broker(broker, account, timeout, |why| ensure_display(session, why));
    access.map_err(|error| if error.is_caused_by(Cause::Timeout) { timed_out(session, timeout) } else { error })
}

/// Returns the account to sign in with. None if the person must choose it in the broker's window.
fn account(session: &Session, broker: &Broker<'_>, choose: Choose<'_>) -> Result<Option<BrokerAccount>> {
    let profile = session.profile();
    let accounts = broker.accounts()?;
    let named = |username: &str| with_username(&accounts, username, profile).cloned();
    let username = profile.username.as_deref();
    if let Some(named) = username.and_then(named) {
        return Ok(Some(named));
    }
    // The account may have another name than the configured mail address.
    if let Some(owner) = session.owner().filter(|owner| owner.is_confirmed_for(username))
        && let Some(known) = accounts.iter().find(|known| known.account.is_same_as(&owner.account))
    {
        return Ok(Some(known.clone()));
    }
    if username.is_some() {
        return Ok(None);
    }
    match usernames(&accounts).as_slice() {
        [] => Ok(None),
        [only] => Ok(named(only)),
        several => match choose(several) {
            Some(username) => Ok(named(&username)),
            None => {
                let message = format!(
                    "several accounts are signed in to the identity broker ({}), but none of them was chosen",
                    several.join(", ")
                );
                Err(Error::new(ErrorKind::Configuration, message).hint(format!(
                    "set username in {} to one of them, or run the same command in a terminal and enter one of them",
                    profile.file.display()
                )))
            }
        },
    }
}

/// Fails if the broker cannot open a window.
fn ensure_display(session: &Session, reason: &str) -> Result<()> {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if ["DISPLAY", "WAYLAND_DISPLAY"].into_iter().any(is_set) {
        log::info!("the identity broker opens its window: {reason}");
        return Ok(());
    }
    let message = format!("{reason}; the sign-in needs a window, but DISPLAY and WAYLAND_DISPLAY are not set");
    Err(Error::new(ErrorKind::SignIn, message)
        .hint(format!("run `get-token --profile {:#}` in your desktop session", session.profile().name)))
}
