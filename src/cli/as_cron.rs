//! `get-token --check --as-cron`: runs the check in the environment that cron sets (crontab(5)).

use std::env;
use std::process::{Command, ExitCode, Stdio};

use super::stdout::Stdout;
use super::text::{Label, Text};
use crate::error::{Error, ErrorKind, Result};
use crate::sanitize::for_terminal;

/// The variables of a login session on which the commands, or the programs that they run, depend.
const VARIABLES: [&str; 17] = [
    "ALL_PROXY",
    "all_proxy",
    "DBUS_SESSION_BUS_ADDRESS",
    "GNUPGHOME",
    "HTTPS_PROXY",
    "https_proxy",
    "M365AUTH_CONFIG",
    "M365AUTH_TRUST_CONFIG",
    "NO_PROXY",
    "no_proxy",
    "PASSWORD_STORE_DIR",
    "SASL_PATH",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
];
/// cron's default (crontab(5)).
const PATH: &str = "/usr/bin:/bin";

/// Runs the same command again, with cron's environment. Returns its exit code.
///
/// # Errors
///
/// The command cannot be started, or a signal ended it.
pub(super) fn run(stdout: &Stdout, json: bool) -> Result<ExitCode> {
    if cfg!(windows) {
        return Err(Error::new(ErrorKind::Usage, "--as-cron is not available on Windows, which has no cron")
            .hint("run `get-token --check` in the scheduled task itself"));
    }
    let lines = lines_of_crontab();
    if !json && !lines.is_empty() {
        let text = format!(
            "cron does not set these variables as your session does; add the lines that the job needs to the crontab:\n{lines}"
        );
        stdout.show(&Text::with_label(Label::Skipped, &text))?;
    }
    let cannot_run = |error: std::io::Error| {
        Error::new(ErrorKind::TryLater, format!("cannot run the check: {error}")).hint("run `get-token --check`")
    };
    let mut command = Command::new(env::current_exe().map_err(cannot_run)?);
    command.args(env::args_os().skip(1).filter(|argument| argument != "--as-cron")).env_clear();
    for (name, value) in [("HOME", env::var_os("HOME")), ("LOGNAME", env::var_os("LOGNAME").or(env::var_os("USER")))] {
        command.envs(value.map(|value| (name, value)));
    }
    // cron starts in the home folder, where a relative path may name another file.
    command.current_dir(env::var_os("HOME").unwrap_or_else(|| "/".into()));
    command.env("SHELL", "/bin/sh").env("PATH", PATH).stdin(Stdio::null()).stdout(stdout.for_child()?);
    let status = command.status().map_err(cannot_run)?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    code.map(ExitCode::from)
        .ok_or_else(|| Error::new(ErrorKind::TryLater, "a signal ended the check").hint("run the same command again"))
}

/// Returns the lines that give cron the variables of this session.
fn lines_of_crontab() -> String {
    let set = VARIABLES.iter().filter_map(|name| Some((*name, env::var(name).ok().filter(|value| !value.is_empty())?)));
    let mut lines: Vec<String> = set.filter(|(name, value)| !is_found(name, value)).map(line).collect();
    let folder = env::current_exe().ok().and_then(|program| Some(program.parent()?.display().to_string()));
    if let Some(folder) = folder.filter(|folder| !PATH.split(':').any(|other| other == folder)) {
        lines.push(format!("  PATH={folder}:{PATH}"));
    }
    lines.join("\n")
}

/// Returns a line of the crontab. A value with an `@` is not shown, because a URL may contain a password.
fn line((name, value): (&str, String)) -> String {
    let shown = if value.contains('@') { "…" } else { value.as_str() };
    format!("  {name}={}", for_terminal(shown))
}

/// Returns whether the commands find this value without the variable: the folder of the user's session and its bus.
fn is_found(name: &str, value: &str) -> bool {
    #[cfg(unix)]
    {
        let folder = format!("/run/user/{}", rustix::process::getuid().as_raw());
        let bus = format!("unix:path={folder}/bus");
        match name {
            "XDG_RUNTIME_DIR" => value == folder,
            "DBUS_SESSION_BUS_ADDRESS" => value.split(',').next() == Some(bus.as_str()),
            _ => false,
        }
    }
    #[cfg(not(unix))]
    {
        let _ = (name, value);
        false
    }
}
