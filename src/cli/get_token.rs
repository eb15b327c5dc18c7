//! `get-token`: sign in.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use super::generate::generated;
use super::stderr::{confirm, confirm_by_default, print, progress, with_hint};
use super::stdout::Stdout;
use super::{Common, check, first_run, sign_out, status};
use crate::config::{Config, ProfileName};
use crate::error::{Error, ErrorKind, Result};
use crate::private_fs;
use crate::session::Session;
use crate::sign_in::browser::BrowserSignIn;
use crate::sign_in::device::DeviceSignIn;
use crate::sign_in::paste::PasteSignIn;
use crate::sign_in::{SignIn, SignInOutcome};

const EXAMPLES: &str = "\
Examples:
  get-token --profile mail --profile calendar
      Sign in once, for mail and calendar
  get-token --server
      Sign in on a machine that you reach by `ssh -L 7598:localhost:7598`
  get-token --check
      Look whether mail programs can work
  get-token --status --json
      Tell a program what is stored";

/// Sign in to Microsoft 365, and store the refresh token
///
/// Opens the browser at Microsoft's sign-in and waits for its return; over SSH, shows the address and takes the one that
/// the browser comes to. The refresh token goes to the keychain; the access token is printed, and `refresh-token` prints
/// fresh ones from then on.
#[derive(Parser)]
#[command(name = "get-token", version, after_long_help = EXAMPLES)]
pub(super) struct Arguments {
    /// What the token is for: a profile of the configuration, "mail" if none is named; several for one sign-in that
    /// serves them all
    #[arg(short, long = "profile", value_name = "NAME")]
    profiles: Vec<ProfileName>,
    /// Wait for the browser even over SSH, as with `ssh -L 7598:localhost:7598`
    #[arg(long, conflicts_with = "device")]
    server: bool,
    /// Sign in with a code, in a browser on any device
    #[arg(long)]
    device: bool,
    /// Whether to open the browser (auto: not over SSH, unless a display is forwarded); over SSH with --server only
    #[arg(long, value_name = "auto|always|never", default_value = "auto", hide_possible_values = true)]
    browser: OpenBrowser,
    /// How long to wait for the browser's return
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: u64,
    /// Look whether everything works, from the configuration to the mail servers, instead of signing in
    #[arg(long, group = "instead", conflicts_with_all = ["device", "server"])]
    check: bool,
    /// Show what is stored and for how long it is good, of all profiles if none is named; no network
    #[arg(long, group = "instead", conflicts_with_all = ["device", "server"])]
    status: bool,
    /// With --status: as JSON
    #[arg(long, requires = "status")]
    json: bool,
    /// Forget the stored token
    #[arg(long, group = "instead", conflicts_with_all = ["device", "server"])]
    sign_out: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(Clone, Copy, ValueEnum)]
enum OpenBrowser {
    Auto,
    Always,
    Never,
}

/// Runs the command.
pub fn main() -> ExitCode {
    super::main(&generated!("get-token"), |arguments: &Arguments| &arguments.common, run)
}

fn run(arguments: Arguments) -> Result<()> {
    let stdout = Stdout::keep_from_children()?;
    let file = arguments.common.configuration_file()?;
    let signs_in = !(arguments.check || arguments.status || arguments.sign_out);
    if signs_in && !private_fs::exists(&file) {
        first_run::run(&file)?;
    }
    let config = arguments.common.load_config()?;
    if arguments.status {
        return stdout.print(&status::text(&config, &arguments.profiles, arguments.json)?);
    }
    let mail: ProfileName = "mail".parse()?;
    let profiles = if arguments.profiles.is_empty() { &[mail] } else { arguments.profiles.as_slice() };
    if arguments.check {
        return profiles.iter().map(|profile| check::run(&config, profile)).fold(Ok(()), Result::and);
    }
    if arguments.sign_out {
        return profiles.iter().map(|profile| sign_out::run(&config, profile)).fold(Ok(()), Result::and);
    }
    let sessions = sessions(&config, profiles)?;
    // Nobody signs in for nothing.
    sessions.iter().try_for_each(Session::ensure_storable)?;
    let sign_in = SignIn { sessions: &sessions, confirm: &confirm, retry_save: &retry_save };
    let outcome = run_flow(&arguments, &sign_in)?;
    print_summary(&sessions[0], &outcome);
    stdout.print(outcome.first.access.token.secret())
}

/// The profiles, each once. One sign-in serves those of one client and one authority.
fn sessions(config: &Config, profiles: &[ProfileName]) -> Result<Vec<Session>> {
    let mut sessions: Vec<Session> = Vec::new();
    for name in profiles {
        let session = Session::open(config, name)?;
        if let Some(first) = sessions.first().map(Session::profile) {
            let own = session.profile();
            if (&first.client_id, &first.authority) != (&own.client_id, &own.authority) {
                return Err(Error::new(
                    ErrorKind::Usage,
                    format!("\"{}\" and \"{name}\" have different clients or authorities", first.name),
                )
                .hint("sign in for each: `get-token --profile` with one name at a time"));
            }
        }
        if sessions.iter().all(|other| other.profile().name != *name) {
            sessions.push(session);
        }
    }
    Ok(sessions)
}

/// With a code, with a browser that comes back to this machine, or with one that cannot.
fn run_flow(arguments: &Arguments, sign_in: &SignIn<'_>) -> Result<SignInOutcome> {
    let timeout = Duration::from_secs(arguments.timeout);
    if arguments.device {
        return by_device_code(sign_in);
    }
    if is_ssh_session() && !arguments.server {
        let waiting = PasteSignIn::begin(sign_in);
        print("Sign in with a browser on any machine. Go to this address:\n");
        print(&format!("{}\n", waiting.address()));
        print(
            "After the sign-in the browser shows an error: it goes to a page on localhost,\n\
             where nobody answers. Copy the whole address of that page, paste it here, and\n\
             press Enter. Nothing is shown while you paste.\n",
        );
        return waiting.finish(timeout);
    }
    let waiting = BrowserSignIn::begin(sign_in)?;
    print_instructions(&waiting);
    if arguments.browser.is_wanted() {
        waiting.open_browser();
    }
    waiting.finish(timeout)
}

fn by_device_code(sign_in: &SignIn<'_>) -> Result<SignInOutcome> {
    let waiting = DeviceSignIn::begin(sign_in)?;
    print("On any device with a browser, go to\n");
    print(&format!("    {}\n", waiting.code().address()));
    print("and enter this code there:\n");
    print(&format!("    {}\n", waiting.code().user_code()));
    let outcome = waiting.finish(|left| {
        let (minutes, seconds) = (left.as_secs() / 60, left.as_secs() % 60);
        progress(&format!("Waiting for you; the code is good for {minutes}:{seconds:02}."));
    });
    progress("");
    outcome
}

fn print_instructions(waiting: &BrowserSignIn<'_>) {
    print("Sign in with your browser. If it does not open, go to this address:\n");
    print(&format!("{}\n", waiting.address()));
    if let Some(fingerprint) = waiting.fingerprint() {
        print(
            "The browser then comes back to this machine and warns of the certificate.\n\
             You may go on if its SHA-256 fingerprint is this one:\n",
        );
        print(&format!("{}\n", two_lines(fingerprint)));
    }
    print(match waiting.accepts_paste() {
        true => "If it cannot come back, paste the address here that it went to, and press Enter.\n",
        false => "If it cannot come back, press Ctrl-C, and try `get-token --device`.\n",
    });
}

fn print_summary(lead: &Session, outcome: &SignInOutcome) {
    let first = &outcome.first;
    let account = first.access.account.as_ref().map_or("an account without a name", |account| &account.name);
    print(&format!("Signed in as {account}, profile \"{}\".", lead.profile().name));
    print(&format!("The refresh token is in {}.", first.location));
    if first.in_file {
        print("It is not encrypted there; only you can read the file.");
    }
    for (name, served) in &outcome.others {
        match served {
            Ok(signed_in) => print(&format!("The one of the profile \"{name}\" is in {}.", signed_in.location)),
            Err(error) => {
                print(&format!("warning: the profile \"{name}\" got no token: {}", with_hint(error)));
            }
        }
    }
}

/// The token is in the memory of this process alone: to end now would lose the sign-in.
fn retry_save(error: &Error) -> bool {
    confirm_by_default(&format!("The refresh token is not stored yet: {}\nTry again?", with_hint(error)))
}

/// A fingerprint is 95 characters; browsers show it on two lines as well.
fn two_lines(fingerprint: &str) -> String {
    let (first, second) = fingerprint.split_at(fingerprint.len() / 2 + 1);
    format!("  {first}\n  {second}")
}

impl OpenBrowser {
    fn is_wanted(self) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => !is_ssh_session() || any_is_set(&["DISPLAY", "WAYLAND_DISPLAY"]),
        }
    }
}

fn is_ssh_session() -> bool {
    any_is_set(&["SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"])
}

fn any_is_set(variables: &[&str]) -> bool {
    variables.iter().any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}
