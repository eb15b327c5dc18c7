//! How long a renewal may take.

use std::time::{Duration, Instant};

/// How long a renewal waits for the store and for Microsoft.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// A token can be printed only if it succeeds: each step has its full limit, a keychain may prompt, and failures
    /// are retried.
    Full,
    /// A token can be printed without it: nothing prompts, nothing is retried, and all waiting ends at this time. A
    /// save is never cut off.
    Until(Instant),
}

impl Patience {
    /// Returns the shorter of a step's own limit and the time that is left.
    pub(crate) fn limit(self, full: Duration) -> Duration {
        match self {
            Self::Full => full,
            Self::Until(end) => full.min(end.saturating_duration_since(Instant::now())),
        }
    }

    pub(crate) fn is_full(self) -> bool {
        self == Self::Full
    }
}
