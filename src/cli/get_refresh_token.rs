//! `get-refresh-token`: print the stored refresh token.

use std::process::ExitCode;

use clap::Parser;

use super::stdout::Stdout;
use super::{Common, ProfileArgument};
use crate::config::StoreChoice;
use crate::error::Result;
use crate::session;

/// Print the stored refresh token, without network
///
/// For programs that refresh by themselves, such as OfflineIMAP. They mostly throw the renewed token away: run
/// `refresh-token` now and then, or the stored one dies after 90 days.
#[derive(Parser)]
#[command(name = "get-refresh-token", version)]
struct Arguments {
    #[command(flatten)]
    profile: ProfileArgument,
    #[command(flatten)]
    common: Common,
}

/// Runs the command.
pub fn main() -> ExitCode {
    super::main(|arguments: &Arguments| &arguments.common, run)
}

fn run(Arguments { profile, common }: Arguments) -> Result<()> {
    // The Python original needs no configuration here, and its users may have none.
    let choice = if common.config.is_none() && !common.configuration_file()?.exists() {
        StoreChoice::default()
    } else {
        common.load_config()?.store_choice(&profile.profile)?
    };
    let token = session::stored_refresh_token(&profile.profile, choice)?;
    Stdout::default().print(token.secret())
}
