//! The user's keyring in the Linux kernel (keyrings(7), user-keyring(7)). Other users cannot read it, it is not
//! swapped, and the kernel removes a key when its timeout expires. A kernel without keyrings (ENOSYS), a container that
//! forbids them (EPERM), a full quota (EDQUOT) and a missing or expired key (ENOKEY, EKEYEXPIRED) are ordinary misses.
//!
//! An ordinary user has 200 keys and 20,000 bytes for all programs together (keyrings(7), "maxkeys", "maxbytes").

use linux_keyutils::{Key, KeyError, KeyPermissionsBuilder, KeyRing, KeyRingIdentifier, Permission};

/// In bytes. An entry with a token of Microsoft's has about 2,000.
const USUAL_SIZE: usize = 4096;

/// Reads the entry. Searches the user keyring directly: a process keyring in each reader would cost one of the user's
/// keys.
pub(super) fn get(name: &str) -> Option<Vec<u8>> {
    let key = find(name).ok()?;
    let mut entry = [0; USUAL_SIZE];
    let size = key.read(&mut entry).ok()?;
    match entry.get(..size) {
        Some(entry) => Some(entry.to_vec()),
        None => key.read_to_vec().ok(), // reserves 64 KiB, which costs more than the calls
    }
}

/// Caches the entry for this many seconds.
///
/// A key that is added directly to the user keyring has no timeout at first, and a login whose session keyring does not
/// contain the user keyring (as with SSH and cron) cannot set one, so the key would stay forever. Therefore the key is
/// added to the process keyring, gets its timeout and its permissions there, and is then linked to the user keyring,
/// where it replaces an older one.
pub(super) fn insert(name: &str, entry: &[u8], seconds: u64) -> Result<(), &'static str> {
    let insert = || {
        let process = KeyRing::from_special_id(KeyRingIdentifier::Process, true)?;
        let key = process.add_key(name, entry)?;
        key.set_timeout(usize::try_from(seconds).unwrap_or(usize::MAX))?;
        // Without these, a login that does not possess the user keyring could not read the key.
        let user = Permission::VIEW | Permission::READ | Permission::SEARCH;
        key.set_perms(KeyPermissionsBuilder::builder().posessor(Permission::ALL).user(user).build())?;
        KeyRing::from_special_id(KeyRingIdentifier::User, true)?.link_key(key)?;
        process.unlink_key(key) // a long-lived process would overwrite it in place, which removes its timeout
    };
    insert().map_err(|error| match error {
        KeyError::QuotaExceeded => "the user's key quota is exhausted",
        _ => "the kernel keyring is not available",
    })
}

/// Removes the entry, also one of version 0.1. That version sets no permissions, so a login that does not possess the
/// user keyring finds its entries only through a process keyring that is linked to the user keyring.
pub(super) fn remove(name: &str) {
    let find_linked = |_| {
        let process = KeyRing::from_special_id(KeyRingIdentifier::Process, true)?;
        process.link_keyring_id(KeyRingIdentifier::User)?;
        process.search(name)
    };
    _ = find(name).or_else(find_linked).and_then(|key| key.invalidate());
}

fn find(name: &str) -> Result<Key, KeyError> {
    KeyRing::from_special_id(KeyRingIdentifier::User, false)?.search(name)
}
