//! The terminal where we cannot wait for it and stop waiting, as on Windows: line by line, of any length, not shown.

/// `rpassword` puts it back after each line.
pub(super) struct Terminal(());

/// What the person pastes and types.
pub(super) struct Pastes(());

impl Terminal {
    /// A read that has begun cannot be taken back: beside the browser it would swallow the answer to a later question.
    pub(super) const CAN_CANCEL: bool = false;

    pub(super) fn open() -> Option<(Self, Pastes)> {
        Some((Self(()), Pastes(())))
    }
}

impl Pastes {
    /// The next line. None at the end of input.
    pub(super) fn next(&mut self) -> Option<String> {
        hidden_line()
    }
}

/// A line that is not shown while it is typed. None at the end of input.
pub(super) fn hidden_line() -> Option<String> {
    rpassword::read_password().ok()
}
