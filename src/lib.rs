//! Sign in to Microsoft 365 once, then get fresh OAuth2 tokens for mail and calendar programs.
//!
//! A person signs in with the command `get-token`, which stores a refresh token. Afterwards, a program gets an access
//! token for IMAP, SMTP, Microsoft Graph or another service like this:
//!
//! ```no_run
//! let token = m365auth::get_access_token("mail")?;
//! println!("Authorization: Bearer {}", token.secret());
//! # Ok::<(), m365auth::Error>(())
//! ```
//!
//! A [`Session`] also returns the account, the scopes and the expiry, and can use files of the program's own. The
//! library does not sign in: it returns [`ErrorKind::SignIn`] when a person must.
//!
//! # Features
//!
//! Both are enabled by default. A program that depends on the library rarely needs `cli`.
//!
//! | feature | contains |
//! |---|---|
//! | `cli` | the commands `get-token`, `refresh-token` and `get-refresh-token`; nothing of the library's interface |
//! | `keychain` | the system's keychain and, on Linux, the identity broker |
//!
//! Without `keychain`, tokens are stored in a file or by the user's programs, as `store` in the configuration says. A
//! profile whose token may be in the keychain fails with [`ErrorKind::Unavailable`].
//!
//! # Systems
//!
//! | | Linux | macOS | Windows | other Unix |
//! |---|---|---|---|---|
//! | keychain | Secret Service (GNOME Keyring, KWallet, KeePassXC) | Keychain | Credential Manager | – |
//! | cache of access tokens | kernel keyring | – | – | – |
//! | identity broker (experimental) | yes | – | – | – |
//!
//! Without a cache, each call sends a request, so keep the token until [`Access::expires_at`].
//!
//! # Files
//!
//! The configuration is `config.toml` in the user's configuration folder, such as `~/.config/m365auth`. Token files,
//! records (which contain no secret) and locks are in the user's cache folder, such as `~/.cache/m365auth`.
//! [`Session::builder`] replaces both. The keychain entry of the profile `mail` is `m365auth-mail`.
//!
//! # Threads, processes and signals
//!
//! - A [`Session`] is [`Send`] and [`Sync`]. Calls block, for the configured `network_timeout` or for a minute while a
//!   keychain prompts. Within an async runtime, use [`Session::access_token_async`].
//! - Threads and processes may refresh at the same time. A lock file for each profile makes them wait for each other,
//!   and a second one usually gets the token that the first one requested. The system releases the lock of a process
//!   that ends.
//! - Network and keychain calls start short-lived threads. Do not call `fork` without `exec` while another thread is
//!   in a call. Before and after a call, forking is safe: a copied lock file does not keep the lock.
//! - The library installs no signal handlers and does not change the environment. A new refresh token is stored before
//!   its access token is returned. A program that ends between Microsoft's response and the save can lose the new
//!   token, so let a call complete before you exit.
//! - The library writes to neither stdout nor stderr. Its messages, which contain no secret, go to the crate `log`. A
//!   program that the user configured as the store inherits stderr.
//!
//! # A complete program
//!
//! ```no_run
#![doc = include_str!("../examples/token.rs")]
//! ```
//!
//! # IMAP, with async-imap
//!
//! ```no_run
#![doc = include_str!("../examples/imap.rs")]
//! ```
//!
//! # SMTP, with lettre
//!
//! ```no_run
#![doc = include_str!("../examples/smtp.rs")]
//! ```
#![warn(clippy::missing_errors_doc, clippy::missing_panics_doc, missing_debug_implementations, unreachable_pub)]
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
#[cfg(feature = "cli")]
mod config_flag;
mod entra;
mod error;
#[cfg(unix)]
mod foreground;
#[cfg(all(feature = "cli", any(test, fuzzing)))]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(feature = "cli")]
mod hint;
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
/// Returns a cached token if there is one. Otherwise blocks for a request to Microsoft, which ends after
/// `network_timeout`. It may wait for the lock of another call and for a keychain prompt first.
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
    let username = config.as_ref().and_then(|config| config.username(&profile));
    let choice = config.map_or(Ok(StoreChoice::default()), |config| config.store_choice(&profile))?;
    Ok(session::stored_refresh_token(&paths, &profile, username.as_deref(), &choice)?.token)
}
