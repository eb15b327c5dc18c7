//! The error type: a kind, which decides the exit code, a message, and a hint with the next step.
//!
//! The code that creates an error sets the kind and the message, and usually the hint. Callers may add context, or
//! replace the hint by a more specific one.

use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use serde::{Deserialize, Serialize};

/// A `Result` with [`Error`] as its default error type.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The kind of an [`Error`].
///
/// Each kind calls for a different reaction of the caller. The numbers are the exit codes of the commands, which are
/// those of `sysexits.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The command line is not valid.
    Usage = 64,
    /// The input is not the redirect URL of this sign-in or, with `--with-token`, not a refresh token.
    PastedUrl = 65,
    /// The port of the redirect URI is in use, or a store that may contain the token is locked or not available, fails
    /// or does not respond.
    Unavailable = 69,
    /// A bug in this crate.
    Defect = 70,
    /// A file, the stored token or stdout cannot be read or written.
    Storage = 74,
    /// A transient failure: the network, throttling, an outage or a timeout. Retry later.
    TryLater = 75,
    /// The response did not come from the identity platform, or belongs to another sign-in.
    Protocol = 76,
    /// A person must act: sign in again, consent, or contact an administrator. Retrying does not help.
    SignIn = 77,
    /// The configuration or the app registration must be changed.
    Configuration = 78,
}

impl ErrorKind {
    /// Returns the exit code of the commands for this kind, which the record of a refusal contains as well.
    pub(crate) fn exit_code(self) -> u8 {
        self as u8
    }
}

/// A cause to which a caller reacts in its own way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The server did not respond in time. Other network errors are not timeouts.
    Timeout,
    /// The server's certificate is not trusted.
    UntrustedCertificate,
    /// Another account signed in than the one that the profile belongs to.
    WrongAccount,
}

/// An error: what failed, and what to do about it.
///
/// `Display` shows the message: one line without control characters.
#[derive(Clone, Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    refusal: Option<Box<Refusal>>,
    retry_after: Option<Duration>,
    cause: Option<Cause>,
    /// The error of the system that caused this one.
    source: Option<Arc<io::Error>>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, refusal: None, retry_after: None, cause: None, source: None }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.kind = kind;
        self
    }

    /// Puts the context before the message.
    pub(crate) fn with_context(mut self, context: &str) -> Self {
        self.message = format!("{context}: {}", self.message);
        self
    }

    /// Appends the message of another failure.
    pub(crate) fn and(mut self, other: &Self) -> Self {
        self.message = format!("{}; {}", self.message, other.message);
        self
    }

    pub(crate) fn with_refusal(mut self, refusal: Refusal) -> Self {
        self.refusal = Some(Box::new(refusal));
        self
    }

    pub(crate) fn with_retry_after(mut self, pause: Duration) -> Self {
        self.retry_after = Some(pause);
        self
    }

    pub(crate) fn with_cause(mut self, cause: Cause) -> Self {
        self.cause = Some(cause);
        self
    }

    pub(crate) fn with_source(mut self, error: io::Error) -> Self {
        self.source = Some(Arc::new(error));
        self
    }

    /// Returns whether this is the cause.
    pub(crate) fn is_caused_by(&self, cause: Cause) -> bool {
        self.cause == Some(cause)
    }

    /// Returns how long the server asked to wait (RFC 9110, 10.2.3).
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Returns whether a person must act: sign in, or change the app registration that Microsoft refused.
    pub(crate) fn needs_a_person(&self) -> bool {
        match self.kind {
            ErrorKind::SignIn => true,
            ErrorKind::Configuration => self.refusal.is_some(),
            _ => false,
        }
    }

    /// Returns the kind of the error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns the hint: the next command to run, or what to check or change.
    #[must_use]
    pub fn next_step(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Returns Microsoft's error response, if the error comes from one.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        self.refusal.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    /// Returns Microsoft's error response ([`Refusal`]) or the system's error ([`io::Error`]), if the error comes from
    /// one. The message of this error repeats the message of its source.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match (&self.refusal, &self.source) {
            (Some(refusal), _) => Some(&**refusal),
            (None, Some(error)) => Some(&**error),
            (None, None) => None,
        }
    }
}

/// An error response of the Microsoft identity platform (RFC 6749, 5.2, with Microsoft's additions).
///
/// Control characters are removed from all texts.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[non_exhaustive]
pub struct Refusal {
    /// The OAuth error code, such as `invalid_grant`. With `suberror`, it decides the [`ErrorKind`], unless the failure
    /// is transient.
    pub error: String,
    /// Microsoft's refinement of the error code, such as `basic_action`.
    pub suberror: Option<String>,
    /// Microsoft's description, without the IDs at its end.
    pub description: String,
    /// The first line of the description without the AADSTS code, 300 characters at most. The error's message quotes
    /// it.
    pub(crate) summary: String,
    /// The number of the AADSTS code. It chooses message and hint of the error.
    pub code: Option<u32>,
    /// The trace ID, which Microsoft's support asks for.
    pub trace_id: Option<String>,
    /// The correlation ID, which Microsoft's support asks for.
    pub correlation_id: Option<String>,
    /// The time of the error, which Microsoft's support asks for.
    pub timestamp: Option<String>,
    /// What the next request must contain, as JSON (Microsoft: "Claims challenges").
    #[serde(default)]
    pub(crate) claims: Option<String>,
    /// The `status` of an error of the identity broker.
    #[serde(default)]
    pub(crate) broker_status: Option<u64>,
}

/// Writes the OAuth error code and Microsoft's description.
impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.description.is_empty() {
            true => formatter.write_str(&self.error),
            false => write!(formatter, "{}: {}", self.error, self.description),
        }
    }
}

impl std::error::Error for Refusal {}

impl Refusal {
    /// Returns what Microsoft's support asks for, on one line, such as
    /// `AADSTS53003, trace …, correlation …, 2026-01-02 03:04:05Z`. Parts that are not known are left out.
    #[must_use]
    pub fn ids(&self) -> String {
        let code = self.code.map(|code| format!("AADSTS{code}"));
        let named = |name: &str, id: &Option<String>| id.as_ref().map(|id| format!("{name} {id}"));
        let parts =
            [code, named("trace", &self.trace_id), named("correlation", &self.correlation_id), self.timestamp.clone()];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}
