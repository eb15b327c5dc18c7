//! Prints an access token: `token CONFIG CACHE_DIR`. `get-token` must have signed in with the same files, or a refresh
//! token must be in `CACHE_DIR/refresh_token_mail`.
#![allow(clippy::disallowed_macros, reason = "an example prints")]

use std::path::Path;
use std::process::ExitCode;

use m365auth::{Access, Error, ErrorKind, Session};

/// Returns an access token, from files that only this program uses.
pub fn access_token(config: &Path, cache_dir: &Path) -> Result<Access, Error> {
    let session = Session::builder().config(config).cache_dir(cache_dir).open("mail")?;
    session.access_token()
}

fn main() -> ExitCode {
    let [Some(config), Some(cache_dir)] = [1, 2].map(|index| std::env::args_os().nth(index)) else {
        eprintln!("usage: token CONFIG CACHE_DIR");
        return ExitCode::FAILURE;
    };
    match access_token(config.as_ref(), cache_dir.as_ref()) {
        Ok(access) => {
            println!("{}", access.token().secret());
            ExitCode::SUCCESS
        }
        Err(error) => {
            let what_to_do = match error.kind() {
                ErrorKind::TryLater => "trying again later may help",
                ErrorKind::SignIn => "a person must act",
                _ => "trying again does not help",
            };
            eprintln!("{error}; {what_to_do}: {}", error.next_step().unwrap_or_default());
            ExitCode::FAILURE
        }
    }
}
