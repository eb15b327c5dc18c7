//! The flows of a sign-in, and what a person reads while they run.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use clap::{Args, ValueEnum};
use url::Url;

use super::stderr::{can_ask, print, print_text, progress, prompt};
use super::text::Text;
use crate::config::{Grant, Profile, ProfileName};
use crate::error::{Error, ErrorKind, Result};
use crate::sign_in::browser::BrowserSignIn;
use crate::sign_in::device::DeviceSignIn;
use crate::sign_in::paste::PasteSignIn;
use crate::sign_in::{DEFAULT_TIMEOUT, MAX_TIMEOUT, SignIn, SignInOutcome, broker, with_token};

/// The flags that choose a flow.
#[derive(Args)]
pub(super) struct FlowArguments {
    /// Wait for the browser even over SSH
    ///
    /// With `ssh -L 7598:localhost:7598 HOST`, the browser on your own machine can be redirected to the server.
    #[arg(long, conflicts_with = "device")]
    server: bool,
    /// Sign in with a code on any device
    ///
    /// Prints a URL to open in a browser and a code to enter there.
    #[arg(long)]
    device: bool,
    /// Store a refresh token from stdin
    ///
    /// Redeems the token once to verify it and to identify its account. Use this for a token from another program or
    /// another machine; it must have been issued to the same client ID.
    #[arg(long, conflicts_with_all = ["device", "server", "check", "status", "sign_out"])]
    pub(super) with_token: bool,
    /// Whether to open a browser
    ///
    /// auto opens one; over SSH, only with --server and a forwarded display. Over SSH without --server, no browser is
    /// opened, whatever the value.
    #[arg(long, value_name = "auto|always|never", default_value = "auto", hide_possible_values = true)]
    browser: OpenBrowser,
    /// Time limit in seconds
    ///
    /// A device code has its own time limit.
    #[arg(long, value_name = "SECONDS", default_value_t = DEFAULT_TIMEOUT, value_parser = seconds)]
    timeout: u64,
}

#[derive(Clone, Copy, ValueEnum)]
enum OpenBrowser {
    Auto,
    Always,
    Never,
}

/// Parses the value of `--timeout`.
fn seconds(text: &str) -> Result<u64, String> {
    text.parse()
        .ok()
        .filter(|seconds| (1..=MAX_TIMEOUT).contains(seconds))
        .ok_or_else(|| format!("must be a number of seconds from 1 to {MAX_TIMEOUT}"))
}

/// Signs in with a device code, with a browser that can reach this machine, or with one that cannot.
pub(super) fn run(arguments: &FlowArguments, sign_in: &SignIn<'_>) -> Result<SignInOutcome> {
    let timeout = Duration::from_secs(arguments.timeout);
    if sign_in.sessions[0].profile().grant == Grant::Broker {
        arguments.ensure_usable_with_broker(sign_in.sessions[0].profile())?;
        return broker::run(sign_in, timeout, &choose_account);
    }
    if arguments.with_token {
        return with_token::run(sign_in);
    }
    if arguments.device {
        return by_device_code(sign_in);
    }
    if is_ssh_session() && !arguments.server {
        return by_paste(PasteSignIn::begin(sign_in)?, timeout);
    }
    let waiting = match BrowserSignIn::begin(sign_in, arguments.server) {
        // Without descriptors or threads for a listener, the redirect URL can still be pasted.
        Err(error) if error.kind() == ErrorKind::TryLater && io::stdin().is_terminal() => {
            let Ok(waiting) = PasteSignIn::begin(sign_in) else { return Err(error) };
            log::warn!("{error}");
            return by_paste(waiting, timeout);
        }
        waiting => waiting?,
    };
    print_instructions(&waiting, &sign_in.first_session().profile().name);
    if arguments.browser.is_wanted() {
        waiting.open_browser();
    }
    waiting.finish(timeout)
}

impl FlowArguments {
    /// Fails if a flag chooses another flow than that of the identity broker.
    fn ensure_usable_with_broker(&self, profile: &Profile) -> Result<()> {
        let flags = [("--device", self.device), ("--server", self.server), ("--with-token", self.with_token)];
        let Some((flag, _)) = flags.into_iter().find(|(_, is_set)| *is_set) else { return Ok(()) };
        let name = &profile.name;
        let message = format!("{flag} cannot be used: the tokens of profile \"{name}\" come from the identity broker");
        Err(Error::new(ErrorKind::Usage, message).hint(format!(
            "run `get-token --profile {name:#}` without {flag}, or remove broker = true from {}",
            profile.file.display()
        )))
    }
}

/// Asks which of the identity broker's accounts to use.
fn choose_account(names: &[&str]) -> Option<String> {
    if !can_ask() {
        return None;
    }
    let list: String = names.iter().map(|name| format!("\n  {name}")).collect();
    print(&format!("Several accounts are signed in to the identity broker:{list}"));
    let answer = prompt("Account for this profile", names[0])?;
    names.iter().find(|name| name.to_lowercase() == answer.to_lowercase()).map(|name| (*name).to_owned())
}

fn by_paste(waiting: PasteSignIn<'_>, timeout: Duration) -> Result<SignInOutcome> {
    print("Open this URL in a browser on any machine, and sign in:\n");
    print_url(waiting.address());
    print(
        "Your browser then shows an error, because it is redirected to localhost and nothing listens there. Copy the full \
         URL from its address bar, paste it here, and press Enter.\n\
         Nothing is shown while you paste.\n",
    );
    waiting.finish(timeout)
}

fn by_device_code(sign_in: &SignIn<'_>) -> Result<SignInOutcome> {
    let waiting = DeviceSignIn::begin(sign_in)?;
    print("Open this URL in a browser on any device:\n");
    print(&format!("    {}\n", waiting.code().address()));
    print("Enter this code there, and sign in:\n");
    print(&format!("    {}\n", waiting.code().user_code()));
    let outcome = waiting.finish(|left| {
        let (minutes, seconds) = (left.as_secs() / 60, left.as_secs() % 60);
        progress(&format!("Waiting for you. The code expires in {minutes}:{seconds:02}."));
    });
    progress("");
    outcome
}

fn print_instructions(waiting: &BrowserSignIn<'_>, profile: &ProfileName) {
    print("Sign in with your browser. If it does not open, go to this URL:\n");
    print_url(waiting.address());
    if let Some(fingerprint) = waiting.fingerprint() {
        print(
            "The browser then warns about a self-signed certificate, which get-token created.\n\
             Continue if its SHA-256 fingerprint is:\n",
        );
        print(&format!("{}\n", two_lines(fingerprint)));
    }
    print(&match waiting.accepts_paste() {
        true => "If the page does not load, paste its URL here and press Enter.\n".to_owned(),
        false => {
            format!("If the page does not load, press Ctrl-C and run `get-token --device --profile {profile:#}`.\n")
        }
    });
}

/// Prints the URL of the sign-in page. It is longer than a line, so on a terminal it is a link.
fn print_url(url: &Url) {
    print_text(&Text::link(url.as_str()).append(Text::plain("")));
}

/// Splits a fingerprint of 95 characters into two lines, as browsers show it.
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
