//! The Python original's `config.py`, read without running it: the texts that are assigned at its top level, and the
//! profiles as the original's own generator writes them.

use std::path::Path;

use crate::config::{Cloud, ProfileName, built_in_scopes};

/// What it says; empty where it says nothing.
#[derive(Default)]
pub(super) struct PythonConfig {
    pub(super) client_id: String,
    pub(super) client_secret: String,
    pub(super) authority: String,
    pub(super) redirect_uri: String,
    /// Names and scopes.
    profiles: Vec<(String, Vec<String>)>,
}

/// The placeholder of the original's first configurations.
const PLACEHOLDER: &str = "YOUR_CLIENT_ID_HERE";

#[derive(PartialEq, Eq)]
enum Token {
    Text(String),
    Word(String),
    Mark(char),
}

impl PythonConfig {
    /// The one that lies beside our configuration, if it does.
    pub(super) fn beside(file: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(file.with_file_name("config.py")).ok()?;
        Some(Self::parse(&text))
    }

    fn parse(text: &str) -> Self {
        let tokens = tokens(text);
        let mut config = Self::default();
        let mut depth = 0_usize;
        for (index, token) in tokens.iter().enumerate() {
            match token {
                Token::Mark('{' | '[' | '(') => depth += 1,
                Token::Mark('}' | ']' | ')') => depth = depth.saturating_sub(1),
                Token::Word(name) if depth == 0 && tokens.get(index + 1) == Some(&Token::Mark('=')) => {
                    config.assign(name, &tokens[index + 2..]);
                }
                _ => {}
            }
        }
        config
    }

    fn assign(&mut self, name: &str, value: &[Token]) {
        let text = || match value.first() {
            Some(Token::Text(text)) if text != PLACEHOLDER => text.clone(),
            _ => String::new(), // None, or something that only Python can work out
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

    /// The profiles that are not built in, as lines for `config.toml`.
    pub(super) fn lines_of_other_profiles(&self) -> String {
        let others = self.profiles.iter().filter(|(name, scopes)| !is_built_in(name, scopes));
        others.map(|(name, scopes)| section(name, scopes)).collect()
    }
}

/// `{'NAME': {'scopes': ['SCOPE', …]}, …}`
fn profiles(value: &[Token]) -> Vec<(String, Vec<String>)> {
    let mut profiles: Vec<(String, Vec<String>)> = Vec::new();
    let mut depth = 0_usize;
    for (index, token) in value.iter().enumerate() {
        match token {
            Token::Mark('{' | '[') => depth += 1,
            Token::Mark('}' | ']') if depth <= 1 => break,
            Token::Mark('}' | ']') => depth -= 1,
            Token::Text(name) if depth == 1 && value.get(index + 1) == Some(&Token::Mark(':')) => {
                profiles.push((name.clone(), Vec::new()));
            }
            Token::Text(scope) if depth == 3 => {
                if let Some((_, scopes)) = profiles.last_mut() {
                    scopes.push(scope.clone());
                }
            }
            _ if depth == 0 => break,
            _ => {}
        }
    }
    profiles
}

fn is_built_in(name: &str, scopes: &[String]) -> bool {
    let name = name.parse::<ProfileName>().ok();
    name.and_then(|name| built_in_scopes(&name, Cloud::Global)).is_some_and(|built_in| built_in == scopes)
}

fn section(name: &str, scopes: &[String]) -> String {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    let name = if plain { name.to_owned() } else { quoted(name) };
    let lines: String = scopes.iter().map(|scope| format!("    {},\n", quoted(scope))).collect();
    format!("[profiles.{name}]\nscopes = [\n{lines}]\n")
}

/// Python's texts, words and marks; its comments are left out.
fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '#' => while rest.next_if(|c| *c != '\n').is_some() {},
            '"' | '\'' => {
                let mut value = String::new();
                while let Some(c) = rest.next_if(|end| *end != c && *end != '\n') {
                    match (c, rest.peek()) {
                        ('\\', Some(escaped)) => {
                            value.push(*escaped);
                            rest.next();
                        }
                        _ => value.push(c),
                    }
                }
                rest.next();
                tokens.push(Token::Text(value));
            }
            c if c.is_alphanumeric() || c == '_' => {
                let mut word = c.to_string();
                while let Some(c) = rest.next_if(|c| c.is_alphanumeric() || *c == '_') {
                    word.push(c);
                }
                tokens.push(Token::Word(word));
            }
            c if c.is_whitespace() => {}
            c => tokens.push(Token::Mark(c)),
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In the form of the original's questions on its first run.
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

    /// In the form of the file that it shipped to be copied, with changes of the user's.
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
    fn what_the_originals_first_run_wrote_is_understood() {
        let config = PythonConfig::parse(GENERATED);
        assert_eq!(config.client_id, "9e5f94bc-e8a4-4e73-b8be-63364c29d753");
        assert_eq!((&*config.client_secret, &*config.authority, &*config.redirect_uri), ("", "", ""));
        assert_eq!(config.profiles.len(), 2);
        assert_eq!(config.lines_of_other_profiles(), "", "both are built in");
    }

    #[test]
    fn what_its_users_copied_and_changed_is_understood() {
        let config = PythonConfig::parse(COPIED);
        assert_eq!(config.client_secret, "it's");
        assert_eq!(config.authority, "https://login.microsoftonline.com/example.com/");
        assert_eq!(config.redirect_uri, "https://localhost:7598/");
        let lines = config.lines_of_other_profiles();
        assert!(lines.contains("[profiles.mail]\n") && lines.contains("[profiles.\"my tasks\"]\n"), "{lines}");
    }

    #[test]
    fn anything_else_says_nothing() {
        for text in ["", "ClientId = YOUR", "ClientId = \"YOUR_CLIENT_ID_HERE\"", "}}}'", "Profiles = {'a'", "\"\\"] {
            assert_eq!(PythonConfig::parse(text).client_id, "", "{text}");
        }
    }
}
