//! stdout carries the token and one newline, or nothing.

use std::io::{self, Write};

use crate::error::{Error, ErrorKind, Result};

/// The real stdout, out of the reach of every program that we start: those get stderr for it.
pub(super) struct Stdout(Box<dyn Write>);

impl Stdout {
    /// For a command that starts programs. From now on this is the only way to the caller.
    #[cfg(unix)]
    pub(super) fn keep_from_children() -> Result<Self> {
        let kept = io::stdout().lock().flush().and_then(|()| {
            let ours = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)?;
            rustix::stdio::dup2_stdout(rustix::stdio::stderr())?;
            Ok(std::fs::File::from(ours))
        });
        match kept {
            Ok(ours) => Ok(Self(Box::new(ours))),
            Err(error) => Err(failed(&error)),
        }
    }

    /// For a command that starts programs. On Windows a child prints where it is told to, and to our stdout none is.
    #[cfg(not(unix))]
    pub(super) fn keep_from_children() -> Result<Self> {
        Ok(Self(Box::new(io::stdout())))
    }

    /// Prints the token. A caller that has gone away is no error.
    pub(super) fn print(mut self, token: &str) -> Result<()> {
        match self.0.write_all(format!("{token}\n").as_bytes()).and_then(|()| self.0.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(failed(&error)),
            _ => Ok(()),
        }
    }
}

impl Default for Stdout {
    fn default() -> Self {
        Self(Box::new(io::stdout()))
    }
}

fn failed(error: &io::Error) -> Error {
    Error::new(ErrorKind::Storage, format!("cannot write to stdout: {error}"))
        .hint("the stored token is good; call again with a stdout that takes it")
}
