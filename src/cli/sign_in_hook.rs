//! `on_sign_in_needed`: tell the person, who sees no stderr of a mail program on a timer.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::config::{Config, ProfileName};
use crate::entra::Account;
use crate::paths::Paths;
use crate::private_fs;

/// A mail program attempts every few minutes; a person wants to read it once.
const INTERVAL: Duration = Duration::from_secs(60 * 60);

/// Runs the person's program, if there is one, and does not wait for it. Nothing here is worth an error: the command has
/// its own.
pub(super) fn run(config: &Config, profile: &ProfileName, account: Option<&Account>, reason: &str) {
    let Some([program, arguments @ ..]) = config.on_sign_in_needed(profile) else { return };
    let Ok(notified) = Paths::from_environment().map(|paths| paths.notified(profile)) else { return };
    let since = notified.metadata().and_then(|metadata| metadata.modified()).ok().and_then(|time| time.elapsed().ok());
    if since.is_some_and(|since| since < INTERVAL) {
        return;
    }
    // First the stamp: where it cannot be kept, the program would run at every mail that is fetched.
    if let Err(error) = private_fs::write(&notified, b"") {
        log::warn!("on_sign_in_needed: not run, since {} cannot be written: {error}", notified.display());
        return;
    }
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("M365AUTH_PROFILE", profile.as_str())
        .env("M365AUTH_ACCOUNT", account.map_or("", |account| &account.name))
        .env("M365AUTH_REASON", reason)
        .stdin(Stdio::null())
        .stdout(Stdio::null()) // ours is the token's
        .stderr(Stdio::null());
    // The caller's Ctrl-C, or its end, is none of the program's.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    if let Err(error) = command.spawn() {
        log::warn!("on_sign_in_needed: cannot run {program}: {error}");
        _ = std::fs::remove_file(&notified); // say so the next time too
    }
}
