//! A file that only its owner can read. It contains the bare token, unencrypted, at the Python tool's path.

use std::io;
use std::path::PathBuf;

use super::{MalformedToken, TokenStore, parse_token};
use crate::config::ProfileName;
use crate::error::{Error, ErrorKind, Result};
use crate::paths::Paths;
use crate::private_fs::{self, FileId};
use crate::token::RefreshToken;

pub(super) struct FileStore {
    profile: ProfileName,
    path: PathBuf,
}

impl FileStore {
    pub(super) fn new(paths: &Paths, profile: &ProfileName) -> Self {
        Self { profile: profile.clone(), path: paths.refresh_token(profile) }
    }

    /// Removes what killed processes left of this profile's token.
    pub(super) fn remove_unfinished(&self) {
        private_fs::remove_unfinished(&self.path);
    }

    pub(super) fn id(&self) -> Option<FileId> {
        FileId::of(&self.path)
    }

    fn malformed(&self) -> Error {
        Error::new(ErrorKind::SignIn, format!("{} does not contain a valid token", self.path.display()))
            .hint(format!("run `get-token --profile {:#}` to replace it", self.profile))
    }

    fn failed(&self, what: &str, error: io::Error) -> Error {
        Error::new(ErrorKind::Storage, format!("cannot {what} {}: {error}", self.path.display()))
            .hint("check who owns the file and its folder, and whether the disk is full")
            .with_source(error)
    }
}

impl TokenStore for FileStore {
    fn load(&self) -> Result<Option<RefreshToken>> {
        match private_fs::read_secret(&self.path) {
            Ok(text) => parse_token(&text).map_err(|MalformedToken| self.malformed()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(self.malformed()), // not UTF-8
            Err(error) => Err(self.failed("read", error)),
        }
    }

    fn save(&self, token: &RefreshToken) -> Result<()> {
        private_fs::write_secret(&self.path, token.secret()).map_err(|error| self.failed("write", error))
    }

    fn delete(&self) -> Result<()> {
        private_fs::remove_secret(&self.path).map_err(|error| self.failed("remove", error))
    }

    fn describe(&self) -> String {
        self.path.display().to_string()
    }
}
