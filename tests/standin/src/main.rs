//! The stand-in as a program, for tests that are not written in Rust and for use with a real browser.
#![allow(clippy::disallowed_macros, reason = "this program prints text on stdout")]

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use standin::{PUBLIC_CLIENT_ID, Setup, Standin};
use tokio::io::AsyncReadExt as _;

const USAGE: &str = "\
usage: standin [OPTION]...
Runs a stand-in for the Microsoft identity platform on loopback. Prints its settings, then `ready`,
and runs until standard input closes or it receives SIGTERM or SIGINT.

  --port N                      port to listen on (default: a free port)
  --directory DIR               folder for standin-ca.pem (default: a temporary folder)
  --issuer-origin URL           origin that tokens name, if clients reach the stand-in under another name
  --single-use                  refuse a refresh token after its rotation
  --without-pkce                do not require a code challenge
  --access-token-lifetime SECS  default: random, 3600 to 5400
  --refresh-in SECS             default: not in the response
  --device-code-interval SECS   default: 5
  --device-code-lifetime SECS   default: 900
";

fn main() -> Result<()> {
    let Some(setup) = setup(std::env::args().skip(1))? else {
        print!("{USAGE}");
        return Ok(());
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(setup))?;
    // Does not wait for the task that reads standard input, which may block forever.
    runtime.shutdown_background();
    Ok(())
}

async fn serve(setup: Setup) -> Result<()> {
    // Listen before printing `ready`: the program that reads it may send a signal at once.
    let signal = signal()?;
    let standin = Standin::start_with(setup);
    let mut stdout = std::io::stdout();
    writeln!(stdout, "authority={}", standin.authority())?;
    writeln!(stdout, "ca_file={}", standin.ca_file().display())?;
    writeln!(stdout, "client_id={PUBLIC_CLIENT_ID}")?;
    writeln!(stdout, "ready")?;
    stdout.flush()?;
    tokio::select! {
        () = input_closed() => {}
        () = signal => {}
    }
    Ok(())
}

/// Parses the arguments. Returns `None` if they ask for help.
fn setup(mut arguments: impl Iterator<Item = String>) -> Result<Option<Setup>> {
    let mut setup = Setup::default();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{argument} needs a value\n\n{USAGE}"));
        match argument.as_str() {
            "--port" => setup.port = value()?.parse().context("--port")?,
            "--directory" => setup.directory = Some(PathBuf::from(value()?)),
            "--issuer-origin" => setup.issuer_origin = Some(value()?),
            "--single-use" => setup.single_use_refresh_tokens = true,
            "--without-pkce" => setup.require_pkce = false,
            "--access-token-lifetime" => setup.access_token_lifetime = Some(seconds(&value()?)?),
            "--refresh-in" => setup.refresh_in = Some(seconds(&value()?)?.as_secs().into()),
            "--device-code-interval" => setup.device_code_interval = seconds(&value()?)?,
            "--device-code-lifetime" => setup.device_code_lifetime = seconds(&value()?)?,
            "--help" | "-h" => return Ok(None),
            other => bail!("unknown option {other}\n\n{USAGE}"),
        }
    }
    Ok(Some(setup))
}

fn seconds(text: &str) -> Result<Duration> {
    let seconds = text.parse().with_context(|| format!("{text} is not a number of seconds"))?;
    Ok(Duration::from_secs(seconds))
}

async fn input_closed() {
    let mut input = tokio::io::stdin();
    let mut ignored = [0; 1024];
    while input.read(&mut ignored).await.is_ok_and(|length| length > 0) {}
}

/// Listens from the time of the call, not from the first poll.
#[cfg(unix)]
fn signal() -> Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn signal() -> Result<impl Future<Output = ()>> {
    Ok(async {
        // An error means that Ctrl-C cannot be received.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    })
}
