//! The key `store`: the name of a store, or the user's own commands.

use super::entry::{self, Entry, Key};
use super::error::ConfigurationError;
use super::suggestion::Section;

/// Where refresh tokens are stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum StoreChoice {
    /// The keychain, or the file if the keychain cannot store the token.
    #[default]
    Auto,
    /// The keychain only.
    Keychain,
    /// The file.
    File,
    /// The user's own commands.
    Commands(StoreCommands),
}

/// Programs with their arguments. They are run without a shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoreCommands {
    /// Prints the token.
    pub(crate) load: Vec<String>,
    /// Reads the token from its stdin, as one line.
    pub(crate) save: Vec<String>,
    /// Removes the token. Empty if the user has no such command.
    pub(crate) delete: Vec<String>,
}

static KEYS: [Key<StoreCommands>; 3] = [
    Key::new(
        "store.load",
        "a list: the program that prints the token, then its arguments",
        r#"["pass", "show", "m365/{profile}"]"#,
        |commands, entry| entry.command().map(|command| commands.load = command),
    ),
    Key::new(
        "store.save",
        "a list: the program that reads the token from stdin, then its arguments",
        r#"["pass", "insert", "--multiline", "--force", "m365/{profile}"]"#,
        |commands, entry| entry.command().map(|command| commands.save = command),
    ),
    Key::new(
        "store.delete",
        "a list: the program that removes the token, then its arguments",
        r#"["pass", "rm", "--force", "m365/{profile}"]"#,
        |commands, entry| entry.command().map(|command| commands.delete = command),
    ),
];

impl StoreChoice {
    /// Reads the value of `store`.
    pub(super) fn read(entry: &Entry<'_>) -> Result<Self, ConfigurationError> {
        if !entry.value.get_ref().is_table() {
            return entry.choice(Self::parse);
        }
        let mut commands = StoreCommands { load: Vec::new(), save: Vec::new(), delete: Vec::new() };
        entry::read(entry.table()?, &KEYS, Section::Store, &mut commands)?;
        for (command, key) in [&commands.load, &commands.save].into_iter().zip(&KEYS) {
            if command.is_empty() {
                let message = format!("{} is missing or empty", key.form.key);
                return Err(ConfigurationError::new(entry.value.span(), message)
                    .hint_in_file(format!("set it, for example: {}", key.form.line())));
            }
        }
        Ok(Self::Commands(commands))
    }

    fn parse(name: &str) -> Option<Self> {
        match name {
            "auto" => Some(Self::Auto),
            "keychain" => Some(Self::Keychain),
            "file" => Some(Self::File),
            _ => None,
        }
    }
}
