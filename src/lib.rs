//! Sign in to Microsoft 365 once, then get fresh OAuth2 tokens for mail and calendar programs.
#![warn(missing_debug_implementations, unreachable_pub)]
#![cfg_attr(
    not(all(feature = "cli", feature = "keychain")),
    allow(dead_code, unused_imports, reason = "a part of the library serves only the commands or the keychain")
)]

mod broker;
mod cache;
#[cfg(feature = "cli")]
mod check;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
mod config;
mod entra;
mod error;
#[cfg(unix)]
mod foreground;
#[cfg(all(feature = "cli", any(test, fuzzing)))]
#[doc(hidden)]
pub mod fuzzing;
mod lock;
mod paths;
mod patience;
mod private_fs;
mod runtime;
mod sanitize;
mod session;
#[cfg(all(target_os = "linux", feature = "keychain"))]
mod session_bus;
#[cfg(feature = "cli")]
mod sign_in;
#[cfg_attr(not(feature = "cli"), path = "signals/none.rs")]
mod signals;
mod store;
mod timeout;
mod token;
mod unix_time;
mod user_programs;
#[cfg(feature = "cli")]
mod xoauth2;

pub use config::{Profile, Server};
pub use entra::{Access, Account};
pub use error::{Error, ErrorKind, Refusal, Result};
pub use session::{Session, SessionBuilder};
pub use token::{AccessToken, RefreshToken};

use config::StoreChoice;
use paths::Paths;

/// Returns an access token for a profile of the user's configuration, as `refresh-token` prints it.
///
/// Returns a cached token if there is one. Otherwise blocks for a request to Microsoft, for `network_timeout` at most.
///
/// # Errors
///
/// The errors of [`SessionBuilder::open`] and [`Session::access_token`].
pub fn get_access_token(profile: &str) -> Result<AccessToken> {
    Session::builder().open(profile)?.access_token().map(Access::into_token)
}

/// Returns the stored refresh token of a profile, as `get-refresh-token` prints it.
///
/// Needs no network and, unlike [`Session::refresh_token`], no configuration file.
///
/// # Errors
///
/// Those of [`Session::refresh_token`], and of [`SessionBuilder::open`] if there is a configuration file.
pub fn get_refresh_token(profile: &str) -> Result<RefreshToken> {
    let (profile, paths) = (profile.parse()?, Paths::from_environment()?);
    let config = paths.load_configuration()?;
    if let Some(config) = &config {
        session::ensure_has_refresh_token(config.grant(&profile), &profile)?;
    }
    let choice = config.map_or(Ok(StoreChoice::default()), |config| config.store_choice(&profile))?;
    Ok(session::stored_refresh_token(&paths, &profile, &choice)?.token)
}
