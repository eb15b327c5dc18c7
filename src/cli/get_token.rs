//! `get-token`: sign in.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use super::stderr::say;
use super::stdout::Stdout;
use super::{Common, ProfileArgument};
use crate::config;
use crate::error::{Error, ErrorKind, Result};
use crate::session::{Session, SignedIn};
use crate::sign_in::browser::BrowserSignIn;
use crate::store::write_private;

/// Sign in to Microsoft 365, and store the refresh token
///
/// Opens the browser at Microsoft's sign-in and waits for its return. The refresh token goes to the keychain; the
/// access token is printed, and `refresh-token` prints fresh ones from then on.
#[derive(Parser)]
#[command(name = "get-token", version)]
struct Arguments {
    #[command(flatten)]
    profile: ProfileArgument,
    /// Whether to open the browser (auto: not over SSH, unless a display is forwarded)
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    browser: OpenBrowser,
    /// How long to wait for the browser's return
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = clap::value_parser!(u64).range(1..))]
    timeout: u64,
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
    super::main(|arguments: &Arguments| &arguments.common, run)
}

fn run(arguments: Arguments) -> Result<()> {
    let stdout = Stdout::keep_from_children()?;
    let file = arguments.common.configuration_file()?;
    if !file.exists() {
        return Err(write_example(&file));
    }
    let config = arguments.common.load_config()?;
    let session = Session::open(&config, &arguments.profile.profile)?;

    let sign_in = BrowserSignIn::begin(&session)?;
    invite(&sign_in);
    if arguments.browser.is_wanted() {
        sign_in.open_browser();
    }
    let signed_in = sign_in.finish(Duration::from_secs(arguments.timeout))?;
    report(&session, &signed_in);
    stdout.print(signed_in.access_token.secret())
}

/// The first run: a configuration to fill in.
fn write_example(file: &Path) -> Error {
    match write_private(file, config::EXAMPLE.as_bytes()) {
        Ok(()) => Error::new(ErrorKind::Configuration, "there was no configuration yet; now there is one to fill in")
            .hint(format!(
                "put your client ID into {}, as client_id = \"…\", then run `get-token` again; \
                 the README's \"Quick start\" says how to get one",
                file.display()
            )),
        Err(error) => Error::new(ErrorKind::Storage, format!("cannot write {}: {error}", file.display()))
            .hint("name another file with --config"),
    }
}

fn invite(sign_in: &BrowserSignIn<'_>) {
    say("Sign in with your browser. If it does not open, go to this address:\n");
    say(&format!("{}\n", sign_in.address()));
    if let Some(fingerprint) = sign_in.fingerprint() {
        say("The browser then comes back to this machine and warns of the certificate.\n\
             You may go on if its SHA-256 fingerprint is this one:\n");
        say(&format!("{}\n", two_lines(fingerprint)));
    }
}

fn report(session: &Session, signed_in: &SignedIn) {
    let account = signed_in.account.as_ref().map_or("an account without a name", |account| &account.name);
    say(&format!("Signed in as {account}, profile \"{}\".", session.profile().name));
    say(&format!("The refresh token is in {}.", signed_in.place));
    if signed_in.in_file {
        say("It is not encrypted there; only you can read the file.");
    }
}

/// A fingerprint is 95 characters; browsers show it on two lines as well.
fn two_lines(fingerprint: &str) -> String {
    let (first, second) = fingerprint.split_at(fingerprint.len() / 2 + 1);
    format!("  {first}\n  {second}")
}

impl OpenBrowser {
    fn is_wanted(self) -> bool {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => {
                let over_ssh = ["SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"].into_iter().any(is_set);
                !over_ssh || ["DISPLAY", "WAYLAND_DISPLAY"].into_iter().any(is_set)
            }
        }
    }
}
