//! Linux: the Secret Service (gnome-keyring, KWallet's and KeePassXC's service).
//!
//! The `secret-service` crate itself and not the keyring crate above it: that one's search unlocks what it finds, which
//! opens a prompt on whoever's screen, and cannot tell which of two entries is the newer.

use std::collections::HashMap;

use secret_service::blocking::{Collection, Item, SecretService};
use secret_service::{EncryptionType, Error};

use super::Failure;

/// What Python's `keyring` adds to its entries and searches for when it writes: without it, it makes a second entry.
const APPLICATION: (&str, &str) = ("application", "Python keyring library");
/// The content type of Python's `secretstorage`.
const CONTENT_TYPE: &str = "text/plain";

const NO_BUS: &str = "no D-Bus session bus";

pub(super) struct Connection(SecretService<'static>);

impl Connection {
    pub(super) fn open() -> Result<Self, Failure> {
        SecretService::connect(EncryptionType::Dh).map(Self).map_err(|error| match &error {
            Error::Unavailable => Failure::Absent(NO_BUS.to_owned()),
            Error::Zbus(_) | Error::ZbusFdo(_) => {
                log::info!("Secret Service: {}", first_line(&error));
                // The bus's own word for a name that nobody has and that it cannot start.
                let nobody = error.to_string().contains("org.freedesktop.DBus.Error.ServiceUnknown");
                Failure::Absent(if nobody { "nothing on the D-Bus session bus is one" } else { NO_BUS }.to_owned())
            }
            _ => Failure::Other(error.to_string()),
        })
    }

    pub(super) fn load(&self, service: &str, user: &str) -> Result<Option<Vec<u8>>, Failure> {
        let (items, locked) = self.items(service, user)?;
        match items.first() {
            Some(newest) => newest.get_secret().map(Some).map_err(failure),
            None if locked => Err(Failure::Locked),
            None => match self.default_collection() {
                Err(Failure::NotSetUp) => Ok(None),
                Ok(collection) if collection.is_locked().map_err(failure)? => Err(Failure::Locked),
                Ok(_) => Ok(None),
                Err(other) => Err(other),
            },
        }
    }

    pub(super) fn save(&self, service: &str, user: &str, token: &str) -> Result<(), Failure> {
        let (items, locked) = self.items(service, user)?;
        if locked {
            return Err(Failure::Locked); // what is locked could not be replaced, and would stand beside the new one
        }
        let attributes = HashMap::from([("service", service), ("username", user), APPLICATION]);
        let Some((newest, older)) = items.split_first() else {
            let collection = self.default_collection()?;
            if collection.is_locked().map_err(failure)? {
                return Err(Failure::Locked);
            }
            let label = format!("Password for '{user}' on '{service}'");
            let created = collection.create_item(&label, attributes, token.as_bytes(), true, CONTENT_TYPE);
            return created.map(drop).map_err(failure);
        };
        newest.set_secret(token.as_bytes(), CONTENT_TYPE).map_err(failure)?;
        let theirs = newest.get_attributes().map_err(failure)?;
        if theirs.get(APPLICATION.0).map(String::as_str) != Some(APPLICATION.1) {
            newest.set_attributes(attributes).map_err(failure)?;
        }
        older.iter().try_for_each(Item::delete).map_err(failure)
    }

    pub(super) fn delete(&self, service: &str, user: &str) -> Result<(), Failure> {
        let (items, locked) = self.items(service, user)?;
        if locked {
            return Err(Failure::Locked);
        }
        items.iter().try_for_each(Item::delete).map_err(failure)
    }

    /// Whether a new entry would be taken.
    pub(super) fn probe(&self) -> Result<(), Failure> {
        match self.default_collection()?.is_locked().map_err(failure)? {
            true => Err(Failure::Locked),
            false => Ok(()),
        }
    }

    /// Asks the person for the password, of the entry if there is one, else of the collection that would take it.
    pub(super) fn unlock(&self, service: &str, user: &str) -> Result<(), Failure> {
        let found = self.0.search_items(attributes(service, user)).map_err(failure)?;
        match found.locked.first() {
            Some(item) => item.unlock().map_err(failure),
            None => self.default_collection()?.unlock().map_err(failure),
        }
    }

    /// The open entries of this name, the newest first, and whether there are locked ones. Opens no prompt.
    fn items(&self, service: &str, user: &str) -> Result<(Vec<Item<'_>>, bool), Failure> {
        let found = self.0.search_items(attributes(service, user)).map_err(failure)?;
        let mut items = found.unlocked;
        if items.len() > 1 {
            items.sort_by_cached_key(|item| std::cmp::Reverse(item.get_modified().unwrap_or(0)));
        }
        Ok((items, !found.locked.is_empty()))
    }

    fn default_collection(&self) -> Result<Collection<'_>, Failure> {
        self.0.get_default_collection().map_err(|error| match error {
            Error::NoResult => Failure::NotSetUp,
            error => failure(error),
        })
    }
}

/// What Python's `keyring` searches for when it reads.
fn attributes<'a>(service: &'a str, user: &'a str) -> HashMap<&'a str, &'a str> {
    HashMap::from([("service", service), ("username", user)])
}

fn failure(error: Error) -> Failure {
    match error {
        Error::Locked | Error::Prompt | Error::PromptDisconnected => Failure::Locked,
        Error::Unavailable => Failure::Absent(NO_BUS.to_owned()),
        error => Failure::Other(first_line(&error)),
    }
}

fn first_line(error: &Error) -> String {
    crate::foreign::printable(error.to_string().lines().next().unwrap_or_default())
}
