//! How the stores are searched for a token, and how failed stores are reported. A store that did not respond may
//! contain the token, so it is never treated as empty.

use super::{Location, Stored, Stores};
use crate::config::StoreChoice;
use crate::error::{Error, ErrorKind, Result};

/// The result of [`Stores::remove_all`].
pub(crate) struct Removed {
    /// The stores that contained a token.
    pub(crate) from: Vec<String>,
    /// The stores that may still contain one.
    pub(crate) failure: Option<Error>,
}

/// The result of [`Stores::find`].
pub(crate) struct Search<T> {
    pub(crate) found: Option<T>,
    /// Names each store that failed, with its reason. None if every store responded.
    pub(crate) failure: Option<Error>,
}

impl Stores {
    /// Returns the first stored token of the profile's account, or None if every store is empty.
    pub(crate) fn load_first(&self) -> Result<Option<Stored>> {
        let Search { found, failure } = self.search(|_| {}, |stored| Ok(Some(stored)))?;
        match (found, failure) {
            (None, Some(failure)) => Err(failure),
            (found, failure) => {
                failure.inspect(|failure| log::warn!("{failure}"));
                Ok(found)
            }
        }
    }

    /// Passes the stored tokens of the profile's account to `attempt`, in order, until it returns something. A copy of
    /// another account is removed instead.
    pub(crate) fn find<T>(&self, attempt: impl FnMut(Stored) -> Result<Option<T>>) -> Result<Search<T>> {
        self.search(|stored| self.remove_other_account(stored), attempt)
    }

    fn search<T>(
        &self,
        on_other_account: impl Fn(&Stored),
        mut attempt: impl FnMut(Stored) -> Result<Option<T>>,
    ) -> Result<Search<T>> {
        let (mut found, mut failures) = (None, Vec::new());
        for location in self.order() {
            match self.load(location) {
                Ok(Some(stored)) if self.is_of_other_account(&stored) => on_other_account(&stored),
                Ok(Some(stored)) => found = attempt(stored)?,
                Ok(None) => {}
                Err(failure) => failures.push((location, failure)),
            }
            if found.is_some() {
                break;
            }
        }
        // A store that is known to contain a token comes first. Among those, a store that did not respond comes before a
        // damaged copy, because it may contain a valid token.
        failures.sort_by_cached_key(|(location, failure)| {
            (!self.records.has(*location), failure.kind() == ErrorKind::SignIn)
        });
        Ok(Search { found, failure: combine(failures.into_iter().map(|(_, failure)| failure)) })
    }

    /// Returns the locations to search, in order.
    fn locations(&self) -> &'static [Location] {
        match self.choice {
            StoreChoice::File => &[Location::File],
            StoreChoice::Commands(_) => &[Location::Commands],
            StoreChoice::Auto | StoreChoice::Keychain => &[Location::File, Location::Keychain],
        }
    }

    /// Returns the locations in the order to search. After an interrupted save, the one with the new token comes first.
    fn order(&self) -> Vec<Location> {
        let mut order = self.locations().to_vec();
        if self.records.has_pending() {
            let is_pending = |location| {
                let token = self.store(location).load().ok().flatten();
                token.is_some_and(|token| self.records.is_pending(&token))
            };
            order.sort_by_key(|location| !is_pending(*location));
        }
        order
    }

    fn load(&self, location: Location) -> Result<Option<Stored>> {
        let newest = self.records.newest_digest();
        let store = self.store(location);
        let token = store.load().map_err(|error| self.with_first_step(location, error))?;
        log::info!("refresh token in {}: {}", store.describe(), if token.is_some() { "found" } else { "not found" });
        Ok(token.map(|token| {
            let record = self.records.find(location, &token);
            Stored { token, location, description: store.describe(), record, newest }
        }))
    }

    /// If the location has no recorded token, adds to the hint what to do if the user has not signed in yet.
    fn with_first_step(&self, location: Location, error: Error) -> Error {
        if error.kind() != ErrorKind::Unavailable || self.records.has(location) {
            return error;
        }
        let hint = error.next_step().unwrap_or_default();
        let hint =
            format!("if you have not signed in yet, run `get-token --profile {:#}`; otherwise {hint}", self.profile);
        error.hint(hint)
    }

    /// Returns whether the copy is recorded for another account than the one that signed in last.
    fn is_of_other_account(&self, stored: &Stored) -> bool {
        let recorded = stored.record.as_ref().and_then(|record| record.account.as_ref());
        let owner = self.owner(None);
        recorded.zip(owner).is_some_and(|(account, owner)| !account.is_same_as(&owner.account))
    }

    /// Removes the copy. If that fails, it stays recorded for its account, so it is never used.
    fn remove_other_account(&self, stored: &Stored) {
        let store = self.store(stored.location);
        match store.delete() {
            Ok(()) => {
                self.records.remove(stored.location);
                log::warn!("removed the refresh token of another account from {}", store.describe());
            }
            Err(error) => log::warn!("{} contains the refresh token of another account: {error}", store.describe()),
        }
    }

    /// Returns the error of a search that found nothing in any store. Uses the Python tool's wording, so that a web
    /// search for it finds help.
    pub(crate) fn not_found(&self) -> Error {
        let searched: Vec<String> = self.locations().iter().map(|location| self.describe(*location)).collect();
        // They have no effect on other systems.
        let variables: &[&str] = if cfg!(target_os = "linux") { &["XDG_CACHE_HOME", "XDG_CONFIG_HOME"] } else { &[] };
        let named = variables.iter().filter(|name| std::env::var_os(name).is_some());
        let named: String = named.map(|name| format!("; {name} is set")).collect();
        let name = &self.profile;
        Error::new(
            ErrorKind::SignIn,
            format!("No refresh token found for the profile \"{name}\" (searched {}{named})", searched.join(" and ")),
        )
        .hint(format!("run `get-token --profile {name:#}` to sign in"))
    }

    /// Removes the token from every store.
    pub(crate) fn remove_all(&self) -> Removed {
        self.remove_from(self.locations())
    }

    /// Removes the token from every store that is known to contain one.
    pub(crate) fn remove_recorded(&self) -> Removed {
        self.remove_from(&[])
    }

    /// Removes the token from these locations, and from the others that are known to contain one.
    fn remove_from(&self, locations: &[Location]) -> Removed {
        self.file.remove_unfinished(); // first, while a symbolic link still says where they are
        let (mut from, mut failures) = (Vec::new(), Vec::new());
        for location in [Location::Commands, Location::File, Location::Keychain] {
            if !locations.contains(&location) && !self.is_reachable_record(location, &mut failures) {
                continue;
            }
            let store = self.store(location);
            let removed = match store.load() {
                Ok(None) => Ok(()),
                // A malformed token is removed too.
                Ok(Some(_)) => store.delete().inspect(|()| from.push(store.describe())),
                Err(error) if error.kind() == ErrorKind::SignIn => {
                    store.delete().inspect(|()| from.push(store.describe()))
                }
                Err(error) => Err(error),
            };
            match removed {
                Ok(()) => self.records.remove(location),
                Err(error) => {
                    failures.push(error.with_context(&format!("a refresh token may still be in {}", store.describe())))
                }
            }
        }
        self.records.clear_if_empty();
        Removed { from, failure: combine(failures) }
    }

    /// Returns whether a location that this configuration does not use is known to contain a token that can be removed.
    fn is_reachable_record(&self, location: Location, failures: &mut Vec<Error>) -> bool {
        // A file may have been left by the Python tool, and looking for it costs nothing.
        let is_known = location == Location::File || self.records.has(location);
        if location == Location::Commands && is_known && self.commands.is_none() {
            failures.push(
                Error::new(
                    ErrorKind::Unavailable,
                    "a refresh token was stored by programs that the configuration no longer names",
                )
                .hint("delete it with your password manager"),
            );
            return false;
        }
        is_known
    }
}

/// One error that names each store and its reason. The first decides the kind and the hint.
fn combine(failures: impl IntoIterator<Item = Error>) -> Option<Error> {
    let mut failures = failures.into_iter();
    let first = failures.next()?;
    Some(failures.fold(first, |combined, failure| combined.and(&failure)))
}
