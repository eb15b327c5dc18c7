//! Profiles whose names Windows and macOS do not tell apart: they would have the same files there, so each would
//! overwrite the token of the other.

use super::BUILT_IN;
use super::error::ConfigurationError;
use super::table::Table;

/// Whether such profiles share their files on this system. Other systems usually have case-sensitive file systems.
pub(super) const IS_MISTAKE: bool = cfg!(any(windows, target_os = "macos"));

/// Fails if the files of two profiles have the same names on Windows or macOS.
pub(super) fn check(file: &Table) -> Result<(), ConfigurationError> {
    let names = || BUILT_IN.into_iter().chain(file.profiles.keys().map(String::as_str));
    let pairs = file.profiles.iter().filter_map(|(name, section)| {
        let other = names().find(|other| *other != name && simplified(other) == simplified(name))?;
        Some((section.span(), name, other))
    });
    let Some((span, name, other)) = pairs.min_by_key(|(span, ..)| span.start) else { return Ok(()) };
    let built_in = if file.profiles.contains_key(other) { "" } else { " (built in)" };
    let message = format!(
        "the names of the profiles \"{name}\" and \"{other}\"{built_in} are too similar: they have the same files on \
         Windows or macOS"
    );
    Err(ConfigurationError::new(span, message).hint(
        "rename one of the two; file names ignore letter case there, and on Windows also dots and spaces at the end",
    ))
}

/// Returns the part of a file name that Windows compares, in lower case (Microsoft: "Naming Files, Paths, and
/// Namespaces").
fn simplified(name: &str) -> String {
    name.trim_end_matches(['.', ' ']).to_lowercase()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{Config, document};
    use super::*;

    /// Returns the mistake in a file with these profiles, one in each line.
    fn mistake(names: &[&str]) -> Option<String> {
        let text: String = names.iter().map(|name| format!("profiles.\"{name}\".tenant = 'example.com'\n")).collect();
        let config = Config::parse(Path::new("config.toml"), text.clone());
        let table = document::parse(&text).expect("it is valid TOML");
        let error = check(&table).err().map(|error| error.into_error(Path::new("config.toml"), &text).to_string());
        assert_eq!(config.is_err(), error.is_some() && IS_MISTAKE, "an error on Windows and macOS");
        error
    }

    #[test]
    fn names_that_differ_only_in_letter_case_are_found_with_their_line() {
        for (names, shown) in [
            (&["x", "Work", "y", "work"][..], "config.toml:2: the names of the profiles \"Work\" and \"work\" are"),
            (&["Büro", "BÜRO"], "config.toml:1: the names of the profiles \"Büro\" and \"BÜRO\" are"),
            (&["work", "work."], "config.toml:1: the names of the profiles \"work\" and \"work.\" are"),
            (&["Mail"], "config.toml:1: the names of the profiles \"Mail\" and \"mail\" (built in) are"),
        ] {
            let error = mistake(names).unwrap_or_default();
            assert!(error.starts_with(shown), "{names:?}: {error}");
        }
    }

    #[test]
    fn other_names_are_not_reported() {
        assert_eq!(mistake(&["mail", "calendar", "mail2", "ma.il", "m ail", "con", "nul"]), None);
    }
}
