//! The text of `config.toml`, parsed into its keys.

use toml::de::DeTable;

use super::entry;
use super::error::ConfigurationError;
use super::keys::KEYS;
use super::suggestion::Section;
use super::syntax;
use super::table::Table;

/// Parses the text of `config.toml`.
pub(super) fn parse(text: &str) -> Result<Table, ConfigurationError> {
    let document = DeTable::parse(text).map_err(|error| syntax::explain(&error, text))?;
    let mut file = Table::default();
    entry::read(document.get_ref(), &KEYS, Section::File, &mut file)?;
    if let Some(scopes) = &file.scopes {
        return Err(ConfigurationError::new(scopes.span(), "scopes is set outside a profile")
            .hint("move it below the line of a profile, such as [profiles.mail]"));
    }
    Ok(file)
}
