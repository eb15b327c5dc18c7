//! Systems whose keychain is not supported, and builds without the feature `keychain`. No call gets past `open`.

use super::KeychainError;

pub(super) const OS_PROMPTS: bool = false;
pub(super) const HOW_TO_GET_ONE: &str =
    if IS_LEFT_OUT { "use a build with the feature `keychain`" } else { "use another store" };

/// Whether this system's keychain is supported by a build with the feature.
const IS_LEFT_OUT: bool = cfg!(any(target_os = "linux", target_os = "macos", windows));

/// Returns None, because there is no keychain.
pub(super) fn program() -> Option<String> {
    None
}

pub(super) fn how_to_unlock(_program: Option<&str>) -> String {
    HOW_TO_GET_ONE.to_owned()
}

pub(super) fn how_to_permit(program: Option<&str>) -> String {
    how_to_unlock(program)
}

/// Never created.
pub(super) enum Connection {}

impl Connection {
    pub(super) fn open() -> Result<Self, KeychainError> {
        let why = if IS_LEFT_OUT { "built without keychain support" } else { "not supported on this system" };
        Err(KeychainError::Absent(why.to_owned()))
    }

    pub(super) fn load(&self, _service: &str, _user: &str) -> Result<Option<Vec<u8>>, KeychainError> {
        match *self {}
    }

    pub(super) fn save(&self, _service: &str, _user: &str, _token: &str) -> Result<(), KeychainError> {
        match *self {}
    }

    pub(super) fn delete(&self, _service: &str, _user: &str) -> Result<(), KeychainError> {
        match *self {}
    }

    pub(super) fn probe(&self) -> Result<(), KeychainError> {
        match *self {}
    }

    pub(super) fn unlock(&self, _service: &str, _user: &str) -> Result<(), KeychainError> {
        match *self {}
    }
}
