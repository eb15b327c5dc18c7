//! The login keychain of macOS.

use std::sync::Arc;

use apple_native_keyring_store::keychain::Store;
use keyring_core::api::CredentialStoreApi as _;
use keyring_core::{Entry, Error};

use super::KeychainError;

/// The system itself asks for the keychain's password, and whether this program may read another program's entry.
pub(super) const OS_PROMPTS: bool = true;
pub(super) const HOW_TO_GET_ONE: &str =
    "log in to the desktop and check in Keychain Access that a login keychain exists";

/// Returns None: the system itself serves the keychain.
pub(super) fn program() -> Option<String> {
    None
}

pub(super) fn how_to_unlock(_program: Option<&str>) -> String {
    "run `security unlock-keychain` and allow the access when macOS asks".to_owned()
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
        match self.entry(service, user)?.get_secret() {
            Ok(secret) => Ok(Some(secret)),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(from_store_error(error)),
        }
    }

    pub(super) fn save(&self, service: &str, user: &str, token: &str) -> Result<(), KeychainError> {
        self.entry(service, user)?.set_secret(token.as_bytes()).map_err(from_store_error)
    }

    pub(super) fn delete(&self, service: &str, user: &str) -> Result<(), KeychainError> {
        match self.entry(service, user)?.delete_credential() {
            Ok(()) | Err(Error::NoEntry) => Ok(()),
            Err(error) => Err(from_store_error(error)),
        }
    }

    /// Always succeeds: the system reports problems only when an entry is written.
    pub(super) fn probe(&self) -> Result<(), KeychainError> {
        Ok(())
    }

    pub(super) fn unlock(&self, _service: &str, _user: &str) -> Result<(), KeychainError> {
        Err(KeychainError::Locked)
    }

    fn entry(&self, service: &str, user: &str) -> Result<Entry, KeychainError> {
        self.0.build(service, user, None).map_err(from_store_error)
    }
}

/// Never prints the error with `Debug`, because `BadEncoding` contains the secret. The numbers are those of
/// `SecBase.h`.
fn from_store_error(error: Error) -> KeychainError {
    let (Error::NoStorageAccess(error) | Error::PlatformFailure(error)) = error else {
        return KeychainError::Other("no reason given".to_owned());
    };
    let number = error.downcast_ref::<security_framework::base::Error>().map_or(0, |error| error.code());
    match number {
        -25291 => KeychainError::Absent(error.to_string()), // errSecNotAvailable
        -25307 | -25294 => KeychainError::NotSetUp,         // errSecNoDefaultKeychain, errSecNoSuchKeychain
        // errSecInteractionNotAllowed (no desktop session), errSecUserCanceled, errSecAuthFailed, and for entries of
        // other programs errSecInvalidOwnerEdit and wrPermErr.
        -25308 | -128 | -25293 | -25244 | -61 => KeychainError::Locked,
        _ => KeychainError::Other(error.to_string()),
    }
}
