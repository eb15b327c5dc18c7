//! The terminal where it cannot be taken out of line mode: line by line.

use std::io::BufRead as _;

/// Nothing to put back.
pub(super) struct Terminal(());

/// What the person pastes and types.
pub(super) struct Pastes(());

impl Terminal {
    pub(super) fn open() -> Option<(Self, Pastes)> {
        Some((Self(()), Pastes(())))
    }

    /// A read that has begun cannot be taken back: beside the browser it would swallow the answer to a later question.
    pub(super) const CAN_STOP: bool = false;
}

impl Pastes {
    /// The next line. None at the end of input.
    pub(super) fn next(&mut self) -> Option<String> {
        let mut line = String::new();
        let length = std::io::stdin().lock().read_line(&mut line).ok()?;
        (length > 0).then_some(line)
    }
}

/// A line that is not shown while it is typed. None at the end of input.
pub(super) fn hidden_line() -> Option<String> {
    rpassword::read_password().ok()
}
