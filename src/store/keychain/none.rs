//! Systems whose keychain we do not know: there is none.

use super::Failure;

pub(super) const ASKS_ITSELF: bool = false;
pub(super) const HOW_TO_UNLOCK: &str = "there is none";
pub(super) const HOW_TO_GET_ONE: &str = "keep the token elsewhere";

pub(super) struct Connection(());

impl Connection {
    pub(super) fn open() -> Result<Self, Failure> {
        Err(Failure::Absent("this system's is not supported".to_owned()))
    }

    pub(super) fn load(&self, _service: &str, _user: &str) -> Result<Option<Vec<u8>>, Failure> {
        Ok(None)
    }

    pub(super) fn save(&self, _service: &str, _user: &str, _token: &str) -> Result<(), Failure> {
        Err(Failure::NotSetUp)
    }

    pub(super) fn delete(&self, _service: &str, _user: &str) -> Result<(), Failure> {
        Ok(())
    }

    pub(super) fn probe(&self) -> Result<(), Failure> {
        Err(Failure::NotSetUp)
    }

    pub(super) fn unlock(&self, _service: &str, _user: &str) -> Result<(), Failure> {
        Err(Failure::NotSetUp)
    }
}
