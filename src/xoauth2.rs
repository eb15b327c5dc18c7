//! The SASL mechanism XOAUTH2, which sends an access token to a mail server (Microsoft: "Authenticate an IMAP, POP or
//! SMTP connection using OAuth").

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::config::Profile;
use crate::entra::Account;
use crate::error::{Error, ErrorKind, Result};
use crate::token::AccessToken;

/// Returns the initial response after `AUTHENTICATE XOAUTH2` or `AUTH XOAUTH2`: user and token, separated by ^A, in
/// base64.
pub(crate) fn initial_response(user: &str, token: &AccessToken) -> String {
    STANDARD.encode(format!("user={user}\x01auth=Bearer {}\x01\x01", token.secret()))
}

/// Returns the address of the mailbox: `--user`, else the profile's `username`, else the account that signed in.
pub(crate) fn user(explicit: Option<&str>, profile: &Profile, account: Option<&Account>) -> Result<String> {
    let account = account.map(|account| account.name.as_str());
    let user = explicit.or(profile.username.as_deref()).or(account).unwrap_or_default();
    if user.is_empty() || user.contains(char::is_control) {
        return Err(Error::new(
            ErrorKind::Configuration,
            format!("the mailbox address of profile \"{}\" is not known", profile.name),
        )
        .hint(format!("pass --user ADDRESS, or set username in {}", profile.file.display())));
    }
    Ok(user.to_owned())
}
