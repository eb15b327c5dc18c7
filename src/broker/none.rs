//! Systems without this broker, and builds without the feature `keychain`. The configuration of a profile that uses it
//! is refused there.

use std::time::Duration;

use super::CallError;

pub(super) struct Bus(());

impl Bus {
    pub(super) fn connect(_limit: Duration) -> Result<Self, CallError> {
        Err(CallError::Absent("not supported on this system".to_owned()))
    }

    pub(super) fn call(&self, _method: &str, _request: &str, _limit: Duration) -> Result<String, CallError> {
        Err(CallError::Absent("not supported on this system".to_owned()))
    }
}
