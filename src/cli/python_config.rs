//! Reads the Python tool's `config.py` without running it: the strings that are assigned at its top level, and the
//! profiles in the form that the tool itself writes.

use std::path::Path;

use crate::config::{Cloud, ProfileName, built_in_scopes, key_of};
use crate::sanitize::for_terminal;

/// The values of `config.py`. A value that is not set is empty.
#[derive(Default)]
pub(crate) struct PythonConfig {
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    pub(crate) authority: String,
    pub(crate) redirect_uri: String,
    /// The names and the scopes of the profiles.
    pub(crate) profiles: Vec<(String, Vec<String>)>,
}

/// The placeholder for a client ID in early configurations of the Python tool.
const PLACEHOLDER: &str = "YOUR_CLIENT_ID_HERE";

/// A token of Python: a string, a name, an operator or a line end.
#[derive(PartialEq, Eq)]
enum Token {
    Str(String),
    Name(String),
    Operator(char),
    Newline,
}

impl PythonConfig {
    /// Reads `config.py` in the folder of our configuration, if it exists.
    pub(super) fn beside(file: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(file.with_file_name("config.py")).ok()?;
        Some(Self::parse(&text))
    }

    /// Reads the text of `config.py`.
    pub(crate) fn parse(text: &str) -> Self {
        let mut config = Self::default();
        // An assignment at the top level starts at the beginning of a line and ends where its brackets are closed.
        let is_top_level = |line: &str| line.starts_with(|c: char| c.is_alphabetic());
        let mut rest = text;
        while !rest.is_empty() {
            let (tokens, after) = statement(rest);
            if is_top_level(rest)
                && let [Token::Name(name), Token::Operator('='), value @ ..] = tokens.as_slice()
                && value.first() != Some(&Token::Operator('='))
            {
                config.assign(name, value);
            }
            rest = after;
        }
        config
    }

    fn assign(&mut self, name: &str, value: &[Token]) {
        let text = || match value {
            [Token::Str(text)] if text != PLACEHOLDER => text.clone(),
            _ => String::new(), // `None`, or an expression that only Python can evaluate
        };
        match name {
            "ClientId" => self.client_id = text(),
            "ClientSecret" => self.client_secret = text(),
            "Authority" => self.authority = text(),
            "RedirectUri" => self.redirect_uri = text(),
            "Profiles" => self.profiles = profiles(value),
            _ => {}
        }
    }

    /// Returns the profiles that are not built in, as lines for `config.toml`.
    pub(crate) fn lines_of_other_profiles(&self) -> String {
        // A name that is not valid in `config.toml` would make the whole file invalid.
        let profiles = self.profiles.iter().filter_map(|(name, scopes)| Some((name.parse().ok()?, scopes)));
        let others = profiles.filter(|(name, scopes)| !is_built_in(name, scopes));
        others.map(|(name, scopes)| section(&name, scopes)).collect()
    }

    /// Returns the profile names that are not valid in `config.toml`.
    pub(super) fn unusable_names(&self) -> Vec<String> {
        let names = self.profiles.iter().map(|(name, _)| name);
        names.filter(|name| name.parse::<ProfileName>().is_err()).map(|name| for_terminal(name)).collect()
    }
}

/// Reads `{'NAME': {'scopes': ['SCOPE', …]}, …}`.
fn profiles(value: &[Token]) -> Vec<(String, Vec<String>)> {
    let mut profiles: Vec<(String, Vec<String>)> = Vec::new();
    let (mut depth, mut key) = (0_usize, "");
    for (index, token) in value.iter().enumerate() {
        let is_key = value.get(index + 1) == Some(&Token::Operator(':'));
        match token {
            Token::Operator('{' | '[' | '(') => depth += 1,
            Token::Operator('}' | ']' | ')') => depth = depth.saturating_sub(1),
            Token::Str(name) if depth == 1 && is_key => {
                profiles.retain(|(other, _)| other != name); // the last one wins, as in Python
                profiles.push((name.clone(), Vec::new()));
            }
            Token::Str(name) if depth == 2 && is_key => key = name,
            Token::Str(scope) if depth == 3 && key == "scopes" => {
                if let Some((_, scopes)) = profiles.last_mut() {
                    scopes.push(scope.clone());
                }
            }
            _ => {}
        }
    }
    profiles.retain(|(_, scopes)| !scopes.is_empty());
    profiles
}

fn is_built_in(name: &ProfileName, scopes: &[String]) -> bool {
    built_in_scopes(name, Cloud::Global).is_some_and(|built_in| built_in == scopes)
}

fn section(name: &ProfileName, scopes: &[String]) -> String {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let name = key_of(name.as_str());
    let lines: String = scopes.iter().map(|scope| format!("    {},\n", quoted(scope))).collect();
    format!("[profiles.{name}]\nscopes = [\n{lines}]\n")
}

/// Returns the tokens of the first statement, and the rest of the text. A line end within brackets does not end a
/// statement.
fn statement(text: &str) -> (Vec<Token>, &str) {
    let (mut tokens, mut rest, mut depth) = (Vec::new(), text, 0_usize);
    while let Some((token, after)) = next_token(rest) {
        rest = after;
        match token {
            Some(Token::Newline) if depth == 0 => break,
            Some(Token::Newline) | None => {}
            Some(token) => {
                match token {
                    Token::Operator('{' | '[' | '(') => depth += 1,
                    Token::Operator('}' | ']' | ')') => depth = depth.saturating_sub(1),
                    _ => {}
                }
                tokens.push(token);
            }
        }
    }
    (tokens, rest)
}

/// Returns the first token, or no token for white space and comments, and the rest of the text.
fn next_token(text: &str) -> Option<(Option<Token>, &str)> {
    let first = text.chars().next()?;
    if let Some(quote) = ["\"\"\"", "'''"].into_iter().find(|quote| text.starts_with(quote)) {
        let inner = &text[quote.len()..];
        let (content, after) = inner.split_once(quote).unwrap_or((inner, ""));
        return Some((Some(Token::Str(content.to_owned())), after));
    }
    Some(match first {
        '\n' => (Some(Token::Newline), &text[1..]),
        '#' => (None, &text[text.find('\n').unwrap_or(text.len())..]),
        '"' | '\'' => {
            let (content, after) = quoted(&text[1..], first);
            (Some(Token::Str(content)), after)
        }
        c if c.is_alphanumeric() || c == '_' => {
            let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
            (Some(Token::Name(text[..end].to_owned())), &text[end..])
        }
        c if c.is_whitespace() => (None, &text[c.len_utf8()..]),
        c => (Some(Token::Operator(c)), &text[c.len_utf8()..]),
    })
}

/// Returns a string up to its closing quote or to the end of the line, and the rest of the text.
fn quoted(text: &str, quote: char) -> (String, &str) {
    let mut content = String::new();
    let mut chars = text.char_indices();
    while let Some((index, c)) = chars.next() {
        match c {
            '\n' => return (content, &text[index..]),
            c if c == quote => return (content, &text[index + c.len_utf8()..]),
            '\\' => content.extend(chars.next().map(|(_, escaped)| escaped)),
            c => content.push(c),
        }
    }
    (content, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As written by the first run of the Python tool.
    const GENERATED: &str = r#"# M365 OAuth2 Configuration
# Azure AD app registration client ID
ClientId = "9e5f94bc-e8a4-4e73-b8be-63364c29d753"
ClientSecret = ""
# Authority URL (None = multi-tenant)
Authority = None
Profiles = {
    'mail': {
        'scopes': [
            'https://outlook.office.com/IMAP.AccessAsUser.All',
            'https://outlook.office.com/SMTP.Send'
        ]
    },
    'calendar': {
        'scopes': [
            'https://graph.microsoft.com/Calendars.ReadWrite'
        ]
    }
}
# Default scopes (for backwards compatibility)
Scopes = Profiles['mail']['scopes']
"#;

    /// The example configuration of the Python tool, edited by a user.
    const COPIED: &str = r#"
ClientId = '9e5f94bc-e8a4-4e73-b8be-63364c29d753' # Thunderbird's
ClientSecret = "it's"
# Authority = "https://login.microsoftonline.com/commented-out/"
Authority = "https://login.microsoftonline.com/example.com/"
RedirectUri = "https://localhost:7598/"
RedirectPort = 7598
UseHttps = True
if True:
    print("never run")
Profiles = { "mail": {"scopes": ["https://outlook.office.com/IMAP.AccessAsUser.All"]},
  'my tasks': {'scopes': ['https://graph.microsoft.com/Tasks.ReadWrite', ]} }
"#;

    #[test]
    fn the_file_of_the_python_tools_first_run_is_read() {
        let config = PythonConfig::parse(GENERATED);
        assert_eq!(config.client_id, "9e5f94bc-e8a4-4e73-b8be-63364c29d753");
        assert_eq!((&*config.client_secret, &*config.authority, &*config.redirect_uri), ("", "", ""));
        assert_eq!(config.profiles.len(), 2);
        assert_eq!(config.lines_of_other_profiles(), "", "both are built in");
    }

    #[test]
    fn an_edited_example_is_read() {
        let config = PythonConfig::parse(COPIED);
        assert_eq!(config.client_secret, "it's");
        assert_eq!(config.authority, "https://login.microsoftonline.com/example.com/");
        assert_eq!(config.redirect_uri, "https://localhost:7598/");
        let lines = config.lines_of_other_profiles();
        assert!(lines.contains("[profiles.mail]\n") && lines.contains("[profiles.\"my tasks\"]\n"), "{lines}");
    }

    #[test]
    fn text_that_resembles_an_assignment_is_ignored() {
        for text in [
            "def f():\n    ClientId = 'x'\n",
            "if ClientId == 'x':\n    pass\n",
            "ClientId == 'x'\n",
            "ClientId, ClientSecret = 'x', 'y'\n",
            "ClientId = 'x' 'y'\n",
            "ClientId = 'x' + suffix\n",
            "\"\"\"\nClientId = 'x'\n\"\"\"\n",
            "f(\nClientId = 'x'\n)\n",
        ] {
            let config = PythonConfig::parse(text);
            assert_eq!((&*config.client_id, &*config.client_secret), ("", ""), "{text}");
        }
        let tuples =
            PythonConfig::parse("Profiles = {'a': {'note': ['no scope'], 'scopes': ('https://x/y',)}, 'b': {}}");
        assert_eq!(tuples.profiles, [("a".to_owned(), vec!["https://x/y".to_owned()])]);
    }

    #[test]
    fn malformed_text_is_ignored() {
        for text in ["", "ClientId = YOUR", "ClientId = \"YOUR_CLIENT_ID_HERE\"", "}}}'", "Profiles = {'a'", "\"\\"] {
            assert_eq!(PythonConfig::parse(text).client_id, "", "{text}");
        }
    }
}
