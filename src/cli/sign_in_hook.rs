//! `on_sign_in_needed`: a program that notifies the person, who does not see the stderr of a mail program on a timer.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::config::{Config, ProfileName};
use crate::paths::Paths;
use crate::private_fs;

/// A mail program tries every few minutes, which would notify the person again and again.
const INTERVAL: Duration = Duration::from_secs(60 * 60);

/// Starts the configured program and does not wait for it. Failures are warnings only, because the command reports an
/// error of its own.
pub(super) fn run(config: &Config, profile: &ProfileName, account: &str, reason: &str) {
    let Some([program, arguments @ ..]) = config.on_sign_in_needed(profile) else { return };
    let Ok(notified) = Paths::from_environment().map(|paths| paths.notified(profile)) else { return };
    let since = notified.metadata().and_then(|metadata| metadata.modified()).ok().and_then(|time| time.elapsed().ok());
    if since.is_some_and(|since| since < INTERVAL) {
        return;
    }
    // Written first: without the time stamp, the program would run each time that mail is fetched.
    if let Err(error) = private_fs::write(&notified, b"") {
        log::warn!("on_sign_in_needed: did not run {program}: cannot write {}: {error}", notified.display());
        return;
    }
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("M365AUTH_PROFILE", profile.as_str())
        .env("M365AUTH_ACCOUNT", account)
        .env("M365AUTH_REASON", reason)
        .stdin(Stdio::null())
        .stdout(Stdio::null()) // our stdout carries the token
        .stderr(Stdio::null());
    // In a process group of its own, Ctrl-C or the end of our caller does not stop the program.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    if let Err(error) = command.spawn() {
        log::warn!("on_sign_in_needed: cannot run {program}: {error}");
        _ = std::fs::remove_file(&notified); // try again the next time
    }
}
