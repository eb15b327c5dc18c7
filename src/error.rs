//! What can go wrong, named for what the caller should do next.
//!
//! An error of this suite is three things: its kind (which decides the exit code), what happened, and a hint with
//! the next command to type. Whoever raises an error knows all three; nothing is added to it on the way up.

use std::fmt;

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the caller should do next. The numbers are those of `sysexits.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Call the command otherwise.
    Usage = 64,
    /// Paste the address that the browser came to after the sign-in.
    PastedUrl = 65,
    /// Free the callback's port, or unlock or start the keychain.
    Unavailable = 69,
    /// Report a defect of ours.
    Defect = 70,
    /// Make the store readable and writable.
    Storage = 74,
    /// Try again later: network, throttling, the service is down, time ran out.
    TryLater = 75,
    /// Look at what stands between us and Microsoft: the answer was none of the identity platform.
    Protocol = 76,
    /// A person must act: sign in again, consent, or talk to an administrator.
    SignIn = 77,
    /// Mend the configuration or the app registration.
    Configuration = 78,
}

impl ErrorKind {
    /// The exit status that stands for this kind.
    pub fn exit_code(self) -> u8 {
        self as u8
    }
}

/// What happened, and what to do about it.
#[derive(Clone, Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    refusal: Option<Box<Refusal>>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, refusal: None }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.kind = kind;
        self
    }

    /// Puts what it means before what happened.
    pub(crate) fn with_context(mut self, context: &str) -> Self {
        self.message = format!("{context}: {}", self.message);
        self
    }

    /// Appends what else failed.
    pub(crate) fn and(mut self, other: &Self) -> Self {
        self.message = format!("{}; {}", self.message, other.message);
        self
    }

    pub(crate) fn with_refusal(mut self, refusal: Refusal) -> Self {
        self.refusal = Some(Box::new(refusal));
        self
    }

    /// What the caller should do next.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The next command to type, or the next thing to look at.
    pub fn next_step(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// What Microsoft answered, if it was Microsoft who refused.
    pub fn refusal(&self) -> Option<&Refusal> {
        self.refusal.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// Microsoft's error response (RFC 6749, 5.2, and Microsoft's additions), fit to be shown.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Refusal {
    /// The code that decides, such as `invalid_grant`.
    pub error: String,
    /// Microsoft's refinement of it, such as `basic_action`.
    pub suberror: Option<String>,
    /// Microsoft's description, without the ids that follow it.
    pub description: String,
    /// The number of the AADSTS code. It chooses the advice.
    pub code: Option<u32>,
    /// For Microsoft's support.
    pub trace_id: Option<String>,
    /// For Microsoft's support.
    pub correlation_id: Option<String>,
    /// For Microsoft's support.
    pub timestamp: Option<String>,
}

impl Refusal {
    /// What Microsoft's support asks for, on one line.
    pub fn ids(&self) -> String {
        let code = self.code.map(|code| format!("AADSTS{code}"));
        let named = |name: &str, id: &Option<String>| id.as_ref().map(|id| format!("{name} {id}"));
        let parts =
            [code, named("trace", &self.trace_id), named("correlation", &self.correlation_id), self.timestamp.clone()];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}
