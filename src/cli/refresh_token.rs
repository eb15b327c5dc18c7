//! `refresh-token`: prints an access token.

use std::env;
use std::ffi::OsString;
use std::mem::ManuallyDrop;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use log::{Level, log_enabled};
use serde::Serialize;

use super::alarm::Alarm;
use super::generate::generated;
use super::stdout::Stdout;
use super::{Common, DEFAULT_PROFILE, ProfileArgument};
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
/// mbsync's PassCmd, msmtp's passwordeval, and scripts run this command. On success, prints the token and one newline
/// on stdout. On failure, prints nothing on stdout and an error on stderr.
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
    let parse = || parse_usual(env::args_os().skip(1)).map_or_else(Arguments::try_parse, Ok);
    super::main(&generated!("refresh-token"), parse, |arguments| &arguments.common, run)
}

/// Returns the arguments of the usual command lines, `refresh-token` and `refresh-token --profile NAME`, and None for
/// all others. Nearly all calls are one of these, and building clap's parser would be a large part of their work if a
/// token is cached (docs/performance.md).
fn parse_usual(mut arguments: impl Iterator<Item = OsString>) -> Option<Arguments> {
    let profile = match (arguments.next(), arguments.next(), arguments.next()) {
        (None, ..) => DEFAULT_PROFILE.to_owned(),
        (Some(flag), Some(name), None) if flag == "--profile" || flag == "-p" => name.into_string().ok()?,
        _ => return None,
    };
    if profile.starts_with('-') {
        return None; // a flag to clap
    }
    Some(Arguments {
        profile: ProfileArgument { profile: profile.parse().ok()? },
        format: Format::Token,
        user: None,
        fresh: false,
        common: Common { config: None, verbose: false, generate: None },
    })
}

fn run(Arguments { profile, format, user, fresh, common }: Arguments) -> Result<()> {
    if let Some(user) = user.as_deref().filter(|_| format != Format::Xoauth2) {
        let (message, user) = (format!("--user {user} requires --format xoauth2"), for_shell(user));
        return Err(Error::new(ErrorKind::Usage, message)
            .hint(format!("run `refresh-token --format xoauth2 --user {user}`, or remove --user")));
    }
    // Not dropped: the end of the process releases memory, connections and threads faster.
    let config = ManuallyDrop::new(common.load_config()?);
    let session = ManuallyDrop::new(Session::open(&config, &profile.profile)?);
    // Only a warning: an update of this program must not break a profile that works. get-token and --check fail.
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
    let account = || {
        let owner = session.owner().map(|owner| owner.account.name);
        owner.or_else(|| session.profile().username.clone()).unwrap_or_default()
    };
    if let Some(error) = failure.filter(|error| error.needs_a_person()) {
        Alarm::of(error, &profile.profile, account()).raise(&config);
    }
    if handed_out.as_ref().is_ok_and(|handed_out| handed_out.is_new)
        && let Ok(Some(certificate)) = ClientCertificate::of(session.profile())
        && let Some(error) = certificate.expiring(session.profile())
    {
        Alarm { exit: 0, ..Alarm::of(&error, &profile.profile, account()) }.warn_of_certificate(&config);
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse_usual(line: &[&str]) -> Option<Arguments> {
        super::parse_usual(line.iter().map(OsString::from))
    }

    /// Returns everything that the arguments say, in a form that can be compared.
    fn describe(arguments: Arguments) -> String {
        let Arguments { profile, format, user, fresh, common } = arguments;
        let format = format.to_possible_value().map(|format| format.get_name().to_owned());
        let Common { config, verbose, generate } = common;
        let generates = generate.is_some();
        format!("{:?} {format:?} {user:?} {fresh} {config:?} {verbose} {generates}", profile.profile)
    }

    #[test]
    fn the_usual_command_lines_do_not_need_clap() {
        for line in [&[][..], &["--profile", "work"], &["-p", "at work"]] {
            assert!(parse_usual(line).is_some(), "{line:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5000))]

        #[test]
        fn clap_parses_the_usual_command_lines_to_the_same_arguments(
            line in prop::collection::vec("--profile|-p|--fresh|--help|--profile=a|-pa|[-.]{0,2}[ -~]{0,3}|.{0,3}", 0..4),
        ) {
            let line: Vec<&str> = line.iter().map(String::as_str).collect();
            if let Some(usual) = parse_usual(&line) {
                let parsed = Arguments::try_parse_from(["refresh-token"].iter().chain(&line));
                prop_assert_eq!(parsed.map(describe).map_err(|error| error.to_string()), Ok(describe(usual)));
            }
        }
    }
}
