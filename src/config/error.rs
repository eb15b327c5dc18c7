//! Errors in the text of the configuration.

use std::ops::Range;
use std::path::Path;

use crate::error::{Error, ErrorKind};
use crate::sanitize::for_terminal;

/// How much of a value an error shows, in characters.
const LONGEST_SHOWN: usize = 100;

/// A mistake in the text of `config.toml`. The path of the file is added by [`ConfigurationError::into_error`].
#[derive(Debug)]
pub(super) struct ConfigurationError {
    /// The position in the text, in bytes.
    span: Option<Range<usize>>,
    message: String,
    hint: Hint,
}

#[derive(Debug)]
enum Hint {
    /// Names the line to edit, and shows a line that is valid.
    EditLine(Option<String>),
    Text(String),
    /// Follows "in FILE, ".
    InFile(String),
}

impl ConfigurationError {
    /// Reports a mistake. The hint names the line to edit.
    pub(super) fn new(span: impl Into<Option<Range<usize>>>, message: impl Into<String>) -> Self {
        Self { span: span.into(), message: message.into(), hint: Hint::EditLine(None) }
    }

    /// Reports `KEY = VALUE is not valid: it must …`. The value of a secret is left out, wherever its key is.
    pub(super) fn not_valid(span: Range<usize>, key: &str, value: &str, must: &str) -> Self {
        let shown = if key.to_lowercase().contains("secret") {
            for_terminal(key)
        } else {
            shorten(&format!("{key} = {value}"))
        };
        Self::new(span, format!("{shown} is not valid: it must {must}"))
    }

    /// Adds an example of a valid line, such as `network_timeout = 30`.
    pub(super) fn example(mut self, line: String) -> Self {
        self.hint = Hint::EditLine(Some(line));
        self
    }

    /// Sets a hint on one line.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Hint::Text(for_terminal(&hint.into()));
        self
    }

    /// Sets a hint that follows "in FILE, ".
    pub(super) fn hint_in_file(mut self, hint: impl Into<String>) -> Self {
        self.hint = Hint::InFile(hint.into());
        self
    }

    /// Returns where the mistake begins, in bytes.
    pub(super) fn start(&self) -> usize {
        self.span.as_ref().map_or(0, |span| span.start)
    }

    /// Adds the path and the line number. The text of the line is not shown, because it may contain the client secret.
    pub(super) fn into_error(self, file: &Path, text: &str) -> Error {
        let path = file.display();
        let line = self.span.map(|span| text.get(..span.start).unwrap_or(text).matches('\n').count() + 1);
        let place = line.map_or_else(|| path.to_string(), |line| format!("{path}:{line}"));
        let hint = match (self.hint, line) {
            (Hint::Text(hint), _) => hint,
            (Hint::InFile(hint), _) => format!("in {path}, {hint}"),
            (Hint::EditLine(example), line) => {
                let line = line.map_or_else(String::new, |line| format!("line {line} of "));
                let example = example.map_or_else(String::new, |example| format!(", for example: {example}"));
                format!("edit {line}{path}{example}")
            }
        };
        Error::new(ErrorKind::Configuration, format!("{place}: {}", self.message)).hint(hint)
    }
}

/// Returns the beginning of the text, on one line and without control characters.
pub(super) fn shorten(text: &str) -> String {
    let text = for_terminal(text);
    match text.char_indices().nth(LONGEST_SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
