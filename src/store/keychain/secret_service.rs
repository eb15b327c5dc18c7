//! The Secret Service of Linux desktops (gnome-keyring, KWallet, KeePassXC).
//!
//! Uses the crate `secret-service` instead of the keyring project's store: that store's search unlocks every entry that
//! it finds, which opens a prompt, and cannot tell which of two entries is newer.

use std::collections::HashMap;

use secret_service::{Collection, EncryptionType, Error, Item, SecretService};
use tokio::runtime::Runtime;

use super::KeychainError;
use crate::runtime;
use crate::sanitize::for_terminal;
use crate::session_bus::{self, first_line};

/// The attribute that Python's `keyring` writes and searches for. Without it, Python would create a second entry.
const APPLICATION: (&str, &str) = ("application", "Python keyring library");
/// The content type that Python's `secretstorage` writes.
const CONTENT_TYPE: &str = "text/plain";

/// The service asks for the password only when we request that.
pub(super) const OS_PROMPTS: bool = false;
pub(super) const HOW_TO_GET_ONE: &str =
    "start a keychain in this login session, such as gnome-keyring (cron jobs and SSH logins often have none)";

/// Returns the name of the process that serves the keychain. Asks the bus daemon, because the service may hang.
pub(super) fn program() -> Option<String> {
    let name = "org.freedesktop.secrets".try_into().ok()?;
    let process = runtime::new().ok()?.block_on(async {
        let bus = session_bus::connect().await.ok()?;
        zbus::fdo::DBusProxy::new(&bus).await.ok()?.get_connection_unix_process_id(name).await.ok()
    })?;
    std::fs::read_to_string(format!("/proc/{process}/comm")).ok().map(|name| for_terminal(&name))
}

/// Returns how the user unlocks the keychain, given the name of the process that serves it.
pub(super) fn how_to_unlock(program: Option<&str>) -> String {
    match program {
        // A process name has 15 characters at most (proc_pid_comm(5)).
        None | Some("gnome-keyring-d") => "log in to the desktop, or run `gnome-keyring-daemon --unlock`".to_owned(),
        Some(program) => format!("log in to the desktop, or unlock the keychain in {program}"),
    }
}

pub(super) struct Connection {
    client: Client,
    /// A single-threaded runtime. The crate's own blocking API would start one thread for each processor.
    runtime: Runtime,
}

impl Connection {
    pub(super) fn open() -> Result<Self, KeychainError> {
        let runtime = runtime::new().map_err(|error| KeychainError::Other(error.to_string()))?;
        let client = runtime.block_on(Client::open())?;
        Ok(Self { client, runtime })
    }

    pub(super) fn load(&self, service: &str, user: &str) -> Result<Option<Vec<u8>>, KeychainError> {
        self.runtime.block_on(self.client.load(service, user))
    }

    pub(super) fn save(&self, service: &str, user: &str, token: &str) -> Result<(), KeychainError> {
        self.runtime.block_on(self.client.save(service, user, token))
    }

    pub(super) fn delete(&self, service: &str, user: &str) -> Result<(), KeychainError> {
        self.runtime.block_on(self.client.delete(service, user))
    }

    /// Checks whether a new entry could be created.
    pub(super) fn probe(&self) -> Result<(), KeychainError> {
        self.runtime.block_on(self.client.open_collection()).map(drop)
    }

    /// Prompts for the password of the entry's collection, or of the default collection if there is no entry.
    pub(super) fn unlock(&self, service: &str, user: &str) -> Result<(), KeychainError> {
        self.runtime.block_on(self.client.unlock(service, user))
    }
}

struct Client(SecretService<'static>);

impl Client {
    async fn open() -> Result<Self, KeychainError> {
        let bus = session_bus::connect().await.map_err(KeychainError::Absent)?;
        let service = SecretService::connect_with_existing(EncryptionType::Dh, bus).await.map_err(|error| {
            let text = error.to_string();
            // The bus reports this for a name that has no owner and cannot be activated.
            match ["ServiceUnknown", "NameHasNoOwner", "Error.Spawn"].iter().any(|name| text.contains(name)) {
                true => KeychainError::Absent(format!("no Secret Service is running: {}", first_line(&error))),
                false => KeychainError::Other(first_line(&error)),
            }
        })?;
        Ok(Self(service))
    }

    async fn load(&self, service: &str, user: &str) -> Result<Option<Vec<u8>>, KeychainError> {
        let (items, locked) = self.items(service, user).await?;
        match items.first() {
            Some(newest) => newest.get_secret().await.map(Some).map_err(from_store_error),
            None if locked => Err(KeychainError::Locked),
            None => match self.open_collection().await {
                Ok(_) | Err(KeychainError::NotSetUp) => Ok(None),
                Err(other) => Err(other),
            },
        }
    }

    async fn save(&self, service: &str, user: &str, token: &str) -> Result<(), KeychainError> {
        let (items, locked) = self.items(service, user).await?;
        if locked {
            return Err(KeychainError::Locked); // a locked entry cannot be replaced; the new one would be a second entry
        }
        let attributes = HashMap::from([("service", service), ("username", user), APPLICATION]);
        let Some((newest, older)) = items.split_first() else {
            let collection = self.open_collection().await?;
            let label = format!("Password for '{user}' on '{service}'");
            let created = collection.create_item(&label, attributes, token.as_bytes(), true, CONTENT_TYPE);
            return created.await.map(drop).map_err(from_store_error);
        };
        newest.set_secret(token.as_bytes(), CONTENT_TYPE).await.map_err(from_store_error)?;
        let theirs = newest.get_attributes().await.map_err(from_store_error)?;
        if theirs.get(APPLICATION.0).map(String::as_str) != Some(APPLICATION.1) {
            newest.set_attributes(attributes).await.map_err(from_store_error)?;
        }
        delete_all(older).await
    }

    async fn delete(&self, service: &str, user: &str) -> Result<(), KeychainError> {
        match self.items(service, user).await? {
            (_, true) => Err(KeychainError::Locked),
            (items, false) => delete_all(&items).await,
        }
    }

    async fn unlock(&self, service: &str, user: &str) -> Result<(), KeychainError> {
        let found = self.0.search_items(attributes(service, user)).await.map_err(from_store_error)?;
        match found.locked.first() {
            Some(item) => item.unlock().await.map_err(from_store_error),
            None => self.default_collection().await?.unlock().await.map_err(from_store_error),
        }
    }

    /// Returns the unlocked entries of this name, newest first, and whether there are locked ones. Never prompts.
    async fn items(&self, service: &str, user: &str) -> Result<(Vec<Item<'_>>, bool), KeychainError> {
        let found = self.0.search_items(attributes(service, user)).await.map_err(from_store_error)?;
        let mut items = found.unlocked;
        if items.len() > 1 {
            let mut dated = Vec::new();
            for item in items {
                dated.push((item.get_modified().await.unwrap_or(0), item));
            }
            dated.sort_by_key(|(modified, _)| std::cmp::Reverse(*modified));
            items = dated.into_iter().map(|(_, item)| item).collect();
        }
        Ok((items, !found.locked.is_empty()))
    }

    /// Returns the default collection, where a new entry is created, if it is unlocked.
    async fn open_collection(&self) -> Result<Collection<'_>, KeychainError> {
        let collection = self.default_collection().await?;
        match collection.is_locked().await.map_err(from_store_error)? {
            true => Err(KeychainError::Locked),
            false => Ok(collection),
        }
    }

    async fn default_collection(&self) -> Result<Collection<'_>, KeychainError> {
        self.0.get_default_collection().await.map_err(|error| match error {
            Error::NoResult => KeychainError::NotSetUp,
            error => from_store_error(error),
        })
    }
}

async fn delete_all(items: &[Item<'_>]) -> Result<(), KeychainError> {
    for item in items {
        item.delete().await.map_err(from_store_error)?;
    }
    Ok(())
}

/// The attributes that Python's `keyring` searches for when it reads.
fn attributes<'a>(service: &'a str, user: &'a str) -> HashMap<&'a str, &'a str> {
    HashMap::from([("service", service), ("username", user)])
}

fn from_store_error(error: Error) -> KeychainError {
    match error {
        Error::Locked | Error::Prompt | Error::PromptDisconnected => KeychainError::Locked,
        Error::Unavailable => KeychainError::Absent("the Secret Service has stopped".to_owned()),
        error => KeychainError::Other(first_line(&error)),
    }
}
