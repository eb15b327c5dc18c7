//! The key `store`: a word, or programs of the user's own.

use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};

/// Where refresh tokens live.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum StoreChoice {
    /// The keychain, or the file where no keychain takes the token.
    #[default]
    Auto,
    /// The keychain, or nothing.
    Keychain,
    /// The file.
    File,
    /// The user's own programs.
    Commands(StoreCommands),
}

/// Programs with their arguments; no shell is between.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreCommands {
    /// Prints the token.
    pub load: Vec<String>,
    /// Takes the token from its stdin, as one line.
    pub save: Vec<String>,
    /// Forgets it. May be empty.
    #[serde(default)]
    pub delete: Vec<String>,
}

impl<'de> Deserialize<'de> for StoreChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StoreVisitor)
    }
}

struct StoreVisitor;

impl<'de> Visitor<'de> for StoreVisitor {
    type Value = StoreChoice;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("\"auto\", \"keychain\", \"file\" or { load = [...], save = [...], delete = [...] }")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<StoreChoice, E> {
        match name {
            "auto" => Ok(StoreChoice::Auto),
            "keychain" => Ok(StoreChoice::Keychain),
            "file" => Ok(StoreChoice::File),
            _ => Err(E::invalid_value(de::Unexpected::Str(name), &self)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<StoreChoice, A::Error> {
        let commands = StoreCommands::deserialize(MapAccessDeserializer::new(map))?;
        if commands.load.is_empty() || commands.save.is_empty() {
            return Err(de::Error::custom("load and save must each name a program"));
        }
        Ok(StoreChoice::Commands(commands))
    }
}
