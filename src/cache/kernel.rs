//! The user's keyring in the Linux kernel (keyrings(7), user-keyring(7)). Other users cannot read it, it is not swapped,
//! and the kernel removes a key when its timeout expires. A kernel without keyrings (ENOSYS), a container that forbids
//! them (EPERM), a full quota (EDQUOT) and a missing or expired key (ENOKEY, EKEYEXPIRED) are ordinary misses.

use linux_keyutils::{KeyError, KeyRing, KeyRingIdentifier};

pub(super) fn get(name: &str) -> Option<Vec<u8>> {
    process_keyring().and_then(|process| process.search(name)?.read_to_vec()).ok()
}

/// Caches the entry for this many seconds.
///
/// A key that is added directly to the user keyring has no timeout at first, and a login whose session keyring does not
/// contain the user keyring (SSH and cron can be such) cannot set one: the key would stay for ever. So the key is added
/// to the process keyring, gets its timeout there, and is then linked to the user keyring, where it replaces an older
/// one.
pub(super) fn insert(name: &str, entry: &[u8], seconds: u64) -> Result<(), &'static str> {
    let insert = || {
        let process = process_keyring()?;
        let key = process.add_key(name, entry)?;
        key.set_timeout(usize::try_from(seconds).unwrap_or(usize::MAX))?;
        KeyRing::from_special_id(KeyRingIdentifier::User, true)?.link_key(key)?;
        process.unlink_key(key) // a long-lived process would overwrite it in place, which removes its timeout
    };
    insert().map_err(|error| match error {
        KeyError::QuotaExceeded => "the user's key quota is exhausted",
        _ => "the kernel keyring is not available",
    })
}

pub(super) fn remove(name: &str) {
    _ = process_keyring().and_then(|process| process.search(name)?.invalidate());
}

/// Returns the process keyring, linked to the user keyring. Without that link a login whose session keyring does not
/// contain the user keyring may not read from it.
fn process_keyring() -> Result<KeyRing, KeyError> {
    let process = KeyRing::from_special_id(KeyRingIdentifier::Process, true)?;
    process.link_keyring_id(KeyRingIdentifier::User)?;
    Ok(process)
}
