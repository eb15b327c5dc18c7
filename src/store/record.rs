//! Records of the stored refresh tokens. They contain no secret: a digest tells whether a record belongs to a token,
//! because other programs, such as the Python tool, replace tokens without a record.

use std::io;
use std::path::PathBuf;

use oauth2::Scope;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Location;
use super::renewal::{Pause, RecordedRefusal};
use crate::config::{Authority, Profile, ProfileName};
use crate::entra::{Access, Account};
use crate::paths::Paths;
use crate::private_fs;
use crate::token::RefreshToken;
use crate::unix_time::now;

/// The origin, dates and account of a refresh token.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Record {
    authority: String,
    client_id: String,
    /// When Microsoft issued the token, in seconds since 1970.
    pub(crate) issued: u64,
    /// When it was last used, in seconds since 1970.
    pub(crate) last_used: u64,
    /// The `username` of the configuration when the account was confirmed. It need not be the account's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    pub(crate) account: Option<Account>,
    /// The scopes of the access token that was issued last, separated by spaces.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    scopes: String,
}

impl Record {
    /// Creates the record of a token that was just issued.
    pub(crate) fn for_new_token(profile: &Profile, access: &Access) -> Self {
        let now = now();
        Self {
            authority: profile.authority.to_string(),
            client_id: profile.client_id.to_string(),
            issued: now,
            last_used: now,
            username: profile.username.clone(),
            account: access.account.clone(),
            scopes: access.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" "),
        }
    }

    /// Returns the scopes of the access token that was issued last.
    pub(crate) fn scopes(&self) -> Vec<Scope> {
        self.scopes.split_whitespace().map(|scope| Scope::new(scope.to_owned())).collect()
    }

    /// Returns how the token's origin differs from the profile: the origin, and what the configuration says now.
    /// Another tenant at the same login host does not count: users often replace `common` by their own tenant, and the
    /// account in the response shows whether the token still belongs to the profile.
    pub(crate) fn differs_from(&self, profile: &Profile) -> Option<String> {
        let authority: Option<Authority> = self.authority.parse().ok();
        let file = profile.file.display();
        if authority.is_none_or(|authority| !authority.has_same_host_as(&profile.authority)) {
            Some(format!("the authority {}, but {file} now says {}", self.authority, profile.authority))
        } else if !self.client_id.eq_ignore_ascii_case(profile.client_id.as_str()) {
            Some(format!("the client ID {}, but {file} now says {}", self.client_id, profile.client_id.as_str()))
        } else {
            None
        }
    }
}

/// The account that a profile belongs to: the one that signed in last.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Owner {
    /// The `username` of the configuration when the account was confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    pub(crate) account: Account,
}

impl Owner {
    /// Returns whether the account was confirmed for the `username` that is configured now. Letter case is ignored.
    pub(crate) fn is_confirmed_for(&self, username: Option<&str>) -> bool {
        let Some(username) = username else { return true };
        self.username.as_deref().unwrap_or(&self.account.name).to_lowercase() == username.to_lowercase()
    }

    /// Returns the `username` for which the account was confirmed, or else the account's name.
    pub(crate) fn username(&self) -> &str {
        self.username.as_deref().unwrap_or(&self.account.name)
    }
}

/// The records file of one profile, with one record for each location.
pub(super) struct Records(PathBuf);

#[derive(Default, Deserialize, Serialize)]
pub(super) struct Sections {
    /// Missing in a file of version 0.1.
    owner: Option<Owner>,
    file: Option<Section>,
    keychain: Option<Section>,
    commands: Option<Section>,
    /// The account whose tokens come from the identity broker. It has no refresh token of ours.
    broker: Option<Record>,
    /// The record of a token that is being stored. It is written before the token, so that the token's origin is known
    /// at every moment.
    #[serde(rename = "coming")]
    pending: Option<Section>,
    /// The claims that Microsoft demands until the next sign-in, as JSON (Microsoft: "Claims challenges").
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) claims: Option<String>,
    pub(super) refusal: Option<RecordedRefusal>,
    pub(super) pause: Option<Pause>,
}

#[derive(Clone, Deserialize, Serialize)]
struct Section {
    token_digest: String,
    #[serde(flatten)]
    record: Record,
}

impl Records {
    pub(super) fn new(paths: &Paths, profile: &ProfileName) -> Self {
        Self(paths.records(profile))
    }

    /// Returns the record of this token. If the token is the pending one, its save was interrupted and is completed
    /// now.
    pub(super) fn find(&self, location: Location, token: &RefreshToken) -> Option<Record> {
        let mut sections = self.read();
        let digest = digest(token);
        if let Some(pending) = sections.pending.take_if(|pending| pending.token_digest == digest) {
            self.commit(location, token, pending.record.clone(), None);
            return Some(pending.record);
        }
        sections.section(location).take_if(|section| section.token_digest == digest).map(|section| section.record)
    }

    /// Returns the account that the profile belongs to. The records of version 0.1 do not name it: there it is the
    /// account of the newest token, and any configured `username` is accepted for it.
    pub(super) fn owner(&self, username: Option<&str>) -> Option<Owner> {
        let sections = self.read();
        let inferred =
            |section: Section| Some(Owner { username: username.map(str::to_owned), account: section.record.account? });
        sections.owner.clone().or_else(|| sections.newest().and_then(inferred))
    }

    /// Returns the record of the token that was issued last.
    pub(super) fn newest(&self) -> Option<Record> {
        self.read().newest().map(|section| section.record)
    }

    /// Returns the digest of the token that was issued last.
    pub(super) fn newest_digest(&self) -> Option<String> {
        self.read().newest().map(|section| section.token_digest)
    }

    /// Returns whether a token is recorded for this location.
    pub(super) fn has(&self, location: Location) -> bool {
        self.read().section(location).is_some()
    }

    /// Returns whether this token is being stored, or was when a process was interrupted.
    pub(super) fn is_pending(&self, token: &RefreshToken) -> bool {
        self.read().pending.is_some_and(|pending| pending.token_digest == digest(token))
    }

    /// Returns whether a save was interrupted.
    pub(super) fn has_pending(&self) -> bool {
        self.read().pending.is_some()
    }

    /// Records a token that is about to be stored. [`Records::commit`] reports a file that cannot be written.
    pub(super) fn begin(&self, token: &RefreshToken, record: &Record) {
        let mut sections = self.read();
        sections.pending = Some(Section { token_digest: digest(token), record: record.clone() });
        _ = self.write(&sections);
    }

    /// Discards the record of a token that could not be stored.
    pub(super) fn abort(&self) {
        let mut sections = self.read();
        sections.pending = None;
        _ = self.write(&sections);
    }

    /// Records a token that was stored, and removes the record of the location that was emptied. If the file cannot be
    /// written, the token is treated as one without a record, like the Python tool's.
    pub(super) fn commit(&self, location: Location, token: &RefreshToken, record: Record, emptied: Option<Location>) {
        let mut sections = self.read();
        sections.pending = None;
        (sections.refusal, sections.pause) = (None, None);
        if let Some(emptied) = emptied {
            *sections.section(emptied) = None;
        }
        sections.set_owner(&record);
        *sections.section(location) = Some(Section { token_digest: digest(token), record });
        if let Err(error) = self.write(&sections) {
            log::warn!("cannot write {}: {error}", self.0.display());
        }
        if location != Location::File {
            self.0.parent().inspect(|folder| private_fs::remove_stale(folder)); // saving a token file does this itself
        }
    }

    /// Removes the record of a location that was emptied. The account that signed in last stays recorded.
    pub(super) fn remove(&self, location: Location) {
        let mut sections = self.read();
        sections.pending = None;
        *sections.section(location) = None;
        if let Err(error) = self.write(&sections) {
            log::warn!("cannot write {}: {error}", self.0.display());
        }
    }

    /// Removes everything else, above all the account, if no token is recorded: after a sign-out, another account can
    /// sign in.
    pub(super) fn clear_if_empty(&self) {
        if self.read().is_empty()
            && let Err(error) = self.write(&Sections::default())
        {
            log::warn!("cannot write {}: {error}", self.0.display());
        }
    }

    /// Returns the record of the account whose tokens come from the identity broker.
    pub(super) fn broker(&self) -> Option<Record> {
        self.read().broker
    }

    /// Records a token of the identity broker. Fails if the record cannot be written, because no token is requested
    /// without it.
    pub(super) fn commit_broker(&self, record: Record) -> io::Result<()> {
        let mut sections = self.try_read()?;
        (sections.refusal, sections.pause) = (None, None);
        sections.set_owner(&record);
        sections.broker = Some(record);
        self.write(&sections)
    }

    /// Removes the record of the identity broker's account. Returns whether there was one.
    pub(super) fn remove_broker(&self) -> io::Result<bool> {
        let mut sections = self.try_read()?;
        let was_there = sections.broker.take().is_some();
        if sections.is_empty() {
            sections = Sections::default();
        }
        self.write(&sections).map(|()| was_there)
    }

    /// Returns no records if the file is missing or malformed, or cannot be read.
    pub(super) fn read(&self) -> Sections {
        self.try_read().unwrap_or_else(|error| {
            log::warn!("cannot read {}: {error}", self.0.display());
            Sections::default()
        })
    }

    /// Returns no records if the file is missing or malformed.
    pub(super) fn try_read(&self) -> io::Result<Sections> {
        match private_fs::read_own(&self.0) {
            Ok(text) => Ok(toml::from_str(&text).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Sections::default()),
            Err(error) => Err(error),
        }
    }

    pub(super) fn write(&self, sections: &Sections) -> io::Result<()> {
        // Without anything to remember there is no file, as before the first sign-in.
        let Sections { owner, claims, refusal, pause, .. } = sections;
        if sections.is_empty() && owner.is_none() && claims.is_none() && refusal.is_none() && pause.is_none() {
            return match std::fs::remove_file(&self.0) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            };
        }
        // The time between Microsoft's response and the token's save must be short, so this does not wait for the disk.
        let text = toml::to_string(sections).map_err(io::Error::other)?;
        private_fs::write_without_sync(&self.0, text.as_bytes())
    }
}

impl Sections {
    fn section(&mut self, location: Location) -> &mut Option<Section> {
        match location {
            Location::File => &mut self.file,
            Location::Keychain => &mut self.keychain,
            Location::Commands => &mut self.commands,
        }
    }

    /// Sets the account that the profile belongs to. A `username` that a person confirmed for this account stays
    /// confirmed while none is configured.
    fn set_owner(&mut self, record: &Record) {
        let Some(account) = record.account.clone() else { return };
        let confirmed = self.owner.take().filter(|owner| owner.account.is_same_as(&account));
        let username = record.username.clone().or_else(|| confirmed?.username);
        self.owner = Some(Owner { username, account });
    }

    /// Returns whether no token and no account of the broker is recorded.
    fn is_empty(&self) -> bool {
        self.newest().is_none() && self.broker.is_none()
    }

    fn newest(&self) -> Option<Section> {
        let sections = [&self.pending, &self.file, &self.keychain, &self.commands];
        sections.into_iter().flatten().max_by_key(|section| section.record.issued).cloned()
    }
}

/// 64 bits of SHA-256: enough to tell tokens apart, and useless for guessing a token of a thousand random characters.
pub(crate) fn token_digest(token: &RefreshToken) -> [u8; 8] {
    *Sha256::digest(token.secret()).first_chunk().expect("SHA-256 has 32 bytes")
}

fn digest(token: &RefreshToken) -> String {
    token_digest(token).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Checks that a records file that can be read is written so that it can be read again.
#[cfg(any(test, fuzzing))]
pub(crate) fn assert_round_trip(text: &str) {
    let Ok(sections) = toml::from_str::<Sections>(text) else { return };
    let written = toml::to_string(&sections).expect("what was read can be written");
    let again: Sections = toml::from_str(&written).expect("what was written can be read");
    assert_eq!(toml::to_string(&again).ok(), Some(written));
}
