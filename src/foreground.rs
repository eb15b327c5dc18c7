//! The controlling terminal, while this process is in the foreground. A store program can ask for a passphrase there.

use std::fs::File;

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};

/// The controlling terminal and its modes.
pub(crate) struct ForegroundTerminal {
    terminal: File,
    modes: Termios,
}

impl ForegroundTerminal {
    /// Returns None without a controlling terminal (cron, a mail program on a timer), and in the background, where a
    /// program that reads the terminal would be stopped (SIGTTIN).
    pub(crate) fn open() -> Option<Self> {
        let terminal = File::options().read(true).write(true).open("/dev/tty").ok()?;
        (tcgetpgrp(&terminal).ok()? == rustix::process::getpgrp()).then_some(())?;
        let modes = tcgetattr(&terminal).ok()?;
        Some(Self { terminal, modes })
    }

    /// Restores the modes, such as echo, that a program changed before it was interrupted at a passphrase prompt.
    pub(crate) fn restore(&self) {
        _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.modes);
    }
}
