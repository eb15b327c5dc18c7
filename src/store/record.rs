//! What is known of each stored refresh token. No secret: of the token itself there is a digest, which tells whether
//! the record still belongs to it (the Python original replaces tokens and keeps no records).

use std::io;
use std::path::PathBuf;

use oauth2::RefreshToken;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Location;
use crate::config::{Profile, ProfileName};
use crate::entra::Account;
use crate::paths::Paths;
use crate::private_fs;
use crate::unix_time::now;

/// What is known of a token.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Record {
    authority: String,
    client_id: String,
    /// When Microsoft issued the token, in seconds since 1970.
    pub(crate) issued: u64,
    /// When it was last used, in seconds since 1970.
    pub(crate) last_used: u64,
    pub(crate) account: Option<Account>,
}

impl Record {
    /// Of a token that was issued just now.
    pub(crate) fn for_new_token(profile: &Profile, account: Option<Account>) -> Self {
        let now = now();
        Self {
            authority: profile.authority.to_string(),
            client_id: profile.client_id.to_string(),
            issued: now,
            last_used: now,
            account,
        }
    }

    /// What the token came from and the profile no longer says, such as `the client ID …`.
    pub(crate) fn differs_from(&self, profile: &Profile) -> Option<String> {
        if self.authority != profile.authority.to_string() {
            Some(format!("the authority {}", self.authority))
        } else if self.client_id != profile.client_id.to_string() {
            Some(format!("the client ID {}", self.client_id))
        } else {
            None
        }
    }
}

/// The file of records of one profile: one for each place.
pub(super) struct Records(PathBuf);

#[derive(Default, Deserialize, Serialize)]
struct Sections {
    file: Option<Section>,
    keychain: Option<Section>,
    commands: Option<Section>,
    /// Of a token that is being stored: written before it, so that no moment knows the token and not where it came from.
    #[serde(rename = "coming")]
    pending: Option<Section>,
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

    /// The record of this very token.
    pub(super) fn of(&self, location: Location, token: &RefreshToken) -> Option<Record> {
        let mut sections = self.read();
        let candidates = [sections.section(location).take(), sections.pending];
        let found = candidates.into_iter().flatten().find(|section| section.token_digest == digest(token));
        found.map(|section| section.record)
    }

    /// The record of the token that was issued last.
    pub(super) fn latest(&self) -> Option<Record> {
        self.latest_section().map(|section| section.record)
    }

    /// The digest of the token that was issued last.
    pub(super) fn newest(&self) -> Option<String> {
        self.latest_section().map(|section| section.token_digest)
    }

    fn latest_section(&self) -> Option<Section> {
        let Sections { file, keychain, commands, pending } = self.read();
        [pending, file, keychain, commands].into_iter().flatten().max_by_key(|section| section.record.issued)
    }

    /// Whether a token was ever seen to be put there.
    pub(super) fn has(&self, location: Location) -> bool {
        self.read().section(location).is_some()
    }

    /// Says what is about to be stored. Where that fails, [`Records::commit`] says so.
    pub(super) fn begin(&self, token: &RefreshToken, record: &Record) {
        let mut sections = self.read();
        sections.pending = Some(Section { token_digest: digest(token), record: record.clone() });
        _ = self.write(&sections);
    }

    /// What was announced did not come.
    pub(super) fn abort(&self) {
        let mut sections = self.read();
        sections.pending = None;
        _ = self.write(&sections);
    }

    /// Keeps the record, and forgets that of a place which was emptied for it. Where it cannot be written the token is
    /// taken as one without a record, as the Python original's are.
    pub(super) fn commit(&self, location: Location, token: &RefreshToken, record: Record, emptied: Option<Location>) {
        let mut sections = self.read();
        sections.pending = None;
        if let Some(emptied) = emptied {
            *sections.section(emptied) = None;
        }
        *sections.section(location) = Some(Section { token_digest: digest(token), record });
        if let Err(error) = self.write(&sections) {
            log::warn!("cannot write {}: {error}", self.0.display());
        }
        if location != Location::File {
            self.0.parent().inspect(|folder| private_fs::remove_stale(folder)); // as the save of a file does itself
        }
    }

    /// Forgets the record of a place that was emptied.
    pub(super) fn remove(&self, location: Location) {
        let mut sections = self.read();
        sections.pending = None;
        *sections.section(location) = None;
        if self.write(&sections).is_err() {
            log::warn!("cannot write {}", self.0.display());
        }
    }

    /// A file that is missing or not understood knows nothing.
    fn read(&self) -> Sections {
        std::fs::read_to_string(&self.0).ok().and_then(|text| toml::from_str(&text).ok()).unwrap_or_default()
    }

    fn write(&self, sections: &Sections) -> io::Result<()> {
        match sections {
            // Nothing is known: no file, as before the first sign-in.
            Sections { file: None, keychain: None, commands: None, pending: None } => {
                match std::fs::remove_file(&self.0) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                    _ => Ok(()),
                }
            }
            // Each moment between Microsoft's answer and the token's save counts, and no record is worth one.
            known => {
                private_fs::write_without_sync(&self.0, toml::to_string(known).map_err(io::Error::other)?.as_bytes())
            }
        }
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
}

/// 64 bits of SHA-256: enough to tell tokens apart, and nothing of a token's thousand random characters.
fn digest(token: &RefreshToken) -> String {
    Sha256::digest(token.secret()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// What is understood of a file of records is written so that it is understood again.
#[cfg(any(test, fuzzing))]
pub(crate) fn assert_round_trip(text: &str) {
    let Ok(sections) = toml::from_str::<Sections>(text) else { return };
    let written = toml::to_string(&sections).expect("what was read can be written");
    let again: Sections = toml::from_str(&written).expect("what was written can be read");
    assert_eq!(toml::to_string(&again).ok(), Some(written));
}
