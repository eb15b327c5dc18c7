//! A sign-in with a refresh token from stdin, as another program or another machine stored it.

use std::io::{self, IsTerminal as _, Read as _};

use super::{SignIn, SignInOutcome};
use crate::config::ProfileName;
use crate::entra::Flow;
use crate::error::{Error, ErrorKind, Result};
use crate::sanitize::is_well_formed_token;
use crate::signals;
use crate::token::RefreshToken;

/// In bytes. A refresh token has one or two kilobytes.
const MAX_SIZE: u64 = 64 * 1024;

/// Reads a refresh token from stdin, redeems it once to verify it and to identify its account, and stores it.
///
/// # Errors
///
/// [`ErrorKind::Usage`] if stdin is a terminal, [`ErrorKind::PastedUrl`] if it does not contain one token, and the
/// errors of a refresh. Nothing is stored then.
pub(crate) fn run(sign_in: &SignIn<'_>) -> Result<SignInOutcome> {
    let token = read(&sign_in.first_session().profile().name)?;
    let _deferred = signals::defer();
    let mut tokens = sign_in.first_session().entra().refresh(&token, Flow::UnstoredToken)?;
    tokens.refresh_token.get_or_insert(token);
    sign_in.store(tokens)
}

fn read(profile: &ProfileName) -> Result<RefreshToken> {
    // A token that is typed or pasted into a terminal would be shown.
    if io::stdin().is_terminal() {
        return Err(Error::new(ErrorKind::Usage, "--with-token reads the refresh token from a pipe or a file")
            .hint(format!("run `get-token --profile {profile:#} --with-token <FILE`")));
    }
    let mut text = String::new();
    let read = io::stdin().take(MAX_SIZE).read_to_string(&mut text);
    let is_complete = read.is_ok_and(|length| (length as u64) < MAX_SIZE);
    match text.trim() {
        token if is_complete && is_well_formed_token(token) => Ok(RefreshToken::new(token.to_owned())),
        other => {
            let what = if other.is_empty() && is_complete { "is empty" } else { "does not contain one refresh token" };
            Err(Error::new(ErrorKind::PastedUrl, format!("stdin {what}"))
                .hint("pass the refresh token alone, without quotes or JSON around it"))
        }
    }
}
