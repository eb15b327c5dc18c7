//! `get-token --sign-out`: forget the stored token. It needs no complete configuration.

use super::stderr::print;
use crate::config::{Config, ProfileName};
use crate::error::Result;
use crate::session;

pub(super) fn run(config: &Config, name: &ProfileName) -> Result<()> {
    let removed = session::sign_out(name, &config.store_choice(name)?)?;
    if !removed.from.is_empty() {
        print(&format!("Removed the refresh token of the profile \"{name}\" from {}.", removed.from.join(" and ")));
    } else if removed.failure.is_none() {
        print(&format!("There was no token of the profile \"{name}\"."));
        return Ok(());
    }
    if let Some(failure) = removed.failure {
        return Err(failure);
    }
    print(
        "Microsoft does not know of that. To end the sessions there too, open your account's\n\
         page (https://mysignins.microsoft.com/ in the global cloud) and choose\n\
         \"Sign out everywhere\".",
    );
    Ok(())
}
