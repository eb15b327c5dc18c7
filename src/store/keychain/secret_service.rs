//! The Secret Service of Linux desktops (gnome-keyring, KWallet, KeePassXC).
//!
//! Uses the crate `secret-service` instead of the keyring project's store: that store's search unlocks every entry that
//! it finds, which opens a prompt, and cannot tell which of two entries is newer.

mod default_collection;
mod unlock;

use std::collections::HashMap;
use std::sync::Mutex;

use secret_service::{Collection, EncryptionType, Error, Item, SecretService};
use zbus::zvariant::OwnedObjectPath;

use super::KeychainError;
use crate::runtime::{self, Runtime};
use crate::sanitize::for_terminal;
use crate::session_bus::{self, first_line};
use default_collection::DefaultCollection;

/// The attribute that Python's `keyring` writes and searches for. Without it, Python would create a second entry.
const APPLICATION: (&str, &str) = ("application", "Python keyring library");
/// The content type that Python's `secretstorage` writes.
const CONTENT_TYPE: &str = "text/plain";

const SECRET_SERVICE: &str = "org.freedesktop.secrets";
const SERVICE_PATH: &str = "/org/freedesktop/secrets";
const SERVICE_INTERFACE: &str = "org.freedesktop.Secret.Service";
/// The object path that stands for no object.
const NO_OBJECT: &str = "/";

const KEEPASSXC: &str = "keepassxc";

/// The service asks for the password only when we request that.
pub(super) const OS_PROMPTS: bool = false;
pub(super) const HOW_TO_GET_ONE: &str =
    "start a keychain in this login session, such as gnome-keyring (cron jobs and SSH logins often have none)";

/// Returns the name of the process that serves the keychain. Asks the bus daemon, because the service may hang.
pub(super) fn program() -> Option<String> {
    let name = SECRET_SERVICE.try_into().ok()?;
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
        Some(KEEPASSXC) => "unlock the database in KeePassXC".to_owned(),
        Some(program) => format!("log in to the desktop, or unlock the keychain in {program}"),
    }
}

/// Returns how the user permits all programs to read entries, given the name of the process that serves the keychain.
pub(super) fn how_to_permit(program: Option<&str>) -> String {
    match program {
        Some(KEEPASSXC) => {
            "in KeePassXC, open Settings > Secret Service Integration and clear \"Confirm when passwords \
                            are retrieved by clients\""
                .to_owned()
        }
        program => {
            format!("in {}, allow all programs to read the entry", program.unwrap_or("the settings of the keychain"))
        }
    }
}

pub(super) struct Connection {
    client: Client,
    /// A single-threaded runtime. The crate's own blocking API would start one thread for each processor.
    runtime: Runtime,
}

impl Connection {
    pub(super) fn open() -> Result<Self, KeychainError> {
        let runtime = runtime::new().map_err(|error| KeychainError::OutOfResources(error.to_string()))?;
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

    /// Prompts for the passwords of the default collection and of the collection that contains the entry, and for the
    /// permission to read the entry.
    pub(super) fn unlock(&self, service: &str, user: &str) -> Result<(), KeychainError> {
        self.runtime.block_on(self.client.unlock(service, user))
    }
}

struct Client {
    service: SecretService<'static>,
    bus: zbus::Connection,
    /// The state of the default collection when the connection was opened. The first request takes it; the others, and
    /// the first if this query failed, query again.
    default_collection: Mutex<Option<DefaultCollection>>,
    /// The entry that was loaded, if it is the only one of its name.
    loaded: Mutex<Option<OwnedObjectPath>>,
}

impl Client {
    async fn open() -> Result<Self, KeychainError> {
        let bus = session_bus::connect().await.map_err(KeychainError::Absent)?;
        let (default_collection, service) = tokio::join!(DefaultCollection::query(&bus), open_session(&bus));
        let service = service.map_err(|error| {
            let text = error.to_string();
            // The bus reports this for a name that has no owner and cannot be activated.
            match ["ServiceUnknown", "NameHasNoOwner", "Error.Spawn"].iter().any(|name| text.contains(name)) {
                true => KeychainError::Absent(format!("no Secret Service is running: {}", first_line(&error))),
                false => KeychainError::Other(first_line(&error)),
            }
        })?;
        let default_collection = Mutex::new(default_collection.ok().flatten());
        Ok(Self { service, bus, default_collection, loaded: Mutex::default() })
    }

    async fn load(&self, service: &str, user: &str) -> Result<Option<Vec<u8>>, KeychainError> {
        let Entries { unlocked, locked } = self.entries(service, user).await?;
        *self.loaded.lock().expect("no thread panics with it") = match (&unlocked[..], &locked) {
            ([only], None) => Some(only.item_path.clone()),
            _ => None,
        };
        match (unlocked.first(), locked) {
            (Some(newest), _) => newest.get_secret().await.map(Some).map_err(from_store_error),
            (None, Some(error)) => Err(error),
            (None, None) => Ok(None),
        }
    }

    async fn save(&self, service: &str, user: &str, token: &str) -> Result<(), KeychainError> {
        let attributes = HashMap::from([("service", service), ("username", user), APPLICATION]);
        if let Some(loaded) = self.loaded_entry(&attributes).await {
            // If this fails, the caller tries once more on a new connection, where no entry was loaded.
            return loaded.set_secret(token.as_bytes(), CONTENT_TYPE).await.map_err(from_store_error);
        }
        // A locked entry cannot be replaced; the new one would be a second entry.
        let entries = self.entries(service, user).await?.all_unlocked()?;
        let Some((newest, older)) = entries.split_first() else {
            let collection = self.open_collection().await?;
            let label = format!("Password for '{user}' on '{service}'");
            let created = collection.create_item(&label, attributes, token.as_bytes(), true, CONTENT_TYPE);
            return created.await.map(drop).map_err(from_store_error);
        };
        newest.set_secret(token.as_bytes(), CONTENT_TYPE).await.map_err(from_store_error)?;
        // The token is saved. An older entry that stays is never read, because it is not the newest.
        if let Err(error) = tidy_up(newest, attributes, older).await {
            log::info!("the keychain entry is saved, but not tidied up: {}", first_line(&error));
        }
        Ok(())
    }

    /// Returns the entry that was loaded, if it still has these attributes. This takes one call instead of the three of a
    /// search.
    async fn loaded_entry(&self, attributes: &HashMap<&str, &str>) -> Option<Item<'_>> {
        let path = self.loaded.lock().expect("no thread panics with it").clone()?;
        let entry = self.service.get_item_by_path(path).await.ok()?;
        // Another program may have replaced the entry in the meantime, by one of its own.
        let theirs = entry.get_attributes().await.ok()?;
        let is_unchanged = attributes.iter().all(|(name, value)| theirs.get(*name).is_some_and(|their| their == value));
        is_unchanged.then_some(entry)
    }

    async fn delete(&self, service: &str, user: &str) -> Result<(), KeychainError> {
        delete_all(&self.entries(service, user).await?.all_unlocked()?).await.map_err(from_store_error)
    }

    async fn unlock(&self, service: &str, user: &str) -> Result<(), KeychainError> {
        if let Err(KeychainError::Locked) = self.open_collection().await {
            let unlock = async { self.service.get_default_collection().await?.unlock().await };
            unlock.await.map_err(from_store_error)?;
        }
        let found = self.service.search_items(attributes(service, user)).await.map_err(from_store_error)?;
        match found.locked.is_empty() {
            true => Ok(()),
            false => self.service.unlock_all(&found.locked.iter().collect::<Vec<_>>()).await.map_err(from_store_error),
        }
    }

    /// Returns the entries of this name. Never opens a window.
    async fn entries(&self, service: &str, user: &str) -> Result<Entries<'_>, KeychainError> {
        // First the collection: KeePassXC does not respond to a search while its database is locked.
        let collection = match self.open_collection().await {
            Err(KeychainError::NotSetUp) => None,
            opened => Some(opened?),
        };
        let found = self.service.search_items(attributes(service, user)).await.map_err(from_store_error)?;
        let locked = found.locked.first().map(|item| {
            let is_inside =
                |collection: &Collection<'_>| item.item_path.starts_with(&format!("{}/", *collection.collection_path));
            match collection.as_ref().is_some_and(is_inside) {
                true => KeychainError::NotPermitted,
                false => KeychainError::Locked,
            }
        });
        let mut unlocked = found.unlocked;
        if unlocked.len() > 1 {
            let mut dated = Vec::new();
            for item in unlocked {
                dated.push((item.get_modified().await.unwrap_or(0), item));
            }
            dated.sort_by_key(|(modified, _)| std::cmp::Reverse(*modified));
            unlocked = dated.into_iter().map(|(_, item)| item).collect();
        }
        Ok(Entries { unlocked, locked })
    }

    /// Returns the default collection, where a new entry is created, if it is unlocked or can be unlocked without a
    /// window.
    async fn open_collection(&self) -> Result<Collection<'_>, KeychainError> {
        let known = self.default_collection.lock().expect("no thread panics with it").take();
        let DefaultCollection { path, is_locked } = match known {
            Some(known) => known,
            None => {
                DefaultCollection::query(&self.bus).await.map_err(from_store_error)?.ok_or(KeychainError::NotSetUp)?
            }
        };
        let collection = self.service.get_collection_by_path(path).await.map_err(from_store_error)?;
        match is_locked && !unlock::without_window(&self.bus, &collection).await.map_err(from_store_error)? {
            true => Err(KeychainError::Locked),
            false => Ok(collection),
        }
    }
}

/// Opens a session, if possible with encrypted transfer.
async fn open_session(bus: &zbus::Connection) -> Result<SecretService<'static>, Error> {
    let mut service = SecretService::connect_with_existing(EncryptionType::Dh, bus.clone()).await;
    if is_refused(&service, "InvalidArgs") {
        // A new key helps: KWallet refuses a public key that begins with a zero byte, because the crate leaves that byte
        // out (https://github.com/mitya57/secretstorage/issues/48). That is one key in 256.
        service = SecretService::connect_with_existing(EncryptionType::Dh, bus.clone()).await;
    }
    if is_refused(&service, "NotSupported") {
        // A service need not encrypt (Secret Service API, "Transfer of Secrets"). libsecret and Python's library accept
        // that, too.
        service = SecretService::connect_with_existing(EncryptionType::Plain, bus.clone()).await;
    }
    service
}

/// Returns whether the service refused the session with this D-Bus error.
fn is_refused(session: &Result<SecretService<'_>, Error>, error: &str) -> bool {
    session.as_ref().is_err_and(|failure| failure.to_string().contains(&format!("org.freedesktop.DBus.Error.{error}")))
}

/// The entries of one name.
struct Entries<'a> {
    /// The newest first.
    unlocked: Vec<Item<'a>>,
    /// Why another entry cannot be read.
    locked: Option<KeychainError>,
}

impl<'a> Entries<'a> {
    fn all_unlocked(self) -> Result<Vec<Item<'a>>, KeychainError> {
        self.locked.map_or(Ok(self.unlocked), Err)
    }
}

/// Marks the entry as Python's, so that Python does not create a second one, and deletes older entries.
async fn tidy_up(newest: &Item<'_>, attributes: HashMap<&str, &str>, older: &[Item<'_>]) -> Result<(), Error> {
    let theirs = newest.get_attributes().await?;
    if theirs.get(APPLICATION.0).map(String::as_str) != Some(APPLICATION.1) {
        newest.set_attributes(attributes).await?;
    }
    delete_all(older).await
}

async fn delete_all(items: &[Item<'_>]) -> Result<(), Error> {
    for item in items {
        item.delete().await?;
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
