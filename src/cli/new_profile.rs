//! A profile that the configuration does not have: asks for its values, and appends its section to the file.

use std::fs;

use super::first_run::{unanswered, write};
use super::questions;
use super::stderr::{can_ask, confirm_by_default, print};
use super::text::Text;
use crate::config::{Config, ProfileName, key_of};
use crate::error::{Error, ErrorKind, Result};

/// Adds the profiles that are not in the configuration, if a person can be asked. Without a terminal, the configuration
/// is returned unchanged, and the caller reports the unknown profile.
pub(super) fn add_unknown(mut config: Config, profiles: &[ProfileName]) -> Result<Config> {
    if !can_ask() {
        return Ok(config);
    }
    for name in profiles {
        let Err(unknown) = config.store_choice(name) else { continue };
        let similar = unknown.next_step().filter(|hint| hint.starts_with("did you mean")).unwrap_or_default();
        let explanation = format!("{}. {}", capitalized(&unknown.to_string()), capitalized(similar));
        if !confirm_by_default(&Text::plain(explanation.trim_end()), &format!("Add the profile \"{name}\"?")) {
            return Err(unknown);
        }
        config = add(&config, name)?;
    }
    Ok(config)
}

/// Appends the section. The text before it, with its comments, stays as it is.
fn add(config: &Config, name: &ProfileName) -> Result<Config> {
    let answers = questions::of_new_profile(config, name).ok_or_else(unanswered)?;
    let lines: String = answers.lines().map(|(_, line)| line).collect();
    let section = format!("[profiles.{}]\n{lines}", key_of(name.as_str()));
    let separator = if config.text().ends_with('\n') { "\n" } else { "\n\n" };
    let text = format!("{}{separator}{section}", config.text());
    let cannot_append = |error: Error, hint: String| {
        Error::new(ErrorKind::Configuration, format!("the profile \"{name}\" cannot be appended: {error}")).hint(hint)
    };
    let shown = config.file().display();
    // Profiles that are written as inline tables cannot be extended by a section (TOML 1.0, "Inline Table").
    let extended = Config::parse(config.file(), text.clone()).map_err(|error| {
        cannot_append(error, format!("write the profiles of {shown} as sections such as [profiles.mail]"))
    })?;
    // The keys at the top of the file may not fit the new profile.
    extended.profile(name).map_err(|error| {
        let hint = format!(
            "add a section [profiles.{}] to {shown} yourself: the keys above the first section apply to it too",
            key_of(name.as_str())
        );
        cannot_append(error, hint)
    })?;
    // If the file is a symbolic link, for example into a repository of dotfiles, its target is replaced.
    let file = fs::canonicalize(config.file()).unwrap_or_else(|_| config.file().to_owned());
    write(&file, &text)?;
    print(&format!("\nAdded the profile \"{name}\" to {}.\n", config.file().display()));
    Ok(extended)
}

fn capitalized(text: &str) -> String {
    text.chars().take(1).flat_map(char::to_uppercase).chain(text.chars().skip(1)).collect()
}
