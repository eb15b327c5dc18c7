//! Access tokens in memory that outlives the process and is never written to a disk: the user's keyring in the Linux
//! kernel (keyrings(7)). On other systems, and if the keyring is full or not available, every lookup is a miss.

mod entry;
#[cfg_attr(target_os = "linux", path = "cache/kernel.rs")]
#[cfg_attr(not(target_os = "linux"), path = "cache/none.rs")]
mod memory;

use sha2::{Digest, Sha256};

use crate::config::{CacheChoice, Profile, ProfileName};
use crate::entra::{Account, Lifetime};
use crate::paths::Paths;
use crate::private_fs::FileId;
use crate::store::token_digest;
use crate::token::{AccessToken, RefreshToken};
use crate::unix_time::now;
use entry::Entry;

/// In seconds. Microsoft's longest lifetime is 28 hours ("Continuous access evaluation").
const MAX_LIFETIME: u64 = 28 * 60 * 60;

/// The cached access token of one profile.
#[derive(Clone)]
pub(crate) struct Cache {
    choice: CacheChoice,
    name: String,
    key_digest: [u8; 16],
}

/// An access token with its lifetime.
pub(crate) struct CachedToken {
    pub(crate) token: AccessToken,
    pub(crate) lifetime: Lifetime,
}

/// What an access token was issued for. With another refresh token or account, the cached access token is not used.
#[derive(Clone, Copy)]
pub(crate) enum IssuedFor<'a> {
    RefreshToken(&'a RefreshToken),
    /// The account that the identity broker was asked for.
    BrokerAccount(&'a Account),
    /// An application, which requests tokens for itself.
    Application,
}

impl IssuedFor<'_> {
    fn digest(self) -> [u8; 8] {
        match self {
            Self::RefreshToken(token) => token_digest(token),
            Self::BrokerAccount(Account { tenant_id, object_id, .. }) => {
                *Sha256::digest(format!("{tenant_id} {object_id}")).first_chunk().expect("SHA-256 has 32 bytes")
            }
            Self::Application => [0; 8],
        }
    }
}

impl Cache {
    pub(crate) fn new(paths: &Paths, profile: &Profile) -> Self {
        Self { choice: profile.cache, name: name(paths, &profile.name), key_digest: digest(profile) }
    }

    /// Returns the cached token if it may still be handed out and the refresh token's file has not changed since. A
    /// refresh token in the keychain is not read: that would cost more than the cache saves.
    pub(crate) fn get(&self, file: impl FnOnce() -> Option<FileId>) -> Option<CachedToken> {
        if self.choice == CacheChoice::None {
            return None;
        }
        let good = read(&self.name)
            .filter(|entry| entry.key_digest == self.key_digest && entry.lifetime.issued <= now())
            .filter(|entry| now() < entry.lifetime.floor)
            .filter(|entry| entry.file == file().map(|file| file.0));
        log::info!("access token in kernel memory: {}", if good.is_some() { "found" } else { "not found" });
        good.map(|entry| CachedToken { token: AccessToken::new(entry.token), lifetime: entry.lifetime })
    }

    /// Caches a token until it is no longer handed out.
    ///
    /// # Errors
    ///
    /// Why it is not cached.
    pub(crate) fn insert(
        &self,
        cached: &CachedToken,
        issued_for: IssuedFor<'_>,
        file: Option<FileId>,
    ) -> Result<(), &'static str> {
        let seconds = cached.lifetime.floor.saturating_sub(now()).min(MAX_LIFETIME);
        if self.choice == CacheChoice::None {
            return Err("the configuration says cache = \"none\"");
        }
        if seconds == 0 {
            return Err("it expires too soon");
        }
        let entry = Entry {
            key_digest: self.key_digest,
            token_digest: issued_for.digest(),
            file: file.map(|file| file.0),
            lifetime: cached.lifetime,
            token: cached.token.secret().to_owned(),
        };
        memory::insert(&self.name, &entry.encode(), seconds)
    }
}

/// Removes the cached token of a profile unless it was issued for what is stored now.
pub(crate) fn remove_unless_issued_for(stored: Option<IssuedFor<'_>>, paths: &Paths, profile: &ProfileName) {
    let name = name(paths, profile);
    let is_current = |entry: Entry| stored.map(IssuedFor::digest) == Some(entry.token_digest);
    if !read(&name).is_some_and(is_current) {
        memory::remove(&name);
    }
}

/// Removes the cached token of a profile.
pub(crate) fn remove(paths: &Paths, profile: &ProfileName) {
    memory::remove(&name(paths, profile));
}

/// Returns the key's name: one for each profile of each cache folder. A profile name cannot contain a colon.
fn name(paths: &Paths, profile: &ProfileName) -> String {
    match paths.cache().to_str() {
        // As version 0.1 names it, so that each version removes the entries of the other.
        Some(folder) => format!("m365auth:{profile}:{folder}"),
        // Escaped, so that two folders that differ only in bytes that are not UTF-8 have different keys. The second
        // colon distinguishes such a key from that of a folder whose path looks like an escaped one.
        None => format!("m365auth:{profile}::{}", paths.cache().as_os_str().as_encoded_bytes().escape_ascii()),
    }
}

fn read(name: &str) -> Option<Entry> {
    Entry::decode(&memory::get(name)?)
}

/// Returns a digest of everything that a token depends on.
fn digest(profile: &Profile) -> [u8; 16] {
    let scopes = profile.scopes.iter().map(|scope| scope.as_str());
    let [authority, client_id] = [profile.authority.to_string(), profile.client_id.to_string()];
    let username = profile.username.as_deref().unwrap_or_default();
    let mut digest = Sha256::new();
    for part in [&authority, &client_id, username, &profile.grant.to_string()].into_iter().chain(scopes) {
        digest.update(part);
        digest.update([0]); // a separator, so that two lists of parts cannot have the same digest
    }
    *digest.finalize().first_chunk().expect("SHA-256 has 32 bytes")
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::ffi::OsStrExt as _;

    use super::*;

    #[test]
    fn folders_that_differ_only_in_bytes_that_are_not_utf_8_have_keys_of_their_own() {
        let name = |folder: &[u8]| {
            let paths = Paths::new("/etc".into(), std::ffi::OsStr::from_bytes(folder).into());
            name(&paths, &"mail".parse().expect("a name"))
        };
        assert_ne!(name(b"/home/\xff/.cache"), name(b"/home/\xfe/.cache"));
        assert_ne!(name(b"/home/\xff/.cache"), name(br"/home/\xff/.cache"));
        for folder in ["/home/ada/.cache", "/home/\u{e4}d\u{e4}/.cache", r"/home/a\b/.cache"] {
            assert_eq!(name(folder.as_bytes()), format!("m365auth:mail:{folder}"), "the name in version 0.1");
        }
    }
}
