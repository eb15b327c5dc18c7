//! What the records remember of renewals that failed: when the next early one may be tried, the last refusal that needs
//! a person, and the claims that Microsoft demands.

use std::io;

use super::record::Records;
use super::renewal::{Pause, RecordedRefusal};

impl Records {
    /// Returns whether an early renewal may be tried with this configuration now. It may not if the file exists and
    /// cannot be read.
    pub(super) fn allow_early_renewal(&self, configuration: &str) -> bool {
        self.try_read().is_ok_and(|sections| !sections.pause.is_some_and(|pause| pause.holds_for(configuration)))
    }

    /// Records that no early renewal may be tried for some time.
    pub(super) fn pause_early_renewals(&self, pause: Pause) -> io::Result<()> {
        let mut sections = self.try_read()?;
        sections.pause = Some(pause);
        self.write(&sections)
    }

    /// Records a refusal, and the claims that Microsoft demands in the next requests. If the same refusal is recorded
    /// again, the time of the first is kept.
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

    /// Removes the refusal and the pause of early renewals.
    pub(super) fn remove_refusal(&self) {
        let mut sections = self.read();
        let (refusal, pause) = (sections.refusal.take(), sections.pause.take());
        if refusal.is_some() || pause.is_some() {
            _ = self.write(&sections);
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

    /// Records the claims that Microsoft demands in the next requests.
    pub(super) fn remember_claims(&self, claims: String) {
        let mut sections = self.read();
        sections.claims = Some(claims);
        if let Err(error) = self.write(&sections) {
            log::info!("the claims cannot be recorded: {error}");
        }
    }

    /// Removes the claims: a sign-in has satisfied them.
    pub(super) fn remove_claims(&self) {
        let mut sections = self.read();
        if sections.claims.take().is_some() {
            _ = self.write(&sections);
        }
    }
}
