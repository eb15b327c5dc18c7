//! `get-token --check`: one line for each thing that was looked at.

use super::stderr::print;
use crate::check::{self, CheckResult};
use crate::config::{Config, ProfileName};
use crate::error::{Error, Result};

/// Fails with the exit code of the first thing that failed.
pub(super) fn run(config: &Config, profile: &ProfileName) -> Result<()> {
    let (mut looked, mut failed) = (0, Vec::new());
    print(&format!("Profile \"{profile}\":"));
    check::run(config, profile, &mut |what, finding| {
        looked += 1;
        match finding {
            CheckResult::Passed(text) => print(&format!("✓ {what}: {text}")),
            CheckResult::Skipped(why) => print(&format!("– {what}: {why}")),
            CheckResult::Failed(error) => {
                print(&format!("✗ {what}: {error}"));
                if let Some(hint) = error.next_step() {
                    print(&format!("  hint: {hint}"));
                }
                if let Some(ids) = error.refusal().map(|refusal| refusal.ids()).filter(|ids| !ids.is_empty()) {
                    print(&format!("  Microsoft's reference: {ids}"));
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
