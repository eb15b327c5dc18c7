//! `refresh-token`: prints an access token.

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use log::{Level, log_enabled};
use serde::Serialize;

use super::alarm::Alarm;
use super::generate::generated;
use super::stdout::Stdout;
use super::{Common, ProfileArgument};
use crate::config::Profile;
use crate::entra::{Access, Account, ClientCertificate};
use crate::error::{Error, ErrorKind, Result};
use crate::sanitize::for_shell;
use crate::session::{HandedOut, Session};
use crate::xoauth2;

const EXAMPLES: &str = "\
Examples:
  refresh-token --profile mail
      Print a token for mbsync's PassCmd or msmtp's passwordeval
  refresh-token --format xoauth2 --user team@example.com
      Print what a mail server expects, for a shared mailbox
  refresh-token --profile calendar --format json
      Print the token and when it expires, for a script";

/// Prints an access token for mail and calendar programs
///
/// mbsync's PassCmd, msmtp's passwordeval, and scripts run this command. On success, prints the token and one newline on stdout. On
/// failure, prints nothing on stdout and an error on stderr.
#[derive(Parser)]
#[command(name = "refresh-token", version, after_long_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    profile: ProfileArgument,
    /// Output format
    ///
    /// token: the access token. xoauth2: the SASL XOAUTH2 response that a mail server expects. json: access_token,
    /// expires_at (seconds since 1970), scopes, account and profile.
    #[arg(long, value_name = "token|xoauth2|json", default_value = "token", hide_possible_values = true)]
    format: Format,
    /// Mailbox for --format xoauth2
    ///
    /// The default is the profile's username, or else the account that signed in.
    #[arg(long, value_name = "ADDRESS")]
    user: Option<String>,
    /// Ignore the cached token
    ///
    /// Requests a new token from Microsoft even if the cached one is valid.
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
    if let Some(user) = user.as_deref().filter(|_| format != Format::Xoauth2) {
        let (message, user) = (format!("--user {user} requires --format xoauth2"), for_shell(user));
        return Err(Error::new(ErrorKind::Usage, message)
            .hint(format!("run `refresh-token --format xoauth2 --user {user}`, or remove --user")));
    }
    let config = common.load_config()?;
    let session = Session::open(&config, &profile.profile)?;
    // An update must not stop what works: get-token and --check report it as an error.
    if log_enabled!(Level::Info)
        && let Err(error) = config.ensure_plausible(session.profile())
    {
        log::warn!("{error}");
    }
    let handed_out = match fresh {
        true => session.fresh_access_token().map(HandedOut::from),
        false => session.hand_out(),
    };
    let failure = handed_out.as_ref().map_or_else(Some, |handed_out| handed_out.needs_a_person.as_ref());
    if let Some(error) = failure.filter(|error| error.needs_a_person()) {
        let owner = session.owner().map(|owner| owner.account.name);
        let account = owner.or_else(|| session.profile().username.clone()).unwrap_or_default();
        Alarm::of(error, &profile.profile, account).raise(&config);
    }
    if handed_out.as_ref().is_ok_and(|handed_out| handed_out.is_new)
        && let Ok(Some(certificate)) = ClientCertificate::of(session.profile())
        && let Some(error) = certificate.expiring(session.profile())
    {
        Alarm::warn_of_certificate(&error, &profile.profile, &config);
    }
    let access = match format {
        Format::Token => handed_out?.access,
        Format::Xoauth2 | Format::Json => session.with_account(handed_out?.access),
    };
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

/// What `--format json` prints, on one line.
#[derive(Serialize)]
struct Json<'a> {
    profile: &'a str,
    access_token: &'a str,
    /// Seconds since 1970.
    expires_at: Option<u64>,
    scopes: Vec<&'a str>,
    account: Option<&'a Account>,
}

fn json(profile: &Profile, access: &Access) -> Result<String> {
    let json = Json {
        profile: profile.name.as_str(),
        access_token: access.token.secret(),
        expires_at: access.lifetime.map(|lifetime| lifetime.expires),
        scopes: access.scopes.iter().map(|scope| scope.as_str()).collect(),
        account: access.account.as_ref(),
    };
    serde_json::to_string(&json).map_err(|error| Error::new(ErrorKind::Defect, format!("cannot write JSON: {error}")))
}
