//! stdout carries the token and one newline, or nothing. `--status`, `--check` and `--generate` print their output
//! there.

use std::io::{self, IsTerminal as _, Write};
use std::process::Stdio;

use anstream::AutoStream;
use anstream::stream::{AsLockedWrite, RawStream};
use serde::Serialize;

use super::text::Text;
use crate::error::{Error, ErrorKind, Result};

/// The stdout that the caller gave us.
pub(super) enum Stdout {
    Inherited(io::Stdout),
    /// A copy. Programs that we start get stderr as their stdout.
    #[cfg(unix)]
    Reserved(std::fs::File),
}

impl Stdout {
    /// Reserves stdout for a command that starts programs, so that nothing that they print reaches the caller.
    #[cfg(unix)]
    pub(super) fn reserve() -> Result<Self> {
        let reserved = io::stdout().lock().flush().and_then(|()| {
            let ours = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)?;
            rustix::stdio::dup2_stdout(rustix::stdio::stderr())?;
            Ok(std::fs::File::from(ours))
        });
        reserved.map(Self::Reserved).map_err(|error| cannot_write(&error))
    }

    /// Returns the inherited stdout: on Windows we start no program that inherits it.
    #[cfg(not(unix))]
    pub(super) fn reserve() -> Result<Self> {
        Ok(Self::default())
    }

    pub(super) fn is_terminal(&self) -> bool {
        match self {
            Self::Inherited(stdout) => stdout.is_terminal(),
            #[cfg(unix)]
            Self::Reserved(file) => file.is_terminal(),
        }
    }

    /// Prints a token, or other output for a program, and a newline. A broken pipe is not an error.
    pub(super) fn print(self, text: &str) -> Result<()> {
        let text = [text, "\n"].concat();
        match self {
            Self::Inherited(stdout) => write(stdout, &text),
            #[cfg(unix)]
            Self::Reserved(file) => write(file, &text),
        }
    }

    /// Prints a value as JSON for a program.
    pub(super) fn print_json(self, value: &impl Serialize) -> Result<()> {
        let json = serde_json::to_string_pretty(value)
            .map_err(|error| Error::new(ErrorKind::Defect, format!("cannot write JSON: {error}")))?;
        self.print(&json)
    }

    /// Returns stdout for a child process.
    pub(super) fn for_child(&self) -> Result<Stdio> {
        match self {
            Self::Inherited(_) => Ok(Stdio::inherit()),
            #[cfg(unix)]
            Self::Reserved(file) => Ok(file.try_clone().map_err(|error| cannot_write(&error))?.into()),
        }
    }

    /// Prints output for a person.
    pub(super) fn show(&self, text: &Text) -> Result<()> {
        match self {
            Self::Inherited(_) => write_text(io::stdout(), text),
            #[cfg(unix)]
            Self::Reserved(file) => write_text(file.try_clone().map_err(|error| cannot_write(&error))?, text),
        }
    }
}

impl Default for Stdout {
    fn default() -> Self {
        Self::Inherited(io::stdout())
    }
}

fn write_text(stream: impl RawStream + AsLockedWrite, text: &Text) -> Result<()> {
    let (text, colors) = text.rendered_for(&stream);
    write(AutoStream::new(stream, colors), &text)
}

fn write(mut stream: impl Write, text: &str) -> Result<()> {
    match stream.write_all(text.as_bytes()).and_then(|()| stream.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(cannot_write(&error)),
        _ => Ok(()),
    }
}

fn cannot_write(error: &io::Error) -> Error {
    Error::new(ErrorKind::Storage, format!("cannot write to stdout: {error}"))
        .hint("free space on the device or redirect stdout to another file, then run the command again")
}
