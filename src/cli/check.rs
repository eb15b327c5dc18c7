//! `get-token --check`: prints one line per check.

use super::stderr::{print, print_text};
use super::text::{Label, Text};
use crate::check::{self, CheckResult};
use crate::config::{Config, ProfileName};
use crate::error::{Error, Result};

/// Fails with the exit code of the first check that failed.
pub(super) fn run(config: &Config, profile: &ProfileName) -> Result<()> {
    let (mut total, mut failed) = (0, Vec::new());
    print(&format!("Profile \"{profile}\":"));
    check::run(config, profile, &mut |name, result| {
        total += 1;
        match result {
            CheckResult::Passed(text) => print_text(&Text::with_label(Label::Passed, &format!("{name}: {text}"))),
            CheckResult::Skipped(why) => print_text(&Text::with_label(Label::Skipped, &format!("{name}: {why}"))),
            CheckResult::Failed(error) => {
                print_text(&Text::failure(Label::Failed, &format!("{name}: "), &error));
                failed.push(error);
            }
        }
    });
    match failed.first() {
        None => Ok(()),
        Some(first) => Err(Error::new(
            first.kind(),
            format!("{} of {total} checks failed for the profile \"{profile}\"", failed.len()),
        )
        .hint(format!("fix the first ✗, then run `get-token --check --profile {profile:#}` again"))),
    }
}
