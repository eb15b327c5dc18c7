//! `refresh-token`: print an access token.

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use serde::Serialize;

use super::generate::generated;
use super::stdout::Stdout;
use super::{Common, ProfileArgument, sign_in_hook};
use crate::config::Profile;
use crate::entra::{Access, Account};
use crate::error::{Error, ErrorKind, Result};
use crate::session::Session;
use crate::xoauth2;

const EXAMPLES: &str = "\
Examples:
  refresh-token --profile mail
      What mail programs run: mbsync's PassCmd, msmtp's passwordeval
  refresh-token --format xoauth2 --user team@example.com
      What a mail server takes, for a shared mailbox
  refresh-token --profile calendar --format json
      The token with the time when it ends, for a script";

/// Print an access token for mail and calendar programs
///
/// For mbsync's PassCmd, msmtp's passwordeval, and scripts. On success stdout is the token and one newline; on failure
/// it is empty, and stderr says why.
#[derive(Parser)]
#[command(name = "refresh-token", version, after_long_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    profile: ProfileArgument,
    /// What to print: the token; XOAUTH2's line for a mail server; or JSON with all that is known of the token
    #[arg(long, value_name = "token|xoauth2|json", default_value = "token", hide_possible_values = true)]
    format: Format,
    /// With --format xoauth2: whose mailbox (else the profile's username, else who signed in)
    #[arg(long, value_name = "ADDRESS")]
    user: Option<String>,
    /// Ask Microsoft for a new token, even if one is kept in memory
    #[arg(long)]
    fresh: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Token,
    Xoauth2,
    Json,
}

/// Runs the command.
pub fn main() -> ExitCode {
    super::main(&generated!("refresh-token"), |arguments: &Arguments| &arguments.common, run)
}

fn run(Arguments { profile, format, user, fresh, common }: Arguments) -> Result<()> {
    if user.is_some() && format != Format::Xoauth2 {
        return Err(Error::new(ErrorKind::Usage, "--user is for --format xoauth2").hint("add that, or leave it out"));
    }
    let config = common.load_config()?;
    let session = Session::open(&config, &profile.profile)?;
    let access = match format {
        _ if fresh => session.fresh_access_token(),
        Format::Token => session.bare_access_token(),
        Format::Xoauth2 | Format::Json => session.access_token(),
    };
    let access = access.inspect_err(|error| {
        if error.kind() == ErrorKind::SignIn {
            sign_in_hook::run(
                &config,
                &profile.profile,
                session.owner().map(|owner| owner.account).as_ref(),
                &error.to_string(),
            );
        }
    })?;
    let stdout = Stdout::default();
    match format {
        Format::Token => stdout.print(access.token.secret()),
        Format::Xoauth2 => stdout.print(&xoauth2::initial_response(
            &xoauth2::user(user.as_deref(), session.profile(), access.account.as_ref())?,
            &access.token,
        )),
        Format::Json => stdout.print(&json(session.profile(), &access)?),
    }
}

/// The token with all that is known of it, on one line.
#[derive(Serialize)]
struct Json<'a> {
    profile: &'a str,
    access_token: &'a str,
    /// In seconds since 1970.
    expires_at: Option<u64>,
    scopes: Vec<&'a str>,
    account: Option<&'a Account>,
}

fn json(profile: &Profile, access: &Access) -> Result<String> {
    let json = Json {
        profile: profile.name.as_str(),
        access_token: access.token.secret(),
        expires_at: access.expires,
        scopes: access.scopes.iter().map(|scope| scope.as_str()).collect(),
        account: access.account.as_ref(),
    };
    serde_json::to_string(&json).map_err(|error| Error::new(ErrorKind::Defect, format!("cannot write JSON: {error}")))
}
