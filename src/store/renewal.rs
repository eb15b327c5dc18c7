//! What the records file of a profile remembers of renewals that failed: when the next early one may be tried, the last
//! refusal that needs a person, and the claims that Microsoft demands.

use std::io;

use serde::{Deserialize, Serialize};

use super::record::Records;
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
    fn holds_for(&self, configuration: &str) -> bool {
        self.configuration == configuration && now() < self.not_before
    }
}

impl Records {
    /// Returns whether an early renewal may be tried with this configuration now. It may not if the file exists and cannot
    /// be read.
    pub(super) fn allow_early_renewal(&self, configuration: &str) -> bool {
        self.try_read().is_ok_and(|sections| !sections.pause.is_some_and(|pause| pause.holds_for(configuration)))
    }

    /// Records that no early renewal may be tried for some time.
    pub(super) fn pause_early_renewals(&self, pause: Pause) -> io::Result<()> {
        let mut sections = self.try_read()?;
        sections.pause = Some(pause);
        self.write(&sections)
    }

    /// Records a refusal, and the claims that Microsoft demands in the next requests. Of a refusal that comes again, the
    /// first time is kept.
    pub(super) fn remember(&self, refusal: RecordedRefusal, claims: Option<String>) {
        let mut sections = self.read();
        let is_same = |old: &RecordedRefusal| (old.exit, old.aadsts) == (refusal.exit, refusal.aadsts);
        let at = sections.refusal.filter(is_same).map_or(refusal.at, |old| old.at);
        sections.refusal = Some(RecordedRefusal { at, ..refusal });
        sections.claims = claims.or(sections.claims);
        if let Err(error) = self.write(&sections) {
            log::info!("the refusal cannot be recorded: {error}");
        }
    }

    /// Returns the refusal that is not resolved yet.
    pub(super) fn refusal(&self) -> Option<RecordedRefusal> {
        self.read().refusal
    }

    /// Returns the claims that Microsoft demands, as JSON.
    pub(super) fn claims(&self) -> Option<String> {
        self.read().claims
    }

    /// Forgets the claims: a sign-in has satisfied them.
    pub(super) fn forget_claims(&self) {
        let mut sections = self.read();
        if sections.claims.take().is_some() {
            _ = self.write(&sections);
        }
    }
}
