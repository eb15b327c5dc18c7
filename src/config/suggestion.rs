//! Suggestions for keys, sections and profiles that do not exist: "did you mean …?"

use std::borrow::Cow;
use std::iter::successors;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::error::{ConfigurationError, shorten};

/// A table of `config.toml`.
#[derive(Clone, Copy)]
pub(super) enum Section<'a> {
    /// The top of the file.
    File,
    /// `[profiles.NAME]`
    Profile(&'a str),
    /// The commands of `store`.
    Store,
}

impl Section<'_> {
    /// Returns the part of a key before its name, as in `store.load`.
    pub(super) fn prefix(self) -> &'static str {
        if matches!(self, Self::Store) { "store." } else { "" }
    }

    /// Returns whether a key can be set here: `profiles` at the top of the file only, and `scopes` in a profile only.
    fn can_have(self, key: &str) -> bool {
        match key {
            "profiles" => matches!(self, Self::File),
            "scopes" => matches!(self, Self::Profile(_)),
            _ => true,
        }
    }
}

/// The similarity (Jaro-Winkler, 1.0 for equal names) above which a name is suggested.
const MIN_SIMILARITY: f64 = 0.8;
/// The shortest word for which a key that ends with it is suggested: `timeout` suggests `network_timeout`, but `host`
/// suggests nothing: three keys end with it.
const MIN_ENDING: usize = 5;

/// Returns the name that is most similar to `word`, if one is similar enough. Letter case, `_` and `-` are ignored.
pub(super) fn similar<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let simplified = |text: &str| text.to_lowercase().replace(['_', '-'], "");
    let word = simplified(word);
    let similarity = |name: &str| {
        let name = simplified(name);
        match word.len() >= MIN_ENDING && name.ends_with(&word) {
            true => 1.0,
            false => strsim::jaro_winkler(&word, &name),
        }
    };
    let rated =
        names.into_iter().map(|name| (similarity(name), name)).filter(|(similarity, _)| *similarity > MIN_SIMILARITY);
    rated.max_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, name)| name)
}

/// Returns the name as a key of TOML: in quotes, unless it consists of ASCII letters, digits, `-` and `_`.
pub(crate) fn key_of(name: &str) -> Cow<'_, str> {
    let bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    match bare {
        true => Cow::Borrowed(name),
        false => Cow::Owned(format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))),
    }
}

/// Reports a key that does not exist in a section. The hint suggests a similar key, or lists the keys.
pub(super) fn unknown(
    section: Section<'_>,
    key: &Spanned<DeString<'_>>,
    value: &DeValue<'_>,
    known: impl Iterator<Item = &'static str>,
) -> ConfigurationError {
    let name = key.get_ref();
    let known: Vec<&str> = known.filter(|known| section.can_have(known)).collect();
    let suggested = similar(name, known.iter().filter_map(|known| known.strip_prefix(section.prefix())));
    if let (DeValue::Table(table), Section::File | Section::Profile(_)) = (value, section) {
        return unknown_section(section, key, table, suggested);
    }
    let mut message = format!("unknown key {}", shorten(&format!("{}{}", section.prefix(), key_of(name))));
    if let Section::Profile(profile) = section {
        message.push_str(&format!(" in [profiles.{}]", key_of(profile)));
    }
    ConfigurationError::new(key.span(), message).hint(match suggested {
        Some("profiles") => "did you mean a section, such as [profiles.work]?".to_owned(),
        Some(suggested) => format!("did you mean {}{suggested}?", section.prefix()),
        None => format!("the keys are {}", known.join(", ")),
    })
}

/// Reports a section that does not exist.
fn unknown_section(
    section: Section<'_>,
    key: &Spanned<DeString<'_>>,
    table: &DeTable<'_>,
    suggested: Option<&str>,
) -> ConfigurationError {
    let name = key_of(key.get_ref());
    let profile = table.iter().find(|(_, value)| value.get_ref().is_table()).map(|(name, _)| key_of(name.get_ref()));
    let (written, hint) = match (section, suggested) {
        (Section::File, Some("profiles")) => {
            let written = profile.as_ref().map_or_else(|| name.to_string(), |profile| format!("{name}.{profile}"));
            (written, format!("did you mean [profiles.{}]?", profile.unwrap_or(Cow::Borrowed("work"))))
        }
        (Section::Profile(profile), Some("store")) => {
            let profile = key_of(profile);
            (format!("profiles.{profile}.{name}"), format!("did you mean [profiles.{profile}.store]?"))
        }
        (Section::Profile(profile), _) => {
            // In TOML, each dot outside quotes begins a table within the table before it.
            let below = successors(only_table(table), |(_, table)| only_table(table)).map(|(name, _)| name);
            let below = below.take_while(|name| !["client_secret", "store"].contains(name)); // keys that may be tables
            let names: Vec<&str> = [profile, key.get_ref()].into_iter().chain(below).collect();
            let written: Vec<_> = names.iter().copied().map(key_of).collect();
            let hint = format!("a name with a dot must be in quotes: [profiles.{}]", key_of(&names.join(".")));
            (format!("profiles.{}", written.join(".")), hint)
        }
        (_, Some("store")) => (name.to_string(), "did you mean [store]?".to_owned()),
        _ => (name.to_string(), format!("did you mean [profiles.{name}]?")),
    };
    ConfigurationError::new(key.span(), format!("unknown section {}", shorten(&format!("[{written}]")))).hint(hint)
}

/// Returns the name and the content of the only entry of a table, if that is a table.
fn only_table<'a>(table: &'a DeTable<'_>) -> Option<(&'a str, &'a DeTable<'a>)> {
    let (name, value) = table.iter().next().filter(|_| table.len() == 1)?;
    Some((name.get_ref(), value.get_ref().as_table()?))
}
