//! Systems whose keychain is not supported.

use super::KeychainError;

pub(super) const OS_PROMPTS: bool = false;
pub(super) const HOW_TO_GET_ONE: &str = "use another store";

/// Returns None, because this system has no keychain.
pub(super) fn program() -> Option<String> {
    None
}

pub(super) fn how_to_unlock(_program: Option<&str>) -> String {
    "no keychain is supported on this system".to_owned()
}

pub(super) fn how_to_permit(program: Option<&str>) -> String {
    how_to_unlock(program)
}

pub(super) struct Connection(());

impl Connection {
    pub(super) fn open() -> Result<Self, KeychainError> {
        Err(KeychainError::Absent("not supported on this system".to_owned()))
    }

    pub(super) fn load(&self, _service: &str, _user: &str) -> Result<Option<Vec<u8>>, KeychainError> {
        Ok(None)
    }

    pub(super) fn save(&self, _service: &str, _user: &str, _token: &str) -> Result<(), KeychainError> {
        Err(KeychainError::NotSetUp)
    }

    pub(super) fn delete(&self, _service: &str, _user: &str) -> Result<(), KeychainError> {
        Ok(())
    }

    pub(super) fn probe(&self) -> Result<(), KeychainError> {
        Err(KeychainError::NotSetUp)
    }

    pub(super) fn unlock(&self, _service: &str, _user: &str) -> Result<(), KeychainError> {
        Err(KeychainError::NotSetUp)
    }
}
