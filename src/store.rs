//! The stores of refresh tokens, and the order in which they are tried.

mod command;
mod file;
pub(crate) mod keychain;
pub(crate) mod record;
mod remembered;
mod renewal;
mod search;

use std::io;

use crate::config::{ProfileName, StoreChoice};
use crate::error::{Error, ErrorKind, Result};
use crate::paths::Paths;
use crate::patience::Patience;
use crate::private_fs::FileId;
use crate::sanitize::is_well_formed_token;
use crate::token::RefreshToken;
use command::CommandStore;
use file::FileStore;
use keychain::Keychain;
pub(crate) use record::{Owner, Record, token_digest};
pub(crate) use renewal::{Pause, RecordedRefusal};
pub(crate) use search::Removed;

/// A store for one profile's refresh token.
///
/// # Errors
///
/// Each method fails with [`ErrorKind::Unavailable`] if the keychain is locked or absent, or if it or a program fails,
/// with [`ErrorKind::Configuration`] if a program cannot be started, with [`ErrorKind::TryLater`] if the system has too
/// few resources, with [`ErrorKind::Storage`] if the file could not be read or written, and with [`ErrorKind::SignIn`]
/// if the store contains something that is not a token.
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
/// The file comes first: it is written only if the keychain cannot store the token, and removed as soon as a token is
/// saved in the keychain. So a file that exists is newer than the keychain entry.
pub(crate) struct Stores {
    profile: ProfileName,
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
    /// The store, as shown to the user.
    pub(crate) description: String,
    /// None for a token that another program stored, such as the Python tool.
    pub(crate) record: Option<Record>,
    /// The digest of the newest recorded token at the time of loading.
    newest: Option<String>,
}

/// Where a token was saved.
pub(crate) struct Saved {
    pub(crate) location: Location,
    /// The location whose token was removed, because it would be tried before the new one.
    emptied: Option<Location>,
    /// Why the keychain could not store the token. Set if a keychain exists, but the token was saved in the file.
    pub(crate) keychain_failure: Option<Error>,
}

impl Stores {
    pub(crate) fn new(paths: &Paths, profile: &ProfileName, choice: &StoreChoice) -> Self {
        Self::with_patience(paths, profile, choice, Patience::Full)
    }

    pub(crate) fn with_patience(
        paths: &Paths,
        profile: &ProfileName,
        choice: &StoreChoice,
        patience: Patience,
    ) -> Self {
        Self {
            profile: profile.clone(),
            choice: choice.clone(),
            file: FileStore::new(paths, profile),
            keychain: Keychain::new(profile, patience),
            commands: match choice {
                StoreChoice::Commands(commands) => Some(CommandStore::new(profile, commands, patience)),
                _ => None,
            },
            records: record::Records::new(paths, profile),
        }
    }

    /// Saves the token in the configured store, with its record.
    pub(crate) fn save(&self, token: &RefreshToken, record: Record) -> Result<Saved> {
        self.records.begin(token, &record);
        let saved = self.save_by_choice(token).inspect_err(|_| self.records.abort())?;
        log::info!("refresh token saved in {}", self.store(saved.location).describe());
        self.records.commit(saved.location, token, record, saved.emptied);
        Ok(saved)
    }

    fn save_by_choice(&self, token: &RefreshToken) -> Result<Saved> {
        let saved_in = |location| Saved { location, emptied: None, keychain_failure: None };
        match self.choice {
            StoreChoice::File => self.file.save(token).map(|()| saved_in(Location::File)),
            StoreChoice::Keychain => self.save_in_keychain(token),
            StoreChoice::Commands(_) => {
                self.store(Location::Commands).save(token).map(|()| saved_in(Location::Commands))
            }
            StoreChoice::Auto => self.save_in_keychain(token).or_else(|keychain| {
                self.file.save(token).map_err(|file| both_failed(&keychain, &file))?;
                log::info!("the keychain could not store the token: {keychain}");
                let keychain_failure = self.keychain.is_available().then_some(keychain);
                Ok(Saved { keychain_failure, ..saved_in(Location::File) })
            }),
        }
    }

    fn save_in_keychain(&self, token: &RefreshToken) -> Result<Saved> {
        self.keychain.save(token)?;
        // The file would be tried first, but it is older now.
        let emptied = self.file.delete().map(|()| Location::File).inspect_err(|error| {
            log::warn!(
                "could not remove the previous token from {}, which is read before the keychain: {error}",
                self.file.describe()
            );
        });
        Ok(Saved { location: Location::Keychain, emptied: emptied.ok(), keychain_failure: None })
    }

    /// Returns whether another token was stored since this one was loaded.
    pub(crate) fn was_replaced(&self, stored: &Stored) -> bool {
        self.records.newest_digest() != stored.newest
    }

    /// Records that the token was used and not rotated.
    pub(crate) fn mark_used(&self, stored: &Stored, record: Record) {
        self.records.commit(stored.location, &stored.token, record, None);
    }

    /// Checks whether the keychain could store a token. None if the configuration uses no keychain, or if none is
    /// available and a file is acceptable.
    pub(crate) fn probe_keychain(&self) -> Option<Result<()>> {
        if matches!(self.choice, StoreChoice::File | StoreChoice::Commands(_)) {
            return None;
        }
        let probed = self.keychain.probe();
        let is_wanted = self.choice == StoreChoice::Keychain || self.keychain.is_available();
        is_wanted.then_some(probed)
    }

    /// Fails if only the keychain is allowed and it cannot store a token. A malformed entry does not matter, because it
    /// is replaced.
    pub(crate) fn ensure_keychain_accepts(&self) -> Result<()> {
        if self.choice != StoreChoice::Keychain {
            return Ok(());
        }
        match self.keychain.load() {
            Err(error) if matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::TryLater) => Err(error),
            Ok(None) => self.keychain.probe(),
            _ => Ok(()),
        }
    }

    /// Fails if a program that runs unattended cannot load the token that was just saved in the keychain. KeePassXC
    /// asks a person before each new connection may read an entry, unless that is turned off.
    pub(crate) fn ensure_loads_unattended(&self, token: &RefreshToken) -> Result<()> {
        match Keychain::unattended(&self.profile, Patience::Full).load()? {
            Some(loaded) if loaded.secret() == token.secret() => Ok(()),
            _ => Err(Error::new(ErrorKind::Storage, "the keychain returned a token other than the one that was saved")),
        }
    }

    /// Returns the account that the profile belongs to, if it is known.
    pub(crate) fn owner(&self, username: Option<&str>) -> Option<Owner> {
        self.records.owner(username)
    }

    /// Returns the record of the token that was issued last.
    pub(crate) fn newest_record(&self) -> Option<Record> {
        self.records.newest()
    }

    /// Returns the record of the account whose tokens come from the identity broker.
    pub(crate) fn broker_record(&self) -> Option<Record> {
        self.records.broker()
    }

    /// Records a token of the identity broker.
    ///
    /// # Errors
    ///
    /// The records cannot be read or written.
    pub(crate) fn save_broker_record(&self, record: Record) -> io::Result<()> {
        self.records.commit_broker(record)
    }

    /// Removes the record of the identity broker's account. Returns whether there was one.
    ///
    /// # Errors
    ///
    /// The records cannot be read or written.
    pub(crate) fn remove_broker_record(&self) -> io::Result<bool> {
        self.records.remove_broker()
    }

    /// Returns whether an early renewal may be tried with the configuration of this digest now.
    pub(crate) fn allow_early_renewal(&self, configuration: &str) -> bool {
        self.records.allow_early_renewal(configuration)
    }

    /// Records that no early renewal may be tried for some time.
    ///
    /// # Errors
    ///
    /// The records cannot be read or written.
    pub(crate) fn pause_early_renewals(&self, pause: Pause) -> io::Result<()> {
        self.records.pause_early_renewals(pause)
    }

    /// Records a refusal that needs a person, and the claims that Microsoft demands in the next requests.
    pub(crate) fn remember_refusal(&self, refusal: RecordedRefusal, claims: Option<String>) {
        self.records.remember(refusal, claims);
    }

    /// Removes the refusal and the pause of early renewals: a request has succeeded.
    pub(crate) fn remove_refusal(&self) {
        self.records.remove_refusal();
    }

    /// Returns the refusal that is not resolved yet.
    pub(crate) fn refusal(&self) -> Option<RecordedRefusal> {
        self.records.refusal()
    }

    /// Returns the claims that Microsoft demands, as JSON.
    pub(crate) fn claims(&self) -> Option<String> {
        self.records.claims()
    }

    /// Records the claims that Microsoft demands in the next requests, as JSON.
    pub(crate) fn remember_claims(&self, claims: String) {
        self.records.remember_claims(claims);
    }

    /// Removes the claims: a sign-in has satisfied them.
    pub(crate) fn remove_claims(&self) {
        self.records.remove_claims();
    }

    /// Returns whether the user's programs are the store.
    pub(crate) fn uses_programs(&self) -> bool {
        self.commands.is_some()
    }

    /// Returns the identity of the token's file, for the cache. The user's programs do not use that file.
    pub(crate) fn file_id(&self) -> Option<FileId> {
        if self.commands.is_some() { None } else { self.file.id() }
    }

    pub(crate) fn describe(&self, location: Location) -> String {
        self.store(location).describe()
    }

    fn store(&self, location: Location) -> &dyn TokenStore {
        match location {
            Location::File => &self.file,
            Location::Keychain => &self.keychain,
            Location::Commands => self.commands.as_ref().expect("only that choice names this location"),
        }
    }
}

/// The error for a store that contains something other than a token.
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
