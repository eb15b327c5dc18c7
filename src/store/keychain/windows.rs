//! The Credential Manager of Windows.

use std::collections::HashMap;
use std::sync::Arc;

use keyring_core::api::CredentialStoreApi as _;
use keyring_core::{Entry, Error};
use windows_native_keyring_store::Store;

use super::KeychainError;
use super::chunks::{self, Entries};

/// There is nothing for us to unlock: the Credential Manager is unlocked as long as the user is logged in.
pub(super) const OS_PROMPTS: bool = true;
pub(super) const HOW_TO_GET_ONE: &str =
    "log in with your password (services and SSH logins by key have no Credential Manager)";

/// Returns None: the system itself serves the keychain.
pub(super) fn program() -> Option<String> {
    None
}

pub(super) fn how_to_unlock(_program: Option<&str>) -> String {
    HOW_TO_GET_ONE.to_owned()
}

pub(super) fn how_to_permit(program: Option<&str>) -> String {
    how_to_unlock(program)
}

pub(super) struct Connection(Arc<Store>);

impl Connection {
    pub(super) fn open() -> Result<Self, KeychainError> {
        Store::new().map(Self).map_err(from_store_error)
    }

    pub(super) fn load(&self, service: &str, user: &str) -> Result<Option<Vec<u8>>, KeychainError> {
        chunks::load(&self.entries(user), service)
    }

    /// Writes UTF-8, because most tokens would not fit in UTF-16. Python's `keyring`, which writes UTF-16, may misread
    /// such an entry.
    pub(super) fn save(&self, service: &str, user: &str, token: &str) -> Result<(), KeychainError> {
        chunks::save(&self.entries(user), service, token.as_bytes())
    }

    pub(super) fn delete(&self, service: &str, user: &str) -> Result<(), KeychainError> {
        chunks::delete(&self.entries(user), service)
    }

    /// Always succeeds: the system reports problems only when an entry is written.
    pub(super) fn probe(&self) -> Result<(), KeychainError> {
        Ok(())
    }

    pub(super) fn unlock(&self, _service: &str, _user: &str) -> Result<(), KeychainError> {
        Err(KeychainError::Locked)
    }

    fn entries<'a>(&'a self, user: &'a str) -> UserEntries<'a> {
        UserEntries { store: &self.0, user }
    }
}

struct UserEntries<'a> {
    store: &'a Store,
    user: &'a str,
}

impl UserEntries<'_> {
    fn entry(&self, name: &str) -> Result<Entry, KeychainError> {
        // Python's target name is the service alone; the store's default would contain the user name.
        let modifiers = HashMap::from([("target", name)]);
        self.store.build(name, self.user, Some(&modifiers)).map_err(from_store_error)
    }
}

impl Entries for UserEntries<'_> {
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, KeychainError> {
        match self.entry(name)?.get_secret() {
            Ok(secret) => Ok(Some(secret)),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(from_store_error(error)),
        }
    }

    fn write(&self, name: &str, blob: &[u8]) -> Result<(), KeychainError> {
        let entry = self.entry(name)?;
        entry.set_secret(blob).map_err(from_store_error)?;
        // With an explicit target the store writes no user name, but Python's `keyring` searches for it.
        entry.update_attributes(&HashMap::from([("username", self.user)])).map_err(from_store_error)
    }

    fn remove(&self, name: &str) -> Result<(), KeychainError> {
        match self.entry(name)?.delete_credential() {
            Ok(()) | Err(Error::NoEntry) => Ok(()),
            Err(error) => Err(from_store_error(error)),
        }
    }
}

/// Never prints the error with `Debug`, because `BadEncoding` contains the secret.
fn from_store_error(error: Error) -> KeychainError {
    match error {
        Error::NoStorageAccess(error) => KeychainError::Absent(error.to_string()), // ERROR_NO_SUCH_LOGON_SESSION alone
        Error::PlatformFailure(error) => KeychainError::Other(error.to_string()),
        Error::TooLong(what, limit) => KeychainError::Other(format!("its {what} is limited to {limit} characters")),
        _ => KeychainError::Other("no reason given".to_owned()),
    }
}
