//! macOS and Windows: the Keychain and the Credential Manager, by the keyring project's stores.

#[cfg(windows)]
use std::collections::HashMap;

use keyring_core::api::CredentialStoreApi as _;
use keyring_core::{Entry, Error};

use super::Failure;

#[cfg(target_os = "macos")]
use apple_native_keyring_store::keychain::Store;
#[cfg(windows)]
use windows_native_keyring_store::Store;

pub(super) struct Connection(std::sync::Arc<Store>);

impl Connection {
    pub(super) fn open() -> Result<Self, Failure> {
        Store::new().map(Self).map_err(failure)
    }

    pub(super) fn load(&self, service: &str, user: &str) -> Result<Option<Vec<u8>>, Failure> {
        match self.entry(service, user)?.get_secret() {
            Ok(secret) => Ok(Some(secret)),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(failure(error)),
        }
    }

    pub(super) fn save(&self, service: &str, user: &str, token: &str) -> Result<(), Failure> {
        let entry = self.entry(service, user)?;
        // UTF-8, though Python's `keyring` writes UTF-16 on Windows and may misread this: the Credential Manager takes
        // 2,560 bytes, and twice a token's length is mostly more (jaraco/keyring issue 355).
        entry.set_secret(token.as_bytes()).map_err(failure)?;
        // The store writes a user name of its own making; Python's reads match on this one.
        #[cfg(windows)]
        entry.update_attributes(&HashMap::from([("username", user)])).map_err(failure)?;
        Ok(())
    }

    pub(super) fn delete(&self, service: &str, user: &str) -> Result<(), Failure> {
        match self.entry(service, user)?.delete_credential() {
            Ok(()) | Err(Error::NoEntry) => Ok(()),
            Err(error) => Err(failure(error)),
        }
    }

    /// The system says so only when something is written.
    pub(super) fn probe(&self) -> Result<(), Failure> {
        Ok(())
    }

    /// The system asks the person itself, when an entry is read.
    pub(super) fn unlock(&self, _service: &str, _user: &str) -> Result<(), Failure> {
        Err(Failure::Locked)
    }

    fn entry(&self, service: &str, user: &str) -> Result<Entry, Failure> {
        // Python's target name is the service alone; the store's own default would be another.
        #[cfg(windows)]
        let modifiers = Some(HashMap::from([("target", service)]));
        #[cfg(not(windows))]
        let modifiers = None;
        self.0.build(service, user, modifiers.as_ref()).map_err(failure)
    }
}

/// Never the error's own `Debug`: `BadEncoding` carries the secret.
fn failure(error: Error) -> Failure {
    match error {
        Error::NoStorageAccess(_) => Failure::Locked,
        Error::NoDefaultStore => Failure::Absent("the system offers none".to_owned()),
        Error::BadEncoding(_) | Error::BadDataFormat(..) => Failure::Garbled,
        Error::PlatformFailure(error) => Failure::Other(error.to_string()),
        Error::TooLong(_, limit) => Failure::Other(format!("it takes no more than {limit} characters")),
        _ => Failure::Other("it gave no reason".to_owned()),
    }
}
