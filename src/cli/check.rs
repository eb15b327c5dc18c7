//! `get-token --check`: prints one line per check, and the verdict.

use std::process::ExitCode;

use super::stdout::Stdout;
use super::text::{Label, Text};
use crate::check::{self, CheckResult};
use crate::config::{Config, ProfileName};
use crate::error::{ErrorKind, Result};

/// Of several failures, the kind that comes first here decides the exit code: what must be changed once, then what a person
/// must do, then what may pass by itself.
const PRECEDENCE: [ErrorKind; 6] = [
    ErrorKind::Configuration,
    ErrorKind::SignIn,
    ErrorKind::Protocol,
    ErrorKind::Storage,
    ErrorKind::Unavailable,
    ErrorKind::TryLater,
];

/// Checks the profiles. Returns the exit code.
///
/// # Errors
///
/// [`ErrorKind::Storage`] if stdout cannot be written.
pub(super) fn run(stdout: &Stdout, config: &Config, profiles: &[ProfileName]) -> Result<ExitCode> {
    let (mut total, mut failed, mut shown) = (0, Vec::new(), Ok(()));
    let mut show = |text: &Text| {
        if shown.is_ok() {
            shown = stdout.show(text);
        }
    };
    for profile in profiles {
        show(&Text::plain(&format!("Profile \"{profile}\":")));
        check::run(config, profile, &mut |name, result| {
            total += usize::from(!matches!(result, CheckResult::Skipped(_)));
            show(&match result {
                CheckResult::Passed(text) => Text::with_label(Label::Passed, &format!("{name}: {text}")),
                CheckResult::Skipped(why) => Text::with_label(Label::Skipped, &format!("{name}: {why}")),
                CheckResult::Failed(error) => {
                    let of_profile = if profiles.len() > 1 { format!(" of \"{profile}\"") } else { String::new() };
                    failed.push((format!("{name}{of_profile}"), error.kind()));
                    Text::failure(Label::Failed, &format!("{name}: "), &error)
                }
            });
        });
    }
    let names: Vec<&str> = failed.iter().map(|(name, _)| name.as_str()).collect();
    show(&Text::plain(&match names.is_empty() {
        true => format!("All {total} checks passed."),
        false => format!("{} of {total} checks failed: {}.", names.len(), names.join(", ")),
    }));
    shown?;
    let kind = PRECEDENCE.into_iter().find(|kind| failed.iter().any(|(_, failed)| failed == kind));
    let kind = kind.or(failed.first().map(|(_, kind)| *kind));
    Ok(kind.map_or(ExitCode::SUCCESS, |kind| kind.exit_code().into()))
}
