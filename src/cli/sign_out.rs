//! `get-token --sign-out`: removes the stored token. An incomplete configuration is enough.

use super::stderr::print;
use crate::config::{Config, Grant, ProfileName};
use crate::error::Result;
use crate::session;

/// Removes the token from every store, and fails if a store could not be emptied.
pub(super) fn run(config: &Config, name: &ProfileName) -> Result<()> {
    if config.grant(name) == Grant::Broker {
        return remove_broker_account(config, name);
    }
    let removed = session::sign_out(name, &config.store_choice(name)?)?;
    if !removed.from.is_empty() {
        print(&format!("Refresh token for \"{name}\" removed from {}.", removed.from.join(" and ")));
    } else if removed.failure.is_none() {
        print(&format!("No refresh token is stored for \"{name}\"."));
        return Ok(());
    }
    if let Some(failure) = removed.failure {
        return Err(failure);
    }
    print(
        "Microsoft was not notified. To end your sessions there too, open your account's page \
         (https://mysignins.microsoft.com/ in the global cloud) and choose \"Sign out everywhere\".",
    );
    Ok(())
}

/// Forgets which of the identity broker's accounts the profile uses.
fn remove_broker_account(config: &Config, name: &ProfileName) -> Result<()> {
    let (account, removed) = session::remove_broker_account(name, &config.store_choice(name)?)?;
    if !removed.from.is_empty() {
        print(&format!("Refresh token for \"{name}\" removed from {}.", removed.from.join(" and ")));
    }
    match account {
        Some(account) => print(&format!(
            "The profile \"{name}\" no longer uses {}. The account is still signed in to the identity broker: sign out there \
             too, in the settings of the desktop or of Company Portal.",
            account.name
        )),
        None => print(&format!("No account of the identity broker is chosen for \"{name}\".")),
    }
    removed.failure.map_or(Ok(()), Err)
}
