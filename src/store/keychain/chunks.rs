//! Tokens that do not fit into one entry of the Credential Manager.
//!
//! A token that fits is stored in one entry, as Python does. A longer token is split into chunks, and the entry
//! contains a manifest instead: `parts SET COUNT DIGEST`, which cannot be a token because it contains spaces. The
//! chunks have entries of their own, `NAME/a1`, `NAME/a2` and so on, or `NAME/b1` and so on. A new token uses the set
//! that the old token does not use, and the manifest is written last: a process that is killed before that leaves the
//! old token intact.

use sha2::{Digest, Sha256};

use super::KeychainError;

/// `CRED_MAX_CREDENTIAL_BLOB_SIZE` of Windows, in bytes. Python's `keyring`, which writes UTF-16, fails at half of that
/// many characters (jaraco/keyring issue 355), so a longer token cannot be shared with it.
const MAX_BLOB_SIZE: usize = 5 * 512;
/// Enough for five times the longest token that users reported.
const MAX_CHUNKS: usize = 4;
const SETS: [char; 2] = ['a', 'b'];
/// Separates the names of the entry and of the chunk. A profile name cannot contain it, so no chunk is another profile's
/// entry.
const CHUNK_SEPARATOR: char = '/';

/// The entries of one user, by name.
pub(super) trait Entries {
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, KeychainError>;
    fn write(&self, name: &str, blob: &[u8]) -> Result<(), KeychainError>;
    /// Succeeds if the entry does not exist.
    fn remove(&self, name: &str) -> Result<(), KeychainError>;
}

/// Returns the token in the entry or in the chunks that its manifest lists.
pub(super) fn load(entries: &impl Entries, name: &str) -> Result<Option<Vec<u8>>, KeychainError> {
    match load_once(entries, name) {
        // Another command may have removed the chunks after we read the manifest. By now it has written its own.
        Err(KeychainError::Malformed) => load_once(entries, name),
        loaded => loaded,
    }
}

fn load_once(entries: &impl Entries, name: &str) -> Result<Option<Vec<u8>>, KeychainError> {
    let Some(blob) = entries.read(name)? else { return Ok(None) };
    let Some(manifest) = Manifest::parse(&blob) else { return Ok(Some(blob)) };
    let mut token = Vec::new();
    for chunk in manifest.names(name) {
        token.extend(entries.read(&chunk)?.ok_or(KeychainError::Malformed)?);
    }
    if digest(&token) == manifest.digest { Ok(Some(token)) } else { Err(KeychainError::Malformed) }
}

/// Stores the token in one entry if it fits, else in chunks. Removes the chunks of the previous token.
pub(super) fn save(entries: &impl Entries, name: &str, token: &[u8]) -> Result<(), KeychainError> {
    let before = entries.read(name)?.and_then(|blob| Manifest::parse(&blob));
    if token.len() <= MAX_BLOB_SIZE {
        entries.write(name, token)?;
    } else {
        let manifest = Manifest::of(token, before.as_ref())?;
        for (chunk, bytes) in manifest.names(name).zip(token.chunks(MAX_BLOB_SIZE)) {
            entries.write(&chunk, bytes)?;
        }
        entries.write(name, manifest.to_text().as_bytes())?;
    }
    for chunk in before.iter().flat_map(|manifest| manifest.names(name)) {
        if entries.remove(&chunk).is_err() {
            log::warn!("could not remove a part of the previous token from the keychain: {chunk}");
        }
    }
    Ok(())
}

/// Removes the entry and every chunk that may exist, whether a manifest lists it or not.
pub(super) fn delete(entries: &impl Entries, name: &str) -> Result<(), KeychainError> {
    entries.remove(name)?;
    let parts = SETS.into_iter().flat_map(|set| names(name, set, MAX_CHUNKS));
    parts.into_iter().try_for_each(|chunk| entries.remove(&chunk))
}

struct Manifest {
    set: char,
    count: usize,
    digest: String,
}

impl Manifest {
    fn of(token: &[u8], before: Option<&Self>) -> Result<Self, KeychainError> {
        let count = token.len().div_ceil(MAX_BLOB_SIZE);
        if count > MAX_CHUNKS {
            return Err(KeychainError::Other(format!(
                "a token is limited to {} characters",
                MAX_BLOB_SIZE * MAX_CHUNKS
            )));
        }
        let set = if before.is_some_and(|manifest| manifest.set == SETS[0]) { SETS[1] } else { SETS[0] };
        Ok(Self { set, count, digest: digest(token) })
    }

    /// Returns None if the entry contains a token.
    fn parse(blob: &[u8]) -> Option<Self> {
        let words: Vec<&str> = std::str::from_utf8(blob).ok()?.split(' ').collect();
        let ["parts", set, count, digest] = words[..] else { return None };
        let set = SETS.into_iter().find(|known| *set == known.to_string())?;
        let count = count.parse().ok().filter(|count| (1..=MAX_CHUNKS).contains(count))?;
        Some(Self { set, count, digest: digest.to_owned() })
    }

    fn to_text(&self) -> String {
        format!("parts {} {} {}", self.set, self.count, self.digest)
    }

    fn names(&self, name: &str) -> impl Iterator<Item = String> {
        names(name, self.set, self.count)
    }
}

fn names(name: &str, set: char, count: usize) -> impl Iterator<Item = String> {
    (1..=count).map(move |number| format!("{name}{CHUNK_SEPARATOR}{set}{number}"))
}

fn digest(token: &[u8]) -> String {
    Sha256::digest(token).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic fails the test")]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::collections::BTreeMap;

    use super::*;

    const NAME: &str = "m365auth-mail";

    /// A Credential Manager that stops its caller after a number of steps.
    struct Manager {
        blobs: RefCell<BTreeMap<String, Vec<u8>>>,
        steps: Cell<usize>,
    }

    impl Manager {
        fn holding(token: Option<&str>) -> Self {
            let manager = Self { blobs: RefCell::default(), steps: Cell::new(usize::MAX) };
            token.into_iter().for_each(|token| save(&manager, NAME, token.as_bytes()).unwrap());
            manager
        }

        fn token(&self) -> Option<String> {
            load(self, NAME).unwrap().map(|token| String::from_utf8(token).unwrap())
        }

        fn names(&self) -> Vec<String> {
            self.blobs.borrow().keys().cloned().collect()
        }

        fn step(&self) -> Result<(), KeychainError> {
            let left = self.steps.get().checked_sub(1).ok_or_else(|| KeychainError::Other("stopped".to_owned()))?;
            self.steps.set(left);
            Ok(())
        }
    }

    impl Entries for Manager {
        fn read(&self, name: &str) -> Result<Option<Vec<u8>>, KeychainError> {
            Ok(self.blobs.borrow().get(name).cloned())
        }

        fn write(&self, name: &str, blob: &[u8]) -> Result<(), KeychainError> {
            self.step()?;
            assert!(blob.len() <= 2560, "the Credential Manager refuses {} bytes", blob.len());
            self.blobs.borrow_mut().insert(name.to_owned(), blob.to_vec());
            Ok(())
        }

        fn remove(&self, name: &str) -> Result<(), KeychainError> {
            self.step()?;
            self.blobs.borrow_mut().remove(name);
            Ok(())
        }
    }

    fn token(first: char, length: usize) -> String {
        let letters = ('a'..='z').cycle().take(length - 1);
        std::iter::once(first).chain(letters).collect()
    }

    #[test]
    fn a_token_that_fits_is_stored_in_one_entry() {
        for length in [1, 1900, 2560] {
            let token = token('0', length);
            let manager = Manager::holding(Some(&token));
            assert_eq!(manager.names(), [NAME]);
            assert_eq!(manager.blobs.borrow()[NAME], token.as_bytes());
            assert_eq!(manager.token(), Some(token));
        }
    }

    #[test]
    fn a_longer_token_is_stored_in_chunks_with_a_manifest() {
        for (length, parts) in [(2561, 2), (5120, 2), (5121, 3), (10_240, 4)] {
            let token = token('0', length);
            let manager = Manager::holding(Some(&token));
            assert_eq!(manager.names().len(), 1 + parts, "{length}");
            let manifest = String::from_utf8(manager.blobs.borrow()[NAME].clone()).unwrap();
            assert!(!crate::sanitize::is_well_formed_token(&manifest), "{manifest}");
            assert_eq!(manager.token(), Some(token));
        }
        let manager = Manager::holding(Some("old"));
        assert!(save(&manager, NAME, token('0', 10_241).as_bytes()).is_err());
        assert_eq!(manager.token().as_deref(), Some("old"));
    }

    #[test]
    fn an_interrupted_save_leaves_the_old_or_the_new_token() {
        let lengths = [1, 2560, 2561, 6000, 10_240];
        for (old, new) in lengths.into_iter().flat_map(|old| lengths.map(|new| (token('0', old), token('1', new)))) {
            for steps in 0.. {
                let manager = Manager::holding(Some(&old));
                manager.steps.set(steps);
                let saved = save(&manager, NAME, new.as_bytes()).is_ok();
                let kept = manager.token().unwrap();
                assert!(kept == new || (kept == old && !saved), "stopped after {steps}: {} {}", old.len(), new.len());
                let stopped = manager.steps.replace(usize::MAX) == 0;
                save(&manager, NAME, new.as_bytes()).unwrap();
                assert_eq!(manager.token().as_ref(), Some(&new));
                if !stopped {
                    assert_eq!(manager.names().len(), Manager::holding(Some(&new)).names().len(), "nothing is left");
                    break;
                }
                delete(&manager, NAME).unwrap();
                assert_eq!(manager.names(), [""; 0]);
            }
        }
    }

    #[test]
    fn a_missing_or_wrong_chunk_is_detected() {
        let manager = Manager::holding(Some(&token('0', 6000)));
        let chunk = manager.names().pop().unwrap();
        let before = manager.blobs.borrow_mut().insert(chunk.clone(), b"another".to_vec());
        assert!(matches!(load(&manager, NAME), Err(KeychainError::Malformed)));
        manager.blobs.borrow_mut().remove(&chunk);
        assert!(matches!(load(&manager, NAME), Err(KeychainError::Malformed)));
        manager.blobs.borrow_mut().insert(chunk, before.unwrap());
        assert_eq!(manager.token(), Some(token('0', 6000)));
        delete(&manager, NAME).unwrap();
        assert_eq!(manager.token(), None);
    }

    #[test]
    fn text_that_resembles_a_manifest_is_a_token() {
        for blob in ["parts", "parts a 1", "parts c 1 00", "parts a 0 00", "parts a 5 00", "parts a 1 00 ", "0.AXoA"] {
            let manager = Manager::holding(Some(blob));
            assert_eq!(manager.token().as_deref(), Some(blob));
        }
    }
}
