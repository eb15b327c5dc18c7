//! `get-token --sign-out`: forget the stored token.

use super::stderr::say;
use crate::config::Cloud;
use crate::error::Result;
use crate::session::Session;

pub(super) fn run(session: &Session) -> Result<()> {
    let name = &session.profile().name;
    let places = session.sign_out()?;
    match places.as_slice() {
        [] => say(&format!("There was no token of the profile \"{name}\".")),
        places => say(&format!("The token of the profile \"{name}\" is removed from {}.", places.join(" and "))),
    }
    let page = match session.profile().cloud {
        Cloud::Global => "https://mysignins.microsoft.com/",
        Cloud::UsGov | Cloud::China => "your account's page there",
    };
    say(&format!(
        "Microsoft does not know of that. To end the sessions there too, open\n\
         {page} and choose \"Sign out everywhere\"."
    ));
    Ok(())
}
