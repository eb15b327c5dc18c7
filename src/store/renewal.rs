//! A renewal that failed, as the records file of a profile remembers it.

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::unix_time::now;

/// A refusal that a person must resolve. It contains no secret.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct RecordedRefusal {
    /// In seconds since 1970.
    pub(crate) at: u64,
    /// The exit code of the command that failed.
    pub(crate) exit: u8,
    /// The number of the AADSTS code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) aadsts: Option<u32>,
    pub(crate) message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<String>,
    /// What Microsoft's support asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reference: Option<String>,
    /// Whether a policy of the organisation is the reason.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) policy: bool,
}

impl RecordedRefusal {
    pub(crate) fn new(error: &Error, policy: bool) -> Self {
        let refusal = error.refusal();
        Self {
            at: now(),
            exit: error.kind().exit_code(),
            aadsts: refusal.and_then(|refusal| refusal.code),
            message: error.to_string(),
            hint: error.next_step().map(str::to_owned),
            reference: refusal.map(|refusal| refusal.ids()).filter(|ids| !ids.is_empty()),
            policy,
        }
    }
}

/// The pause of the early renewals.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Pause {
    /// In seconds since 1970.
    pub(crate) not_before: u64,
    /// The digest of the configuration that the pause is for: a change may help at once.
    pub(crate) configuration: String,
}

impl Pause {
    /// Returns whether no early renewal may be tried with this configuration now.
    pub(super) fn holds_for(&self, configuration: &str) -> bool {
        self.configuration == configuration && now() < self.not_before
    }
}
