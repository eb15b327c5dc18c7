//! The terminal on systems where a read cannot be cancelled, such as Windows: lines of any length, without echo.

/// A placeholder: `rpassword` restores the terminal after each line.
pub(super) struct Terminal(());

/// The lines that the user pastes or types.
pub(super) struct Pastes(());

impl Terminal {
    /// Whether a read can be cancelled. A read that outlives the redirect would consume the reply to a later prompt.
    pub(super) const CAN_CANCEL: bool = false;

    pub(super) fn open() -> Option<(Self, Pastes)> {
        Some((Self(()), Pastes(())))
    }
}

impl Pastes {
    /// Returns the next line, or `None` at the end of input.
    pub(super) fn next(&mut self) -> Option<String> {
        hidden_line()
    }
}

/// Reads a line without echo. Returns `None` at the end of input.
pub(super) fn hidden_line() -> Option<String> {
    // `rpassword` would print a line end and a NUL character. On Unix, Enter is not shown either.
    rpassword::read_password_with_config(rpassword::ConfigBuilder::new().output_discard().build()).ok()
}

/// Returns false: on these systems, the standard library cannot tell the null device from other input.
pub(super) fn stdin_is_null_device() -> bool {
    false
}
