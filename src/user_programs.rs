//! Programs that the user configured, such as `pass`, `gpg` or `age`: those that print, save or delete the refresh
//! token, and the one that prints the client secret.

use std::io::{self, Read as _, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::config::ProfileName;
use crate::error::{Error, ErrorKind, Result};
#[cfg(unix)]
use crate::foreground::ForegroundTerminal;
use crate::patience::Patience;
use crate::runtime::{self, MORE_RESOURCES};
use crate::sanitize::for_shell;
#[cfg(unix)]
use crate::signals;
use crate::timeout;
use crate::token::RefreshToken;

/// How long a program may run, unless it saves on a terminal: long enough to touch a security key.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How long filling a pipe may take.
const PIPE_TIMEOUT: Duration = Duration::from_secs(1);
/// How often the exit status is polled once a program has closed its output.
const POLL_INTERVAL: Duration = Duration::from_millis(5);
/// In bytes. A token has a few kilobytes.
const MAX_SIZE: u64 = 1024 * 1024;

/// Runs the programs of one profile.
pub(crate) struct UserPrograms {
    profile: ProfileName,
    /// How long a program that prints something may run.
    patience: Patience,
}

/// What a program is run for.
pub(crate) enum Task<'a> {
    Load,
    Save(&'a RefreshToken),
    Delete,
    /// The client secret instead of a token.
    PrintSecret,
}

impl UserPrograms {
    pub(crate) fn new(profile: &ProfileName, patience: Patience) -> Self {
        Self { profile: profile.clone(), patience }
    }

    /// Replaces `{profile}` in the arguments.
    pub(crate) fn for_profile(&self, command: &[String]) -> Vec<String> {
        command.iter().map(|argument| argument.replace("{profile}", self.profile.as_str())).collect()
    }

    /// Runs a program without a shell, with the profile's name in its environment. It shares our stderr. In an early
    /// renewal, the stderr of a program that prints the token or the secret is discarded, because the cached token is
    /// handed out if the program fails.
    pub(crate) fn run(&self, command: &[String], task: &Task<'_>) -> Result<String> {
        let command = self.for_profile(command);
        let [program, arguments @ ..] = command.as_slice() else { return Ok(String::new()) };
        let failed = |what: String| {
            Error::new(ErrorKind::Unavailable, format!("the program that {task}, `{program}`, {what}"))
                .hint(task.hint(&command))
        };
        #[cfg(unix)]
        let terminal = matches!(task, Task::Save(_)).then(ForegroundTerminal::open).flatten();
        let is_impatient = matches!(task, Task::Load | Task::PrintSecret) && !self.patience.is_full();
        let limit = if is_impatient { self.patience.limit(TIMEOUT) } else { TIMEOUT };
        #[cfg(unix)]
        let can_prompt = terminal.is_some();
        #[cfg(not(unix))]
        let can_prompt = false;
        let mut prepared = Command::new(program);
        prepared.args(arguments).env("M365AUTH_PROFILE", self.profile.as_str());
        // Only a token may reach our stdout.
        prepared.stdin(Stdio::null()).stdout(Stdio::null());
        match task {
            Task::Load | Task::PrintSecret => {
                prepared.stdout(Stdio::piped());
                if is_impatient {
                    prepared.stderr(Stdio::null());
                    // So that the programs that it started end with it.
                    #[cfg(unix)]
                    std::os::unix::process::CommandExt::process_group(&mut prepared, 0);
                }
            }
            Task::Save(token) => {
                prepared.stdin(
                    filled_pipe(token).map_err(|error| failed(format!("could not receive the token: {error}")))?,
                );
                // Without a terminal, a signal to the caller's group must not end a program while it saves the only
                // valid token. On a terminal the program may ask for a passphrase, and Ctrl-C is meant for it.
                #[cfg(unix)]
                if terminal.is_none() {
                    std::os::unix::process::CommandExt::process_group(&mut prepared, 0);
                }
            }
            Task::Delete => {}
        }
        let mut child = prepared.spawn().map_err(|error| {
            let failure = failed(format!("could not be started: {error}"));
            match error.kind() {
                _ if runtime::is_out_of_resources(&error) => {
                    failure.with_kind(ErrorKind::TryLater).hint(MORE_RESOURCES)
                }
                // Somebody is writing the program, or its file server restarted.
                io::ErrorKind::ExecutableFileBusy | io::ErrorKind::StaleNetworkFileHandle => {
                    failure.with_kind(ErrorKind::TryLater)
                }
                _ => failure.with_kind(ErrorKind::Configuration),
            }
        })?;
        let ended = wait(&mut child, (!can_prompt).then_some(limit));
        if ended.is_err() {
            if is_impatient {
                kill_group(&child);
            }
            _ = child.kill();
            _ = child.wait();
        }
        #[cfg(unix)]
        if let Some(terminal) = terminal.filter(|_| !matches!(&ended, Ok((status, _)) if status.success())) {
            terminal.restore();
            signals::discard_keyboard_interrupt(); // it was for the program
        }
        match ended {
            Ok((status, output)) if status.success() => Ok(output),
            Ok((status, _)) => Err(failed(format!("failed with {status}"))),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                Err(failed(format!("timed out after {} s", limit.as_secs_f32().round())))
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                Err(failed(format!("did not print text: {error}")))
            }
            Err(error) => {
                let failure = failed(format!("could not be read: {error}")).with_kind(ErrorKind::TryLater);
                Err(if runtime::is_out_of_resources(&error) { failure.hint(MORE_RESOURCES) } else { failure })
            }
        }
    }
}

/// Runs the program that prints the client secret of a profile.
pub(crate) fn client_secret(profile: &ProfileName, command: &[String], patience: Patience) -> Result<String> {
    let output = UserPrograms::new(profile, patience).run(command, &Task::PrintSecret)?;
    let secret = output.trim();
    if secret.is_empty() || secret.contains(char::is_control) {
        let message = format!("the program that prints the client secret, `{}`, did not print one line", command[0]);
        return Err(Error::new(ErrorKind::Configuration, message)
            .hint("client_secret.command must print the secret and nothing else"));
    }
    Ok(secret.to_owned())
}

/// Returns a pipe that contains the token, as a program's stdin. It is filled before the program starts: if we are
/// killed, the program must not read an empty input and store that.
fn filled_pipe(token: &RefreshToken) -> io::Result<io::PipeReader> {
    let (reader, mut writer) = io::pipe()?;
    let line = format!("{}\n", token.secret());
    let (done, filled) = mpsc::channel::<()>();
    std::thread::Builder::new().spawn(move || {
        _ = writer.write_all(line.as_bytes()); // a program that does not read all of it reports that by its exit status
        drop(done);
    })?;
    // A token that is larger than a pipe (64 KiB on Linux, pipe(7)) is written while the program reads.
    _ = filled.recv_timeout(PIPE_TIMEOUT);
    Ok(reader)
}

/// Waits for the program to exit, without a limit if it can prompt for a passphrase. Returns its exit status and what
/// it printed.
fn wait(child: &mut Child, limit: Option<Duration>) -> io::Result<(ExitStatus, String)> {
    let end = limit.map(|limit| Instant::now() + limit);
    let mut output = String::new();
    if let Some(stdout) = child.stdout.take() {
        let read = move || stdout.take(MAX_SIZE).read_to_string(&mut output).map(|_| output);
        output = timeout::run(limit.unwrap_or(TIMEOUT), read).flatten()?;
    }
    while end.is_none_or(|end| Instant::now() < end) {
        if let Some(status) = child.try_wait()? {
            return Ok((status, output));
        }
        std::thread::sleep(POLL_INTERVAL);
    }
    Err(io::ErrorKind::TimedOut.into())
}

/// Ends a program that leads a process group, and the programs that it started.
fn kill_group(leader: &Child) {
    #[cfg(unix)]
    if let Some(group) = i32::try_from(leader.id()).ok().and_then(rustix::process::Pid::from_raw) {
        _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    #[cfg(not(unix))]
    let _ = leader;
}

impl std::fmt::Display for Task<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Task::Load => "loads the token",
            Task::Save(_) => "saves the token",
            Task::Delete => "deletes the token",
            Task::PrintSecret => "prints the client secret",
        })
    }
}

impl Task<'_> {
    /// Returns what the user can do about a program that failed. A program that saves must not be run by hand: it would
    /// replace the token with what it reads.
    fn hint(&self, command: &[String]) -> String {
        match self {
            Task::Load | Task::PrintSecret => {
                let words: Vec<_> = command.iter().map(|word| for_shell(word)).collect();
                format!("run `{}` in a terminal to see why", words.join(" "))
            }
            Task::Save(_) => "see what it wrote to stderr, and correct store.save in the configuration".to_owned(),
            Task::Delete => "see what it wrote to stderr, and correct store.delete in the configuration".to_owned(),
        }
    }
}
