//! Sign in to Microsoft 365 once, then get fresh OAuth2 tokens for mail and calendar programs.
//!
//! The commands `get-token`, `refresh-token` and `get-refresh-token` are built on this crate. After a sign-in with
//! `get-token`, a program gets an access token like this:
//!
//! ```no_run
//! let token = m365auth::get_access_token("mail")?;
//! println!("Authorization: Bearer {}", token.secret());
//! # Ok::<(), m365auth::Error>(())
//! ```

mod broker;
mod cache;
mod check;
#[doc(hidden)]
pub mod cli;
mod config;
mod entra;
mod error;
#[cfg(unix)]
mod foreground;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod lock;
mod paths;
mod patience;
mod private_fs;
mod runtime;
mod sanitize;
mod session;
#[cfg(target_os = "linux")]
mod session_bus;
mod sign_in;
mod signals;
mod store;
mod timeout;
mod unix_time;
mod user_programs;
mod xoauth2;

pub use config::{
    Authority, CacheChoice, CertificateFiles, Cloud, Config, Credential, Grant, Profile, ProfileName, Server,
    StoreChoice, StoreCommands,
};
pub use entra::{Access, Account};
pub use error::{Error, ErrorKind, Refusal, Result};
pub use oauth2::{AccessToken, RefreshToken};
pub use paths::Paths;
pub use session::Session;

/// Returns an access token for a profile of the user's configuration, as `refresh-token` prints it.
///
/// Returns a cached token if there is one. Otherwise blocks for a request to Microsoft, for `network_timeout` at most.
/// Must not be called from within an async runtime.
///
/// # Errors
///
/// The errors of [`Config::load`], [`Session::open`] and [`Session::access_token`].
pub fn get_access_token(profile: &str) -> Result<AccessToken> {
    let file = Paths::from_environment()?.configuration_file();
    paths::ensure_expanded(&file)?;
    let config = Config::load(&file)?;
    Session::open(&config, &profile.parse()?)?.access_token().map(|access| access.token)
}

/// Returns the stored refresh token of a profile, as `get-refresh-token` prints it.
///
/// Needs no network and no configuration file.
///
/// # Errors
///
/// Those of [`Config::load`], [`ErrorKind::Configuration`] if the profile has no refresh token because of its grant,
/// [`ErrorKind::SignIn`] if no token is stored, and [`ErrorKind::Unavailable`] if the keychain is locked or does not
/// respond.
pub fn get_refresh_token(profile: &str) -> Result<RefreshToken> {
    let profile = profile.parse()?;
    let config = Paths::from_environment()?.load_configuration()?;
    if let Some(config) = &config {
        session::ensure_has_refresh_token(config, &profile)?;
    }
    let choice = config.map_or(Ok(StoreChoice::default()), |config| config.store_choice(&profile))?;
    Ok(session::stored_refresh_token(&profile, &choice)?.token)
}
