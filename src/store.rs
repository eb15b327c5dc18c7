//! The stores of refresh tokens, and the order in which they are tried.

mod command;
mod file;
pub(crate) mod keychain;
pub(crate) mod record;

use oauth2::RefreshToken;

use crate::config::{ProfileName, StoreChoice};
use crate::entra::Account;
use crate::error::{Error, ErrorKind, Result};
use crate::paths::Paths;
use crate::sanitize::is_well_formed_token;
use command::CommandStore;
use file::FileStore;
use keychain::Keychain;
pub(crate) use record::Record;

/// A store for one profile's refresh token.
///
/// # Errors
///
/// Each method fails with [`ErrorKind::Unavailable`] if the store is locked or absent, and with [`ErrorKind::Storage`] if it
/// could not be read or written.
pub(crate) trait TokenStore {
    /// Returns the stored token, if there is one.
    fn load(&self) -> Result<Option<RefreshToken>>;
    /// Stores the token, replacing the previous one.
    fn save(&self, token: &RefreshToken) -> Result<()>;
    /// Deletes the stored token, if there is one.
    fn delete(&self) -> Result<()>;
    /// Describes the store to the user.
    fn describe(&self) -> String;
}

/// The stores of one profile, in the order in which they are tried.
///
/// The file comes first: it is written only if the keychain is not available, and removed as soon as a token is saved in
/// the keychain. So a file that exists is newer than the keychain entry.
pub(crate) struct Stores {
    choice: StoreChoice,
    file: FileStore,
    keychain: Keychain,
    /// Set if the user configured programs as the store.
    commands: Option<CommandStore>,
    records: record::Records,
}

/// Where a token is stored. The names are those of the sections in the records file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Location {
    File,
    Keychain,
    Commands,
}

/// A stored refresh token with its record.
pub(crate) struct Stored {
    pub(crate) token: RefreshToken,
    pub(crate) location: Location,
    /// None for a token that another program stored, such as the Python tool.
    pub(crate) record: Option<Record>,
    /// The digest of the newest recorded token at the time of loading.
    newest: Option<String>,
}

impl Stores {
    pub(crate) fn new(paths: &Paths, profile: &ProfileName, choice: &StoreChoice) -> Self {
        Self {
            choice: choice.clone(),
            file: FileStore::new(paths, profile),
            keychain: Keychain::new(profile),
            commands: match choice {
                StoreChoice::Commands(commands) => Some(CommandStore::new(profile, commands)),
                _ => None,
            },
            records: record::Records::new(paths, profile),
        }
    }

    /// Returns the locations to search, in order.
    pub(crate) fn locations(&self) -> &'static [Location] {
        match self.choice {
            StoreChoice::File => &[Location::File],
            StoreChoice::Commands(_) => &[Location::Commands],
            StoreChoice::Auto | StoreChoice::Keychain => &[Location::File, Location::Keychain],
        }
    }

    pub(crate) fn load(&self, location: Location) -> Result<Option<Stored>> {
        let newest = self.records.newest();
        let store = self.store(location);
        let token = match store.load() {
            Err(error) if self.was_never_used(location, &error) => {
                log::info!("{}: {error}", store.describe());
                None
            }
            loaded => loaded?,
        };
        log::info!("refresh token in {}: {}", store.describe(), if token.is_some() { "found" } else { "not found" });
        Ok(token.map(|token| Stored { record: self.records.of(location, &token), token, location, newest }))
    }

    /// Returns the first token found.
    pub(crate) fn load_first(&self) -> Result<Option<Stored>> {
        for location in self.locations() {
            if let Some(stored) = self.load(*location)? {
                return Ok(Some(stored));
            }
        }
        Ok(None)
    }

    /// Saves the token in the configured store, with its record. Returns where it was saved.
    pub(crate) fn save(&self, token: &RefreshToken, record: Record) -> Result<Location> {
        self.records.begin(token, &record);
        let (location, emptied) = self.save_by_choice(token).inspect_err(|_| self.records.abort())?;
        log::info!("refresh token saved in {}", self.store(location).describe());
        self.records.commit(location, token, record, emptied);
        Ok(location)
    }

    /// Returns where the token was saved, and the location that was emptied.
    fn save_by_choice(&self, token: &RefreshToken) -> Result<(Location, Option<Location>)> {
        match self.choice {
            StoreChoice::File => self.file.save(token).map(|()| (Location::File, None)),
            StoreChoice::Keychain => self.save_in_keychain(token),
            StoreChoice::Commands(_) => self.store(Location::Commands).save(token).map(|()| (Location::Commands, None)),
            StoreChoice::Auto => self.save_in_keychain(token).or_else(|keychain| {
                self.file.save(token).map_err(|file| both_failed(&keychain, &file))?;
                log::info!("the keychain could not store the token: {keychain}");
                Ok((Location::File, None))
            }),
        }
    }

    /// Returns whether another token was stored since this one was loaded.
    pub(crate) fn was_replaced(&self, stored: &Stored) -> bool {
        self.records.newest() != stored.newest
    }

    /// Records that the token was used and not rotated.
    pub(crate) fn mark_used(&self, stored: &Stored, record: Record) {
        self.records.commit(stored.location, &stored.token, record, None);
    }

    /// Removes the token from every location. Says where one was, and what could not be emptied.
    pub(crate) fn remove_all(&self) -> (Vec<String>, Option<Error>) {
        let (mut emptied, mut failed) = (Vec::new(), None);
        let own = self.commands.iter().map(|_| Location::Commands);
        for location in own.chain([Location::File, Location::Keychain]) {
            let is_known = self.records.has(location);
            let wants_keychain = matches!(self.choice, StoreChoice::Auto | StoreChoice::Keychain);
            if location == Location::Keychain && !wants_keychain && !is_known {
                continue; // this configuration does not use the keychain, and nothing was stored there
            }
            let store = self.store(location);
            let loaded = store.load();
            let result = match loaded {
                Ok(None) => Ok(()),
                Err(error) if self.was_never_used(location, &error) => Ok(()),
                Err(error) if error.kind() == ErrorKind::Unavailable => Err(error),
                // A malformed token is removed too.
                Ok(Some(_)) | Err(_) => store.delete().inspect(|()| emptied.push(store.describe())),
            };
            match result {
                Ok(()) => self.records.remove(location),
                Err(error) => _ = failed.get_or_insert(error),
            }
        }
        (emptied, failed)
    }

    /// Checks whether the keychain could store a token. None if no keychain is used or available, and a file is acceptable.
    pub(crate) fn probe_keychain(&self) -> Option<Result<()>> {
        if matches!(self.choice, StoreChoice::File | StoreChoice::Commands(_)) {
            return None;
        }
        let probed = self.keychain.probe();
        let is_wanted = self.choice == StoreChoice::Keychain || self.keychain.is_available();
        is_wanted.then_some(probed)
    }

    /// Fails if only the keychain is allowed and it cannot store a token. A malformed entry is no obstacle: it is replaced.
    pub(crate) fn ensure_keychain_accepts(&self) -> Result<()> {
        if self.choice != StoreChoice::Keychain {
            return Ok(());
        }
        match self.keychain.load() {
            Err(error) if error.kind() == ErrorKind::Unavailable => Err(error),
            Ok(None) => self.keychain.probe(),
            _ => Ok(()),
        }
    }

    /// Returns the account of the token that was issued last.
    pub(crate) fn last_account(&self) -> Option<Account> {
        self.records.latest().and_then(|record| record.account)
    }

    pub(crate) fn describe(&self, location: Location) -> String {
        self.store(location).describe()
    }

    fn store(&self, location: Location) -> &dyn TokenStore {
        match location {
            Location::File => &self.file,
            Location::Keychain => &self.keychain,
            Location::Commands => self.commands.as_ref().expect("only that choice names this place"),
        }
    }

    fn save_in_keychain(&self, token: &RefreshToken) -> Result<(Location, Option<Location>)> {
        self.keychain.save(token)?;
        // The file would be tried first, but it is older now.
        match self.file.delete() {
            Ok(()) => Ok((Location::Keychain, Some(Location::File))),
            Err(error) => {
                log::warn!(
                    "could not remove the previous token from {}, which is tried first: {error}",
                    self.file.describe()
                );
                Ok((Location::Keychain, None))
            }
        }
    }

    /// Returns whether a store failed that is not known to contain a token: a keychain that this login session does not have,
    /// or a program that finds no token, which it can report only by failing.
    fn was_never_used(&self, location: Location, error: &Error) -> bool {
        let may_have_none = match location {
            Location::File => false,
            Location::Keychain => !self.keychain.is_available() && self.choice != StoreChoice::Keychain,
            Location::Commands => true,
        };
        may_have_none && error.kind() == ErrorKind::Unavailable && !self.records.has(location)
    }
}

/// A store contains something that is not a token.
pub(crate) struct MalformedToken;

/// Returns the token in a store's text, without surrounding white space, or None if the text is blank.
pub(crate) fn parse_token(text: &str) -> Result<Option<RefreshToken>, MalformedToken> {
    match text.trim() {
        "" => Ok(None),
        token if is_well_formed_token(token) => Ok(Some(RefreshToken::new(token.to_owned()))),
        _ => Err(MalformedToken),
    }
}

fn both_failed(keychain: &Error, file: &Error) -> Error {
    Error::new(ErrorKind::Storage, format!("could not store the refresh token: {keychain}; {file}"))
        .hint("unlock or start the keychain, or make the file writable, then run the same command again")
}
