//! `get-token --check`: one line for each thing that was looked at.

use super::stderr::say;
use crate::check::{Finding, look};
use crate::config::{Config, ProfileName};
use crate::error::{Error, Result};

/// Fails with the exit code of the first thing that failed.
pub(super) fn run(config: &Config, profile: &ProfileName) -> Result<()> {
    let (mut looked, mut failed) = (0, Vec::new());
    say(&format!("Profile \"{profile}\":"));
    look(config, profile, &mut |what, finding| {
        looked += 1;
        match finding {
            Finding::Good(text) => say(&format!("✓ {what}: {text}")),
            Finding::Skipped(why) => say(&format!("– {what}: {why}")),
            Finding::Bad(error) => {
                say(&format!("✗ {what}: {error}"));
                if let Some(hint) = error.next_step() {
                    say(&format!("  hint: {hint}"));
                }
                if let Some(ids) = error.refusal().map(|refusal| refusal.ids()).filter(|ids| !ids.is_empty()) {
                    say(&format!("  Microsoft's reference: {ids}"));
                }
                failed.push(error);
            }
        }
    });
    match failed.first() {
        None => Ok(()),
        Some(first) => Err(Error::new(first.kind(), format!("{} of {looked} checks failed", failed.len()))
            .hint("begin with the first ✗")),
    }
}
