//! Explains text that is not TOML, in plain English instead of the parser's terms.

use std::ops::Range;

use super::entry::Form;
use super::error::{ConfigurationError, shorten};
use super::keys::{form, known};
use super::suggestion::key_of;
use super::values::ProfileName;

/// Messages of the parser (the crate `toml_parser` 1.1) for which the reported line does not show the mistake, each
/// with ours. For any other message, the line is explained.
const NOT_EXPLAINED_BY_LINE: [(&str, &str); 7] = [
    ("missing comma between array elements", "a comma is missing in a list"),
    ("unclosed array", "] is missing at the end of a list"),
    ("unexpected `=` in array", "] is missing at the end of the list above"),
    ("unclosed inline table", "} is missing at the end of a table"),
    ("missing comma between key-value pairs", "a comma is missing in a table"),
    ("invalid multi-line basic string", "\"\"\" is missing at the end of a value"),
    ("invalid multi-line literal string", "''' is missing at the end of a value"),
];

/// Explains why the text is not TOML.
pub(super) fn explain(error: &toml::de::Error, text: &str) -> ConfigurationError {
    let span = error.span().unwrap_or(0..0);
    let line = line_at(text, span.start);
    let (key, value) = line.split_once('=').map_or((line, ""), |(key, value)| (key.trim(), value.trim()));
    let message = error.message();
    if message.starts_with("duplicate key") || message.starts_with("cannot extend") {
        return duplicate(span.clone(), text.get(span).unwrap_or_default(), line);
    }
    if let Some((_, ours)) = NOT_EXPLAINED_BY_LINE.iter().find(|(theirs, _)| message.starts_with(theirs)) {
        return ConfigurationError::new(span, format!("this is not valid TOML: {ours}"));
    }
    if line.to_lowercase().replace(['_', '-'], "").contains("clientsecret") {
        return form("client_secret").not_valid(span, "");
    }
    if line.starts_with('[') {
        return section(span, line);
    }
    match known(key) {
        Some(form) if line.contains('=') => wrong_value(span, form, value),
        _ => {
            ConfigurationError::new(span, "this line is not valid TOML: it must be KEY = VALUE, [SECTION] or # COMMENT")
        }
    }
}

/// Reports a value that is not TOML. The hint shows the same value in the right quotes, if quotes are the mistake.
fn wrong_value(span: Range<usize>, form: &Form, value: &str) -> ConfigurationError {
    const CURLY: [char; 5] = ['“', '”', '„', '‘', '’'];
    if value.is_empty() {
        let message = format!("{} has no value: it must be {}", form.key, form.description());
        return ConfigurationError::new(span, message).example(form.line());
    }
    let error = form.not_valid(span, value);
    let quoted = value.split('"').nth(1).filter(|path| path.contains('\\') && !path.contains('\''));
    let meant = match quoted {
        Some(path) => format!("'{path}'"), // a Windows path
        None if !form.is_string() || value.contains(['"', '\'', '\\', '#']) => return error,
        None => format!("\"{}\"", value.trim_matches(CURLY)),
    };
    error.hint_in_file(shorten(&format!("write {} = {meant}", form.key)))
}

/// Returns the line at a position in bytes.
fn line_at(text: &str, position: usize) -> &str {
    let position = position.min(text.len());
    let start = text.get(..position).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1);
    text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default().trim()
}

/// Reports a key or a section that occurs twice.
fn duplicate(span: Range<usize>, key: &str, line: &str) -> ConfigurationError {
    if line.starts_with('[') {
        return ConfigurationError::new(span, format!("the section {} occurs twice", shorten(line)))
            .hint("move the keys of both into one section");
    }
    ConfigurationError::new(span, format!("{} is set twice", known(key).map_or("this key", |form| form.key)))
        .hint("remove one of the two lines")
}

/// Reports a section name that is not TOML. The hint shows it in quotes, if it is a valid name of a profile.
fn section(span: Range<usize>, line: &str) -> ConfigurationError {
    let error = ConfigurationError::new(span, format!("{} is not a valid section", shorten(line)));
    let inner = line.trim_start_matches('[').split(']').next().unwrap_or_default().trim();
    let name = inner.strip_prefix("profiles.").or_else(|| inner.strip_prefix("profile.")).unwrap_or(inner);
    match name.parse::<ProfileName>() {
        Ok(name) => error.hint(format!("write [profiles.{}]", key_of(name.as_str()))),
        Err(_) => error.hint("write the name in brackets, as in [profiles.work] or [profiles.\"ada@example.com\"]"),
    }
}
