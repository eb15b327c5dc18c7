//! How an access token is shown to a mail server: XOAUTH2, as Google and Microsoft define it (Microsoft: "Authenticate an
//! IMAP, POP or SMTP connection using OAuth").

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oauth2::AccessToken;

use crate::config::Profile;
use crate::entra::Account;
use crate::error::{Error, ErrorKind, Result};

/// The line that follows `AUTHENTICATE XOAUTH2` or `AUTH XOAUTH2`: user and token, each ended by ^A, in base64.
pub(crate) fn initial_response(user: &str, token: &AccessToken) -> String {
    STANDARD.encode(format!("user={user}\x01auth=Bearer {}\x01\x01", token.secret()))
}

/// Whose mailbox it is: who is named, else the profile's, else that of who signed in.
pub(crate) fn user(named: Option<&str>, profile: &Profile, account: Option<&Account>) -> Result<String> {
    let account = account.map(|account| account.name.as_str());
    let user = named.or(profile.username.as_deref()).or(account).unwrap_or_default();
    if user.is_empty() || user.contains(char::is_control) {
        return Err(Error::new(ErrorKind::Configuration, "it is not known whose mailbox that is")
            .hint("name it with --user, or set username in config.toml"));
    }
    Ok(user.to_owned())
}
