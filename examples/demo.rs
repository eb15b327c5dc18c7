//! A demo on this machine, without a Microsoft account: sign in once, then get access tokens.
//!
//! ```text
//! cargo run --example demo                  # the demo signs in for you
//! cargo run --example demo -- --browser     # you sign in yourself, in a browser
//! ```
//!
//! The three commands run in a temporary home folder, against the stand-in for Microsoft that the tests use.
#![allow(clippy::disallowed_macros, reason = "it prints on stdout")]

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
        Some(other) => bail!("unknown option {other}; the only option is --browser"),
    };
    let programs = build_commands()?;
    let microsoft = Standin::start();
    let home = tempfile::Builder::new().prefix("m365auth-demo-").tempdir()?;
    let demo = Demo { programs, home: home.path().to_owned() };

    say("This demo runs M365-Auth with a stand-in for Microsoft on this machine.");
    say(&format!("All files are in {}, which is removed at the end.", home.path().display()));

    step("1. The configuration names your app registration (on its first run, get-token asks for it):");
    let configuration = configuration(&microsoft)?;
    demo.write_configuration(&configuration)?;
    print!("{}", indent(&configuration));

    step("2. You sign in once, in your browser:");
    demo.type_command("get-token", &[]);
    demo.sign_in(by_hand)?;

    step("3. From then on, mbsync, msmtp and scripts run refresh-token to get an access token:");
    let token = demo.run("refresh-token", &["--profile", "mail"])?;
    ensure!(microsoft.is_valid_access_token(&token), "the stand-in does not accept this access token");
    say("   The stand-in for Microsoft accepts it.");

    step("4. Programs that refresh tokens themselves, such as OfflineIMAP, can get the refresh token:");
    let token = demo.run("get-refresh-token", &["--profile", "mail"])?;
    ensure!(microsoft.is_valid_refresh_token(&token), "the stand-in does not accept this refresh token");

    step("5. The stand-in received these requests:");
    for request in microsoft.requests() {
        say(&format!("   {} {} -> {}", request.method, request.path, request.status));
    }
    say("\nDone. README.md describes the setup with Microsoft and your mail program.");
    Ok(())
}

struct Demo {
    programs: PathBuf,
    home: PathBuf,
}

impl Demo {
    /// Returns a command for the temporary home. Its environment does not contain your SSH session, proxies and
    /// configuration, and its own runtime folder keeps it away from your keychain.
    fn command(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.args(arguments).env_clear();
        // What a browser and the system's libraries need.
        for variable in ["PATH", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "SystemRoot", "TEMP", "TMP"] {
            command.envs(std::env::var_os(variable).map(|value| (variable, value)));
        }
        for variable in ["HOME", "LOCALAPPDATA", "XDG_RUNTIME_DIR"] {
            command.env(variable, &self.home);
        }
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

    /// Runs `get-token`, prints its output, and signs in unless the user does.
    fn sign_in(&self, by_hand: bool) -> Result<()> {
        let mut command = self.command("get-token", &["--browser", if by_hand { "always" } else { "never" }]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let lines = BufReader::new(child.stderr.take().context("stderr is piped")?).lines();
        if by_hand {
            say("   (Your browser warns about two certificates, the stand-in's and get-token's. Accept both.)");
        }
        for line in lines {
            let line = line?;
            say(&format!("   {line}"));
            if line.starts_with("https://") && !by_hand {
                say("\n   (The demo opens this URL and signs in as Ada.)");
                Browser::approve(&line, ADA, None)?;
            }
        }
        let token = printed(child)?;
        say(&format!("   On stdout: {}", shortened(&token)));
        Ok(())
    }

    /// Runs a command, prints its token shortened, and returns it.
    fn run(&self, name: &str, arguments: &[&str]) -> Result<String> {
        self.type_command(name, arguments);
        let child = self.command(name, arguments).stdout(Stdio::piped()).spawn()?;
        let token = printed(child)?;
        say(&format!("   {}", shortened(&token)));
        Ok(token)
    }
}

/// Returns what the child prints on stdout, if it succeeds.
fn printed(mut child: Child) -> Result<String> {
    let mut text = String::new();
    child.stdout.take().context("stdout is piped")?.read_to_string(&mut text)?;
    ensure!(child.wait()?.success(), "the command failed");
    Ok(text.trim_end().to_owned())
}

/// Builds the commands and returns their folder. Cargo builds an example and the library, but not the commands. The
/// example is among the arguments too, so that Cargo reuses the libraries that were built for the example.
fn build_commands() -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    say("Building the three commands...");
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--package", "m365auth", "--bins", "--example", "demo"]).current_dir(root);
    // What `cargo run` sets for this example would make build scripts, such as ring's, run again.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if ["CARGO_MANIFEST", "CARGO_PKG_"].iter().any(|prefix| name.starts_with(prefix)) {
            build.env_remove(&*name);
        }
    }
    ensure!(build.status()?.success(), "cargo build failed");
    let example = std::env::current_exe()?;
    let folder =
        example.parent().and_then(Path::parent).context("the example has no parent folder with the commands")?;
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

/// Returns the start of a token and its length.
fn shortened(token: &str) -> String {
    let start: String = token.chars().take(24).collect();
    format!("{start}... ({} characters)", token.len())
}
