//! `get-refresh-token`: prints the stored refresh token.

use std::process::ExitCode;

use clap::Parser;

use super::alarm::Alarm;
use super::generate::generated;
use super::stdout::Stdout;
use super::{Common, ProfileArgument};
use crate::config::StoreChoice;
use crate::entra::REFRESH_TOKEN_DAYS;
use crate::error::Result;
use crate::paths::Paths;
use crate::session;

const EXAMPLES: &str = "\
Examples:
  get-refresh-token --profile mail
      Print the token for OfflineIMAP's oauth2_refresh_token_eval
  get-refresh-token | pass insert --multiline m365/mail
      Copy the token to another store";

/// Prints the stored refresh token without using the network
///
/// Programs that request access tokens themselves, such as OfflineIMAP, run this command. Such programs usually discard
/// the new refresh token that Microsoft returns. Run `refresh-token` at least once a month to renew the stored token,
/// which otherwise expires 90 days after it was issued.
#[derive(Parser)]
#[command(name = "get-refresh-token", version, after_long_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    profile: ProfileArgument,
    #[command(flatten)]
    common: Common,
}

/// Runs the command.
pub fn main() -> ExitCode {
    super::main(&generated!("get-refresh-token"), Arguments::try_parse, |arguments| &arguments.common, run)
}

fn run(Arguments { profile, common }: Arguments) -> Result<()> {
    let (profile, paths) = (profile.profile, Paths::from_environment()?);
    // Works without a configuration, as the Python tool does.
    let config = match &common.config {
        Some(_) => Some(common.load_config()?),
        None => paths.load_configuration()?,
    };
    if let Some(config) = &config {
        session::ensure_has_refresh_token(config.grant(&profile), &profile)?;
    }
    let choice = config.as_ref().map_or(Ok(StoreChoice::default()), |config| config.store_choice(&profile))?;
    let username = config.as_ref().and_then(|config| config.username(&profile));
    let stored = session::stored_refresh_token(&paths, &profile, username.as_deref(), &choice)?;
    if let (Some(config), Some(days)) = (&config, stored.old) {
        let reason = format!(
            "The stored refresh token is {days} days old and expires {REFRESH_TOKEN_DAYS} days after it was issued"
        );
        let account = stored.account.map(|account| account.name).or(username);
        let hint = format!("to renew it, run `refresh-token --profile {profile:#}` at least once a month");
        let account = account.unwrap_or_default();
        Alarm { profile: &profile, account, reason, hint, reference: String::new(), exit: 0 }.raise(config);
    }
    Stdout::default().print(stored.token.secret())
}
