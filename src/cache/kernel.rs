//! The user's keyring in the Linux kernel (keyrings(7), user-keyring(7)). No other user can read it, it is not swapped,
//! and a key with a timeout is gone when that is over. A kernel without it (ENOSYS), a container that forbids it
//! (EPERM), a user's full quota (EDQUOT), a key that is not there or too old (ENOKEY, EKEYEXPIRED) are ordinary misses.

use linux_keyutils::{KeyError, KeyRing, KeyRingIdentifier};

pub(super) fn get(name: &str) -> Option<Vec<u8>> {
    process_keyring().and_then(|process| process.search(name)?.read_to_vec()).ok()
}

/// Keeps the entry for so many seconds.
///
/// A key that is added to the user's keyring at once is there without a timeout, and can be given none from a login
/// whose session keyring does not hold the user's (ssh and cron can be such): it would stay for ever. So it gets its
/// timeout in the process's own keyring, and is then linked to the user's, where it takes the place of an older one.
pub(super) fn insert(name: &str, entry: &[u8], seconds: u64) -> Result<(), &'static str> {
    let insert = || {
        let process = process_keyring()?;
        let key = process.add_key(name, entry)?;
        key.set_timeout(usize::try_from(seconds).unwrap_or(usize::MAX))?;
        KeyRing::from_special_id(KeyRingIdentifier::User, true)?.link_key(key)?;
        process.unlink_key(key) // in a long-lived process it would be overwritten in place, which takes its timeout off
    };
    insert().map_err(|error| match error {
        KeyError::QuotaExceeded => "this user's quota of keys is full",
        _ => "the kernel does not offer it here",
    })
}

pub(super) fn remove(name: &str) {
    _ = process_keyring().and_then(|process| process.search(name)?.invalidate());
}

/// The process's own keyring with the user's in it, without which a login whose session keyring does not hold the
/// user's may not read there.
fn process_keyring() -> Result<KeyRing, KeyError> {
    let process = KeyRing::from_special_id(KeyRingIdentifier::Process, true)?;
    process.link_keyring_id(KeyRingIdentifier::User)?;
    Ok(process)
}
