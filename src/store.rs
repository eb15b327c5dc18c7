//! Where refresh tokens live, and in what order the places are asked.

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

/// A place for one profile's refresh token.
///
/// # Errors
///
/// Each method fails with [`ErrorKind::Unavailable`] where the place is there but closed, and with
/// [`ErrorKind::Storage`] where it could not be read or written.
pub(crate) trait TokenStore {
    /// The token that is kept here, if one is.
    fn load(&self) -> Result<Option<RefreshToken>>;
    /// Keeps the token instead of what was kept before.
    fn save(&self, token: &RefreshToken) -> Result<()>;
    /// Forgets the token, if one is kept.
    fn delete(&self) -> Result<()>;
    /// Where that is, for a person.
    fn describe(&self) -> String;
}

/// The places of one profile, in the order in which they are asked.
///
/// The file comes first: it is written only where the keychain could not be, and removed as soon as the keychain could,
/// so that a file that is there is newer than what the keychain holds.
pub(crate) struct Stores {
    choice: StoreChoice,
    file: FileStore,
    keychain: Keychain,
    /// Where the choice is the user's own programs.
    commands: Option<CommandStore>,
    records: record::Records,
}

/// One of the places. The names are those of the sections in the file of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Location {
    File,
    Keychain,
    Commands,
}

/// A stored refresh token, and what is known of it.
pub(crate) struct Stored {
    pub(crate) token: RefreshToken,
    pub(crate) location: Location,
    /// None for a token of the Python original, which keeps none.
    pub(crate) record: Option<Record>,
    /// The digest of the newest token that was known before this one was loaded.
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

    /// The places to look in, in order.
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
        log::info!("refresh token in {}: {}", store.describe(), if token.is_some() { "found" } else { "none" });
        Ok(token.map(|token| Stored { record: self.records.of(location, &token), token, location, newest }))
    }

    /// The first token that there is.
    pub(crate) fn load_first(&self) -> Result<Option<Stored>> {
        for location in self.locations() {
            if let Some(stored) = self.load(*location)? {
                return Ok(Some(stored));
            }
        }
        Ok(None)
    }

    /// Keeps the token where the choice wants it, and says where that was. What is known of it is kept beside it.
    pub(crate) fn save(&self, token: &RefreshToken, record: Record) -> Result<Location> {
        self.records.begin(token, &record);
        let (location, emptied) = self.save_by_choice(token).inspect_err(|_| self.records.abort())?;
        log::info!("refresh token saved in {}", self.store(location).describe());
        self.records.commit(location, token, record, emptied);
        Ok(location)
    }

    /// Where the token is now, and the place that was emptied for it.
    fn save_by_choice(&self, token: &RefreshToken) -> Result<(Location, Option<Location>)> {
        match self.choice {
            StoreChoice::File => self.file.save(token).map(|()| (Location::File, None)),
            StoreChoice::Keychain => self.save_in_keychain(token),
            StoreChoice::Commands(_) => self.store(Location::Commands).save(token).map(|()| (Location::Commands, None)),
            StoreChoice::Auto => self.save_in_keychain(token).or_else(|keychain| {
                self.file.save(token).map_err(|file| neither(&keychain, &file))?;
                log::info!("the keychain does not take the token: {keychain}");
                Ok((Location::File, None))
            }),
        }
    }

    /// Whether another token was stored since this one was loaded.
    pub(crate) fn was_replaced(&self, stored: &Stored) -> bool {
        self.records.newest() != stored.newest
    }

    /// Notes that the token, which stays the same, was just used.
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
                continue; // it is not asked anything, and was given nothing
            }
            let store = self.store(location);
            let loaded = store.load();
            let result = match loaded {
                Ok(None) => Ok(()),
                Err(error) if self.was_never_used(location, &error) => Ok(()),
                Err(error) if error.kind() == ErrorKind::Unavailable => Err(error),
                // What is there and not understood goes too.
                Ok(Some(_)) | Err(_) => store.delete().inspect(|()| emptied.push(store.describe())),
            };
            match result {
                Ok(()) => self.records.remove(location),
                Err(error) => _ = failed.get_or_insert(error),
            }
        }
        (emptied, failed)
    }

    /// Whether the keychain would take a token; None where none is wanted, or where there is none and a file will do.
    pub(crate) fn probe_keychain(&self) -> Option<Result<()>> {
        if matches!(self.choice, StoreChoice::File | StoreChoice::Commands(_)) {
            return None;
        }
        let probed = self.keychain.probe();
        let is_wanted = self.choice == StoreChoice::Keychain || self.keychain.is_available();
        is_wanted.then_some(probed)
    }

    /// Fails where only the keychain will do, and takes no token. What it may hold is replaced.
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

    /// Of the token that was issued last.
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
        // The file would be tried first, and it is the older one now.
        match self.file.delete() {
            Ok(()) => Ok((Location::Keychain, Some(Location::File))),
            Err(error) => {
                log::warn!("an older token stays in {} and would be tried first: {error}", self.file.describe());
                Ok((Location::Keychain, None))
            }
        }
    }

    /// Whether a place failed in which no token is known to lie: a keychain that this login has not, or a program that
    /// finds nothing, which it can say by its failure alone.
    fn was_never_used(&self, location: Location, error: &Error) -> bool {
        let may_have_none = match location {
            Location::File => false,
            Location::Keychain => !self.keychain.is_available() && self.choice != StoreChoice::Keychain,
            Location::Commands => true,
        };
        may_have_none && error.kind() == ErrorKind::Unavailable && !self.records.has(location)
    }
}

/// What a place holds is something else.
pub(crate) struct MalformedToken;

/// The token in what a place holds, white space around it apart; None where there is nothing else.
pub(crate) fn parse_token(text: &str) -> Result<Option<RefreshToken>, MalformedToken> {
    match text.trim() {
        "" => Ok(None),
        token if is_well_formed_token(token) => Ok(Some(RefreshToken::new(token.to_owned()))),
        _ => Err(MalformedToken),
    }
}

fn neither(keychain: &Error, file: &Error) -> Error {
    Error::new(ErrorKind::Storage, format!("neither the keychain nor a file takes the token: {keychain}; {file}"))
        .hint("unlock or start the keychain, or make the file writable; then run `get-token` again")
}
