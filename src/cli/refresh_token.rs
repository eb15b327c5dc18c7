//! `refresh-token`: print an access token.

use std::process::ExitCode;

use clap::Parser;

use super::stdout::Stdout;
use super::{Common, ProfileArgument, sign_in_needed};
use crate::error::{ErrorKind, Result};
use crate::session::Session;

/// Print a fresh access token for mail and calendar programs
///
/// For mbsync's PassCmd, msmtp's passwordeval, and scripts. On success stdout is the token and one newline; on failure
/// it is empty, and stderr says why.
#[derive(Parser)]
#[command(name = "refresh-token", version)]
struct Arguments {
    #[command(flatten)]
    profile: ProfileArgument,
    /// Ask Microsoft for a new token, even if one is kept in memory
    #[arg(long)]
    fresh: bool,
    #[command(flatten)]
    common: Common,
}

/// Runs the command.
pub fn main() -> ExitCode {
    super::main(|arguments: &Arguments| &arguments.common, run)
}

fn run(Arguments { profile, fresh, common }: Arguments) -> Result<()> {
    let config = common.load_config()?;
    let session = Session::open(&config, &profile.profile)?;
    let access = if fresh { session.fresh_access_token() } else { session.access_token() };
    let access = access.inspect_err(|error| {
        if error.kind() == ErrorKind::SignIn {
            sign_in_needed::tell(&config, &profile.profile, session.last_account().as_ref(), &error.to_string());
        }
    })?;
    Stdout::default().print(access.token.secret())
}
