//! The user's own programs, such as `pass`, `gpg` or `age`: one that prints the token, one that takes it from its stdin,
//! and one that forgets it.

use std::io::{self, Read as _, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use oauth2::RefreshToken;

use super::{MalformedToken, TokenStore, parse_token};
use crate::config::{ProfileName, StoreCommands};
use crate::error::{Error, ErrorKind, Result};
use crate::timeout;

/// For a person to type a passphrase, or to touch a key.
const TIMEOUT: Duration = Duration::from_secs(60);
/// For a pipe to take a token.
const PIPE_TIMEOUT: Duration = Duration::from_secs(1);
/// How often a program is looked at that has said all and not ended.
const POLL_INTERVAL: Duration = Duration::from_millis(5);
/// A token is a few kilobytes.
const MAX_SIZE: u64 = 1024 * 1024;

pub(super) struct CommandStore {
    profile: ProfileName,
    commands: StoreCommands,
}

/// What a program is to do.
enum Task<'a> {
    Load,
    Save(&'a RefreshToken),
    Delete,
}

impl CommandStore {
    pub(super) fn new(profile: &ProfileName, commands: &StoreCommands) -> Self {
        Self { profile: profile.clone(), commands: commands.clone() }
    }

    /// Runs a program without a shell. It finds the profile's name in its environment; its stderr is ours.
    fn run(&self, command: &[String], task: &Task<'_>) -> Result<String> {
        let [program, arguments @ ..] = command else { return Ok(String::new()) };
        let failed = |what: String| {
            Error::new(ErrorKind::Unavailable, format!("`{program}`, which {task} the token, {what}"))
                .hint(format!("run it yourself to see why: `{}`", command.join(" ")))
        };
        let mut prepared = Command::new(program);
        prepared.args(arguments).env("M365AUTH_PROFILE", self.profile.as_str());
        // Nobody's words but a token reach our stdout.
        prepared.stdin(Stdio::null()).stdout(Stdio::null());
        match task {
            Task::Load => _ = prepared.stdout(Stdio::piped()),
            Task::Save(token) => {
                prepared.stdin(filled_pipe(token).map_err(|error| failed(format!("cannot be given it: {error}")))?);
                // The caller's Ctrl-C must not end the program that is just saving the only token that works.
                #[cfg(unix)]
                std::os::unix::process::CommandExt::process_group(&mut prepared, 0);
            }
            Task::Delete => {}
        }
        let mut child = prepared.spawn().map_err(|error| failed(format!("cannot be run: {error}")))?;
        let ended = wait(&mut child);
        if ended.is_err() {
            _ = child.kill();
            _ = child.wait();
        }
        match ended {
            Ok((status, output)) if status.success() => Ok(output),
            Ok((status, _)) => Err(failed(format!("ended with {status}"))),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                Err(failed(format!("has not ended within {} seconds", TIMEOUT.as_secs())))
            }
            Err(error) => Err(failed(format!("was not understood: {error}"))),
        }
    }
}

/// The token as a program's stdin, in it before the program runs: if we are killed, it must not find the end of an empty
/// input there and store that.
fn filled_pipe(token: &RefreshToken) -> io::Result<io::PipeReader> {
    let (reader, mut writer) = io::pipe()?;
    let line = format!("{}\n", token.secret());
    let (done, filled) = mpsc::channel::<()>();
    std::thread::Builder::new().spawn(move || {
        _ = writer.write_all(line.as_bytes()); // who does not read it all says so by its exit status
        drop(done);
    })?;
    // What is larger than a pipe (64 KiB on Linux, pipe(7)) is written while the program reads.
    _ = filled.recv_timeout(PIPE_TIMEOUT);
    Ok(reader)
}

/// What the program printed, and how it ended.
fn wait(child: &mut Child) -> io::Result<(ExitStatus, String)> {
    let end = Instant::now() + TIMEOUT;
    let mut output = String::new();
    if let Some(stdout) = child.stdout.take() {
        let read = move || stdout.take(MAX_SIZE).read_to_string(&mut output).map(|_| output);
        output = timeout::run(TIMEOUT, read).flatten()?;
    }
    while Instant::now() < end {
        if let Some(status) = child.try_wait()? {
            return Ok((status, output));
        }
        std::thread::sleep(POLL_INTERVAL);
    }
    Err(io::ErrorKind::TimedOut.into())
}

impl std::fmt::Display for Task<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Task::Load => "loads",
            Task::Save(_) => "saves",
            Task::Delete => "deletes",
        })
    }
}

impl TokenStore for CommandStore {
    fn load(&self) -> Result<Option<RefreshToken>> {
        let output = self.run(&self.commands.load, &Task::Load)?;
        parse_token(&output).map_err(|MalformedToken| {
            Error::new(ErrorKind::Storage, format!("what {} prints is no token", self.describe()))
                .hint("it must print the token alone; run `get-token` to store a new one")
        })
    }

    fn save(&self, token: &RefreshToken) -> Result<()> {
        self.run(&self.commands.save, &Task::Save(token)).map(drop)
    }

    fn delete(&self) -> Result<()> {
        if self.commands.delete.is_empty() {
            let message = format!("no command is set that deletes the token from {}", self.describe());
            return Err(Error::new(ErrorKind::Configuration, message)
                .hint("add `delete = [...]` to store in config.toml, or delete it yourself"));
        }
        self.run(&self.commands.delete, &Task::Delete).map(drop)
    }

    fn describe(&self) -> String {
        format!("`{}`", self.commands.load.join(" "))
    }
}
