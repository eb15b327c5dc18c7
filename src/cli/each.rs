//! Commands for several profiles.

use super::stderr::print_error;
use crate::config::ProfileName;
use crate::error::{Error, Result};

/// Returns the values of all profiles, or an error if a profile failed. If several failed, prints all errors except the
/// last, and returns the last one with the exit code of the first. Each error names its profile.
pub(super) fn collect<'a, T>(results: impl Iterator<Item = (&'a ProfileName, Result<T>)>) -> Result<Vec<T>> {
    let (mut values, mut errors) = (Vec::new(), Vec::new());
    for (profile, result) in results {
        match result {
            Ok(value) => values.push(value),
            Err(error) => errors.push((profile, error)),
        }
    }
    let total = values.len() + errors.len();
    let first = errors.first().map(|(_, error)| error.kind());
    let mut errors = errors.into_iter().map(|(profile, error)| if total > 1 { name(profile, error) } else { error });
    let last = errors.next_back();
    errors.for_each(|error| print_error(&error));
    match (first, last) {
        (Some(first), Some(last)) => Err(last.with_kind(first)),
        _ => Ok(values),
    }
}

/// Puts the name of the profile before the message, unless the message contains it.
pub(super) fn name(profile: &ProfileName, error: Error) -> Error {
    let quoted = format!("\"{profile}\"");
    if error.to_string().contains(&quoted) { error } else { error.with_context(&format!("profile {quoted}")) }
}
