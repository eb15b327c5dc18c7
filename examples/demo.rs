//! The whole main job on this machine, without a Microsoft account: sign in once, then hand out fresh tokens.
//!
//! ```text
//! cargo run --example demo                  # the demo presses the buttons in the browser
//! cargo run --example demo -- --browser     # you press them, in yours
//! ```
//!
//! The three real commands run in a temporary home, against the stand-in for Microsoft that the tests use.
#![allow(clippy::disallowed_macros, reason = "it narrates on stdout")]

use std::fs;
use std::io::{BufRead, BufReader, Read as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use standin::{ADA, Browser, PUBLIC_CLIENT_ID, Standin};

fn main() -> Result<()> {
    let by_hand = match std::env::args().nth(1).as_deref() {
        None => false,
        Some("--browser") => true,
        Some(other) => bail!("{other} is not known; the demo takes --browser or nothing"),
    };
    let programs = build_commands()?;
    let microsoft = Standin::start();
    let home = tempfile::Builder::new().prefix("m365auth-demo-").tempdir()?;
    let demo = Demo { programs, home: home.path().to_owned() };

    say("This is M365-Auth, against a stand-in for Microsoft on this machine.");
    say(&format!("Everything happens in {}, which is removed at the end.", home.path().display()));

    step("1. The configuration says who you are to Microsoft (the first run writes one to fill in):");
    let configuration = configuration(&microsoft)?;
    demo.write_configuration(&configuration)?;
    print!("{}", indent(&configuration));

    step("2. You sign in once, in the browser:");
    demo.type_command("get-token", &[]);
    demo.sign_in(by_hand)?;

    step("3. From then on mbsync, msmtp and scripts ask for an access token:");
    let token = demo.ask("refresh-token", &["--profile", "mail"])?;
    ensure!(microsoft.is_valid_access_token(&token), "the stand-in does not know this token");
    say("   The stand-in for Microsoft issued it, and takes it.");

    step("4. OfflineIMAP, which refreshes by itself, asks for the refresh token:");
    let token = demo.ask("get-refresh-token", &["--profile", "mail"])?;
    ensure!(microsoft.is_valid_refresh_token(&token), "the stand-in does not know this token");

    step("5. What the stand-in was asked in all that:");
    for request in microsoft.requests() {
        say(&format!("   {} {} -> {}", request.method, request.path, request.status));
    }
    say("\nThat is all. README.md says how to do it with Microsoft and your mail program.");
    Ok(())
}

struct Demo {
    programs: PathBuf,
    home: PathBuf,
}

impl Demo {
    /// A command in the temporary home, and in no desktop: its keychain would be yours.
    fn command(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.args(arguments).env_remove("M365AUTH_CONFIG").env("HOME", &self.home);
        for variable in ["XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR", "HTTPS_PROXY", "ALL_PROXY"] {
            command.env_remove(variable);
        }
        command.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent");
        command.env("LOCALAPPDATA", &self.home);
        command
    }

    fn write_configuration(&self, text: &str) -> Result<()> {
        let folder = match () {
            () if cfg!(windows) => self.home.join("m365auth/m365auth"),
            () if cfg!(target_os = "macos") => self.home.join("Library/Application Support/m365auth"),
            () => self.home.join(".config/m365auth"),
        };
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("config.toml"), text)?;
        Ok(())
    }

    fn type_command(&self, name: &str, arguments: &[&str]) {
        say(&format!("   $ {}", [&[name], arguments].concat().join(" ")));
    }

    /// Runs `get-token`, shows its words, and plays the browser where the person does not.
    fn sign_in(&self, by_hand: bool) -> Result<()> {
        let mut command = self.command("get-token", &["--browser", if by_hand { "always" } else { "never" }]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let lines = BufReader::new(child.stderr.take().context("stderr is piped")?).lines();
        if by_hand {
            say("   (Your browser does not know the stand-in's certificate either: go on past both warnings.)");
        }
        for line in lines {
            let line = line?;
            say(&format!("   {line}"));
            if line.starts_with("https://") && !by_hand {
                say("\n   (The demo opens it, chooses Ada's account, and comes back.)");
                Browser::approve(&line, ADA, None)?;
            }
        }
        let token = printed(child)?;
        say(&format!("   On stdout: {}", shortened(&token)));
        Ok(())
    }

    /// Runs a command and shows the token that it printed, shortened.
    fn ask(&self, name: &str, arguments: &[&str]) -> Result<String> {
        self.type_command(name, arguments);
        let child = self.command(name, arguments).stdout(Stdio::piped()).spawn()?;
        let token = printed(child)?;
        say(&format!("   {}", shortened(&token)));
        Ok(token)
    }
}

/// What the child prints, if it ends well.
fn printed(mut child: Child) -> Result<String> {
    let mut text = String::new();
    child.stdout.take().context("stdout is piped")?.read_to_string(&mut text)?;
    ensure!(child.wait()?.success(), "the command failed");
    Ok(text.trim_end().to_owned())
}

/// Cargo builds an example and the library, but not the commands. Naming the example too keeps the libraries that are
/// built already.
fn build_commands() -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    say("Building the three commands...");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--bins", "--example", "demo"])
        .current_dir(root)
        .status()?;
    ensure!(built.success(), "cargo could not build the commands");
    let example = std::env::current_exe()?;
    let folder = example.parent().and_then(Path::parent).context("an example lies in a folder of the commands'")?;
    Ok(folder.to_owned())
}

fn configuration(microsoft: &Standin) -> Result<String> {
    let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
    Ok(format!(
        "client_id = '{PUBLIC_CLIENT_ID}'\nusername = '{ADA}'\nauthority = '{}'\nca_file = '{}'\n\
         redirect_uri = 'https://localhost:{port}/'\nstore = 'file'\n",
        microsoft.authority(),
        microsoft.ca_file().display(),
    ))
}

fn step(title: &str) {
    say(&format!("\n{title}"));
}

fn say(text: &str) {
    println!("{text}");
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("   {line}\n")).collect()
}

/// Nobody needs to see all of 2,000 characters.
fn shortened(token: &str) -> String {
    let start: String = token.chars().take(24).collect();
    format!("{start}... ({} characters)", token.len())
}
