//! `--config FILE` in the commands that are shown. A command of a hint that did not repeat the flag would use another
//! configuration.

use std::path::{self, Path, PathBuf};
use std::sync::OnceLock;

use crate::hint::{self, Part};
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
    let shown = hint::parts(text).into_iter().map(|part| match part {
        Part::Text(text) => text.to_owned(),
        Part::Command(command) => {
            let (name, arguments) = command.split_at(command.find(' ').unwrap_or(command.len()));
            let is_ours = ["get-token", "refresh-token", "get-refresh-token"].contains(&name);
            let added = if is_ours && !arguments.contains("--config ") { flag } else { "" };
            format!("`{name}{added}{arguments}`")
        }
    });
    shown.collect()
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
