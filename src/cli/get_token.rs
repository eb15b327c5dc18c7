//! `get-token`: signs a person in.

use std::process::ExitCode;

use clap::Parser;

use super::first_run::FirstRun;
use super::generate::generated;
use super::imported::Existing;
use super::sign_in_flow::{self, FlowArguments};
use super::stderr::{confirm, confirm_by_default, print_text};
use super::stdout::Stdout;
use super::summary::print_summary;
use super::text::{Label, Text};
use super::{Common, DEFAULT_PROFILE, as_cron, check, each, first_run, imported, new_profile, sign_out, status};
use crate::check::preflight;
use crate::config::{Config, Grant, Profile, ProfileName};
use crate::error::{Error, ErrorKind, Result};
use crate::private_fs;
use crate::session::Session;
use crate::sign_in::SignIn;
#[cfg(unix)]
use crate::signals;

const EXAMPLES: &str = "\
Examples:
  get-token --profile mail --profile calendar
      Sign in once for mail and calendar
  get-token --server
      Sign in on a server that you reach with `ssh -L 7598:localhost:7598 HOST`
  get-token --check
      Find out why a mail program does not get mail
  get-token --status --json
      Show what is stored, for a script";

/// Signs you in to Microsoft 365 through your browser and stores a refresh token
///
/// Opens Microsoft's sign-in page in your browser and waits until the browser is redirected to this machine. Over SSH,
/// prints the URL of the sign-in page and asks you to paste the URL that your browser was redirected to.
///
/// Stores the refresh token in the system's keychain and prints an access token on stdout. From then on,
/// `refresh-token` prints new access tokens without a sign-in.
#[derive(Parser)]
#[command(name = "get-token", version, after_long_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Profile to use [default: mail]
    ///
    /// May be repeated: profiles with the same client ID and authority share one sign-in.
    #[arg(short, long = "profile", value_name = "NAME")]
    profiles: Vec<ProfileName>,
    #[command(flatten)]
    flow: FlowArguments,
    /// Test the whole setup instead of signing in
    ///
    /// Tests everything from the configuration to the mail servers. Sends no mail, and changes nothing except the
    /// tokens, which it renews as each refresh does. The last line on stdout is the verdict. If several checks fail,
    /// the exit code is the first of 78, 77, 76, 74, 69 and 75 that applies.
    #[arg(long, groups = ["instead", "report"], conflicts_with_all = ["device", "server"])]
    check: bool,
    /// Test in the environment that cron sets
    ///
    /// cron sets HOME, LOGNAME, SHELL and PATH only. Shows which lines the crontab needs.
    #[arg(long, requires = "check")]
    as_cron: bool,
    /// Show what is stored and when it expires
    ///
    /// Shows whether you must act, the account, where the token is stored, and in how many days it expires if it is
    /// not used. Shows all profiles unless --profile is given. Does not use the network, except through the identity
    /// broker.
    #[arg(long, groups = ["instead", "report"], conflicts_with_all = ["device", "server"])]
    status: bool,
    /// Print --check or --status as JSON
    #[arg(long, requires = "report")]
    json: bool,
    /// Remove the stored token
    ///
    /// Removes it from the keychain, the file or your own program. Microsoft is not notified: your sessions there stay
    /// open.
    #[arg(long, group = "instead", conflicts_with_all = ["device", "server"])]
    sign_out: bool,
    #[command(flatten)]
    common: Common,
}

/// Runs the command.
pub fn main() -> ExitCode {
    super::main(&generated!("get-token"), Arguments::try_parse, |arguments| &arguments.common, run)
}

fn run(arguments: Arguments) -> Result<ExitCode> {
    let stdout = Stdout::reserve()?;
    if arguments.as_cron {
        return as_cron::run(&stdout, arguments.json);
    }
    let file = arguments.common.configuration_file()?;
    let signs_in = !(arguments.check || arguments.status || arguments.sign_out);
    let first_run = if signs_in && !private_fs::exists(&file) { Some(first_run::run(&file)?) } else { None };
    let mut config = arguments.common.load_config()?;
    if arguments.status {
        return status::print(stdout, &config, &arguments.profiles, arguments.json);
    }
    if let Err(error) = config.ensure_distinct_files() {
        log::warn!("{error}; {}", error.next_step().unwrap_or_default());
    }
    let mail: ProfileName = DEFAULT_PROFILE.parse()?;
    let profiles = if arguments.profiles.is_empty() { &[mail] } else { arguments.profiles.as_slice() };
    if arguments.check {
        return check::run(stdout, &config, profiles, arguments.json);
    }
    if arguments.sign_out {
        let results = profiles.iter().map(|profile| (profile, sign_out::run(&config, profile)));
        return each::collect(results).map(|_| ExitCode::SUCCESS);
    }
    if first_run == Some(FirstRun::Imported) && !arguments.flow.with_token {
        let existing = imported::refresh_stored(&config)?;
        if existing.suffices_for(&arguments.profiles) {
            return finish_import(stdout, &existing, &profiles[0]);
        }
    }
    config = new_profile::add_unknown(config, profiles)?;
    let sessions = sessions(&config, profiles)?;
    if sessions[0].profile().grant == Grant::ClientCredentials {
        return without_sign_in(stdout, &sessions, arguments.flow.with_token);
    }
    // Checked before the sign-in, because a token that cannot be stored would be lost.
    if sessions[0].profile().grant == Grant::RefreshToken {
        each::collect(sessions.iter().map(|session| (&session.profile().name, session.ensure_storable())))?;
        sessions.iter().for_each(|session| warn_of_shared_programs(&config, session, profiles));
        if !arguments.flow.with_token {
            preflight::run(&sessions[0])?; // redeeming a token from stdin reports the same problems
        }
    }
    // stdin is a pipe with --with-token, so nobody can be asked.
    let confirm: &dyn Fn(&str, &str) -> bool = if arguments.flow.with_token { &|_, _| false } else { &confirm };
    let sign_in = SignIn { sessions: &sessions, confirm, retry_save: &retry_save };
    let outcome = sign_in_flow::run(&arguments.flow, &sign_in)
        .inspect_err(|error| sessions[0].remember_refused_sign_in(error))?;
    // The token first, so that the summary is the last thing on the screen.
    let printed = match &outcome.first {
        Ok(first) => print_token(stdout, first.access.token.secret()),
        Err(_) => Ok(()),
    };
    print_summary(&sessions, &outcome);
    let is_one_of_several = !outcome.others.is_empty();
    let name = |error| if is_one_of_several { each::name(&sessions[0].profile().name, error) } else { error };
    outcome.first.map_err(name)?;
    printed.map(|()| ExitCode::SUCCESS)
}

/// Prints a token of an application, for which nobody signs in.
fn without_sign_in(stdout: Stdout, sessions: &[Session], with_token: bool) -> Result<ExitCode> {
    let name = &sessions[0].profile().name;
    let reason =
        format!("the grant of the profile \"{name}\" is client_credentials: the application requests its own tokens");
    if with_token {
        return Err(Error::new(ErrorKind::Usage, format!("{reason}, so no refresh token is stored"))
            .hint(format!("run `refresh-token --profile {name:#}`")));
    }
    let access = sessions[0].access_token()?;
    print_text(&Text::with_label(Label::Note, &format!("no sign-in is needed; {reason}")));
    print_token(stdout, access.token.secret()).map(|()| ExitCode::SUCCESS)
}

/// Prints the access token of an imported sign-in, if that profile has one, and says that it works.
fn finish_import(stdout: Stdout, existing: &Existing, profile: &ProfileName) -> Result<ExitCode> {
    let printed = existing.access(profile).map_or(Ok(()), |access| print_token(stdout, access.token.secret()));
    existing.print_summary();
    printed.map(|()| ExitCode::SUCCESS)
}

/// Prints the access token. On a terminal, says what it is.
fn print_token(stdout: Stdout, token: &str) -> Result<()> {
    if stdout.is_terminal() {
        let note = "this is an access token, valid for about an hour; scripts get one from `refresh-token`";
        print_text(&Text::with_label(Label::Note, note));
    }
    stdout.print(token)
}

/// Warns of another profile in use that stores its token with the same programs in the same place.
fn warn_of_shared_programs(config: &Config, session: &Session, named: &[ProfileName]) {
    let name = &session.profile().name;
    let is_used = |other: &ProfileName| named.contains(other) || session.paths().records(other).exists();
    if let Some(other) = config.profiles_with_the_same_programs(name).into_iter().find(is_used) {
        log::warn!(
            "the profiles \"{name}\" and \"{other}\" have the same store programs, so they share one token; \
             put {{profile}} into the arguments of load, save and delete"
        );
    }
}

/// Opens each profile once. One sign-in can serve profiles that have the same client ID and the same authority.
fn sessions(config: &Config, profiles: &[ProfileName]) -> Result<Vec<Session>> {
    let unique = profiles.iter().enumerate().filter(|(index, name)| !profiles[..*index].contains(name));
    let sessions = each::collect(unique.map(|(_, name)| (name, Session::open(config, name))))?;
    each::collect(
        sessions.iter().map(|session| (&session.profile().name, config.ensure_plausible(session.profile()))),
    )?;
    for session in &sessions[1..] {
        ensure_one_sign_in(sessions[0].profile(), session.profile())?;
    }
    Ok(sessions)
}

fn ensure_one_sign_in(first: &Profile, other: &Profile) -> Result<()> {
    let (what, values) = if first.client_id != other.client_id {
        ("client IDs", [first.client_id.to_string(), other.client_id.to_string()])
    } else if first.authority != other.authority {
        ("authorities", [first.authority.to_string(), other.authority.to_string()])
    } else if first.grant == Grant::ClientCredentials && other.grant == first.grant {
        let message = format!(
            "the profiles \"{}\" and \"{}\" do not need a sign-in: their application requests its own tokens",
            first.name, other.name
        );
        return Err(Error::new(ErrorKind::Usage, message).hint(format!(
            "run `refresh-token --profile {:#}`, then `refresh-token --profile {:#}`",
            first.name, other.name
        )));
    } else if first.grant != other.grant {
        ("grants", [first.grant.to_string(), other.grant.to_string()])
    } else {
        return Ok(());
    };
    let message = format!(
        "one sign-in cannot serve the profiles \"{}\" and \"{}\": their {what} differ ({})",
        first.name,
        other.name,
        values.join(" and ")
    );
    Err(Error::new(ErrorKind::Usage, message)
        .hint(format!("run `get-token --profile {:#}`, then `get-token --profile {:#}`", first.name, other.name)))
}

/// Asks whether to try a failed save again. Only this process has the token, so Ctrl-C does not end it.
fn retry_save(error: &Error) -> bool {
    let explanation = Text::failure(Label::Warning, "the refresh token is not stored yet: ", error);
    let is_wanted = confirm_by_default(&explanation, "Try again?");
    #[cfg(unix)]
    signals::discard_keyboard_interrupt();
    is_wanted
}
