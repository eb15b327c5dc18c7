//! Notifies the person that a sign-in is needed, because nobody sees the stderr of a mail program on a timer: runs the
//! program in `on_sign_in_needed`, or shows a desktop notification.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

#[cfg(all(target_os = "linux", feature = "keychain"))]
use super::notification;
use crate::config::{Config, ProfileName};
use crate::config_flag;
use crate::error::Error;
use crate::paths::Paths;
use crate::private_fs;

/// How often a person is notified at most. A mail program tries every few minutes.
const INTERVAL: Duration = Duration::from_secs(60 * 60);
/// How often a certificate that expires soon is reported.
const CERTIFICATE_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

/// What the person is notified of.
pub(super) struct Alarm<'a> {
    pub(super) profile: &'a ProfileName,
    /// The account that must sign in; empty if it is not known.
    pub(super) account: String,
    pub(super) reason: String,
    /// What to do.
    pub(super) hint: String,
    /// What Microsoft's support asks for.
    pub(super) reference: String,
    /// The exit code that the person would see, or 0 if nothing has failed yet.
    pub(super) exit: u8,
}

impl<'a> Alarm<'a> {
    /// Returns the alarm for an error.
    pub(super) fn of(error: &Error, profile: &'a ProfileName, account: String) -> Self {
        Self {
            profile,
            account,
            reason: error.to_string(),
            hint: error.next_step().map(config_flag::repeat).unwrap_or_default(),
            reference: error.refusal().map(|refusal| refusal.ids()).unwrap_or_default(),
            exit: error.kind().exit_code(),
        }
    }

    /// Notifies the person, at most once an hour for each profile. A failure is a warning only, because the command
    /// reports an error of its own.
    pub(super) fn raise(&self, config: &Config) {
        let program = config.on_sign_in_needed(self.profile);
        if program.is_some_and(<[String]>::is_empty) {
            return;
        }
        let Ok(notified) = Paths::from_environment().map(|paths| paths.notified(self.profile)) else { return };
        // The time stamp first. Without it, the person would be notified each time that mail is fetched.
        match claim(&notified, INTERVAL) {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                // Without a program, the user did not configure notifications.
                let level = if program.is_some() { log::Level::Warn } else { log::Level::Info };
                let notified = notified.display();
                log::log!(level, "on_sign_in_needed: no notification was sent: cannot write {notified}: {error}");
                return;
            }
        }
        if !self.show(program) {
            _ = std::fs::remove_file(&notified); // try again the next time
        }
    }

    /// Warns of a certificate that expires soon, and notifies the person, at most once a day for each profile.
    pub(super) fn warn_of_certificate(&self, config: &Config) {
        let Ok(stamp) = Paths::from_environment().map(|paths| paths.certificate_warning(self.profile)) else { return };
        let claimed = claim(&stamp, CERTIFICATE_INTERVAL);
        if matches!(claimed, Ok(false)) {
            return;
        }
        log::warn!("{}", self.reason);
        // Without a stamp, the person would be notified each time that mail is fetched.
        let program = config.on_sign_in_needed(self.profile);
        if claimed.is_ok() && !program.is_some_and(<[String]>::is_empty) {
            self.show(program);
        }
    }

    /// Returns whether the person was notified.
    fn show(&self, program: Option<&[String]>) -> bool {
        match program {
            Some(program) => self.run(program),
            None => self.notify(),
        }
    }

    /// Starts the configured program and does not wait for it. Returns whether it was started.
    fn run(&self, program: &[String]) -> bool {
        let [program, arguments @ ..] = program else { return false };
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env("M365AUTH_PROFILE", self.profile.as_str())
            .env("M365AUTH_ACCOUNT", &self.account)
            .env("M365AUTH_REASON", &self.reason)
            .env("M365AUTH_HINT", &self.hint)
            .env("M365AUTH_REFERENCE", &self.reference)
            .env("M365AUTH_EXIT", self.exit.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null()) // our stdout carries the token
            .stderr(Stdio::null());
        // In a process group of its own, Ctrl-C or the end of our caller does not stop the program.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let started = command.spawn();
        started.inspect_err(|error| log::warn!("on_sign_in_needed: cannot run {program}: {error}")).is_ok()
    }

    /// Shows a notification if the desktop has a service for it. Returns whether it is shown.
    fn notify(&self) -> bool {
        #[cfg(all(target_os = "linux", feature = "keychain"))]
        {
            let summary = format!("Microsoft 365: action needed for the profile \"{}\"", self.profile);
            let mut text = format!("{}\n{}", self.reason, self.hint);
            if !self.reference.is_empty() {
                text += &format!("\nMicrosoft's reference: {}", self.reference);
            }
            let shown = notification::show(&summary, &text);
            shown.inspect_err(|why| log::info!("no desktop notification is shown: {why}")).is_ok()
        }
        #[cfg(not(all(target_os = "linux", feature = "keychain")))]
        false
    }
}

/// Sets the time of a stamp to now, unless it is within this interval. Returns whether it did: of the processes that
/// fail at the same time, only one notifies the person.
fn claim(stamp: &Path, interval: Duration) -> io::Result<bool> {
    stamp.parent().map_or(Ok(()), private_fs::create_folder)?;
    match private_fs::open_own(stamp, OpenOptions::new().write(true).create_new(true)) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        created => return created.map(|_| true),
    }
    let file = match private_fs::open_own(stamp, OpenOptions::new().write(true)) {
        // Another process has just removed it: its request succeeded, or its notification failed.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        opened => opened?,
    };
    _ = file.lock(); // a file system without locks costs a second notification at most
    if file.metadata()?.modified()?.elapsed().is_ok_and(|since| since < interval) {
        return Ok(false);
    }
    file.set_modified(SystemTime::now()).map(|()| true)
}
