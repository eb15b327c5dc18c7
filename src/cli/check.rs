//! `get-token --check`: prints one line per check and the verdict, or JSON.

use std::process::ExitCode;

use serde::Serialize;

use super::stdout::Stdout;
use super::text::{Label, Text};
use crate::check::{self, CheckResult};
use crate::config::{Config, ProfileName};
use crate::config_flag;
use crate::error::{Error, ErrorKind, Result};

/// Of several failures, the kind that comes first here decides the exit code: what must be changed once, then what a
/// person must do, then what may resolve itself.
const PRECEDENCE: [ErrorKind; 6] = [
    ErrorKind::Configuration,
    ErrorKind::SignIn,
    ErrorKind::Protocol,
    ErrorKind::Storage,
    ErrorKind::Unavailable,
    ErrorKind::TryLater,
];

/// The checks of one profile, as `--json` shows them.
#[derive(Serialize)]
struct Checked<'a> {
    profile: &'a str,
    checks: Vec<Check>,
}

#[derive(Serialize)]
struct Check {
    name: String,
    result: Outcome,
    message: String,
    hint: Option<String>,
    /// The exit code, if the check failed.
    exit: Option<u8>,
    #[serde(skip)]
    kind: Option<ErrorKind>,
}

#[derive(PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Passed,
    Skipped,
    Failed,
}

/// Checks the profiles. Returns the exit code.
///
/// # Errors
///
/// [`ErrorKind::Storage`] if stdout cannot be written.
pub(super) fn run(stdout: Stdout, config: &Config, profiles: &[ProfileName], json: bool) -> Result<ExitCode> {
    let mut shown = Ok(());
    let mut show = |text: &Text| {
        if shown.is_ok() && !json {
            shown = stdout.show(text);
        }
    };
    let mut all = Vec::new();
    for profile in profiles {
        show(&Text::plain(&format!("Profile \"{profile}\":")));
        let mut checks = Vec::new();
        check::run(config, profile, &mut |name, result| {
            show(&text(name, &result));
            checks.push(Check::of(name, result));
        });
        all.push(Checked { profile: profile.as_str(), checks });
    }
    show(&Text::plain(&verdict(&all)));
    shown?;
    let failed: Vec<ErrorKind> =
        all.iter().flat_map(|profile| &profile.checks).filter_map(|check| check.kind).collect();
    let kind = PRECEDENCE.into_iter().find(|kind| failed.contains(kind)).or(failed.first().copied());
    if json {
        stdout.print_json(&all)?;
    }
    Ok(kind.map_or(ExitCode::SUCCESS, |kind| kind.exit_code().into()))
}

fn text(name: &str, result: &CheckResult) -> Text {
    match result {
        CheckResult::Passed(text) => Text::with_label(Label::Passed, &format!("{name}: {text}")),
        CheckResult::Skipped(why) => Text::with_label(Label::Skipped, &format!("{name}: {why}")),
        CheckResult::Failed(error) => Text::failure(Label::Failed, &format!("{name}: "), error),
    }
}

fn verdict(all: &[Checked<'_>]) -> String {
    let checks = || all.iter().flat_map(|profile| profile.checks.iter().map(move |check| (profile.profile, check)));
    let total = checks().filter(|(_, check)| check.result != Outcome::Skipped).count();
    let name = |(profile, check): (&str, &Check)| match all.len() {
        1 => check.name.clone(),
        _ => format!("{} of \"{profile}\"", check.name),
    };
    let failed: Vec<String> = checks().filter(|(_, check)| check.result == Outcome::Failed).map(name).collect();
    match failed.is_empty() {
        true => format!("All {total} checks passed."),
        false => format!("{} of {total} checks failed: {}.", failed.len(), failed.join(", ")),
    }
}

impl Check {
    fn of(name: &str, result: CheckResult) -> Self {
        let (result, message, error) = match result {
            CheckResult::Passed(text) => (Outcome::Passed, text, None),
            CheckResult::Skipped(why) => (Outcome::Skipped, why, None),
            CheckResult::Failed(error) => (Outcome::Failed, with_reference(&error), Some(error)),
        };
        let hint = error.as_ref().and_then(|error| error.next_step()).map(config_flag::repeat);
        let kind = error.as_ref().map(Error::kind);
        Self { name: name.to_owned(), result, message, hint, exit: kind.map(ErrorKind::exit_code), kind }
    }
}

/// Returns the message, with Microsoft's reference if there is one: the hint may ask the user to quote it.
fn with_reference(error: &Error) -> String {
    match error.refusal() {
        Some(refusal) => format!("{error}; Microsoft's reference: {}", refusal.ids()),
        None => error.to_string(),
    }
}
