//! `--config FILE` in the commands that are shown. A command of a hint that did not repeat the flag would use another
//! configuration.

use std::borrow::Cow;
use std::path::{self, Path, PathBuf};
use std::sync::OnceLock;

use crate::sanitize::for_shell;

/// The file as it was typed.
static FILE: OnceLock<PathBuf> = OnceLock::new();

/// Remembers the value of the flag.
pub(crate) fn remember(file: &Path) {
    _ = FILE.set(file.to_owned());
}

/// Returns the flag for a command that runs in any folder, with a space before it. It is empty if it was not typed.
pub(crate) fn for_any_folder() -> String {
    FILE.get().map(|file| flag(&path::absolute(file).unwrap_or_else(|_| file.clone()))).unwrap_or_default()
}

/// Repeats the flag in our commands, which stand between backticks.
pub(crate) fn repeat(text: &str) -> String {
    FILE.get().map_or_else(|| text.to_owned(), |file| with_flag(text, &flag(file)))
}

fn flag(file: &Path) -> String {
    format!(" --config {}", for_shell(&file.to_string_lossy()))
}

fn with_flag(text: &str, flag: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    let parts = parts.iter().enumerate().map(|(index, part)| {
        let (name, arguments) = part.split_at(part.find(' ').unwrap_or(part.len()));
        let is_ours = ["get-token", "refresh-token", "get-refresh-token"].contains(&name);
        match index % 2 == 1 && index + 1 < parts.len() && is_ours && !arguments.contains("--config ") {
            true => Cow::Owned(format!("{name}{flag}{arguments}")),
            false => Cow::Borrowed(*part),
        }
    });
    parts.collect::<Vec<_>>().join("`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_is_added_to_our_commands_that_do_not_have_it() {
        let shown = |text| with_flag(text, " --config 'my config.toml'");
        assert_eq!(
            shown("run `get-token --profile mail`, or `chmod 600 config.toml`; get-token runs"),
            "run `get-token --config 'my config.toml' --profile mail`, or `chmod 600 config.toml`; get-token runs"
        );
        assert_eq!(shown("run `get-token`"), "run `get-token --config 'my config.toml'`");
        for unchanged in ["run `get-token --config other.toml`", "`get-token", "a ` get-token ` b", "get-token"] {
            assert_eq!(shown(unchanged), unchanged);
        }
    }
}
