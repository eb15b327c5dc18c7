//! A file that only its owner can read: the bare token, where the Python original keeps it. Not encrypted.

use std::io;
use std::path::PathBuf;

use oauth2::RefreshToken;

use super::{MalformedToken, TokenStore, parse_token};
use crate::config::ProfileName;
use crate::error::{Error, ErrorKind, Result};
use crate::paths::Paths;
use crate::private_fs;

pub(super) struct FileStore(PathBuf);

impl FileStore {
    pub(super) fn new(paths: &Paths, profile: &ProfileName) -> Self {
        Self(paths.refresh_token(profile))
    }

    fn failed(&self, what: &str, error: &io::Error) -> Error {
        Error::new(ErrorKind::Storage, format!("cannot {what} {}: {error}", self.0.display()))
            .hint("see who owns the file and its folder, and whether the disk is full")
    }
}

impl TokenStore for FileStore {
    fn load(&self) -> Result<Option<RefreshToken>> {
        let text = match private_fs::read_secret(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(|error| self.failed("read", &error))?,
        };
        parse_token(&text).map_err(|MalformedToken| {
            let message = format!("{} holds no token", self.0.display());
            Error::new(ErrorKind::Storage, message).hint("run `get-token` to replace it")
        })
    }

    fn save(&self, token: &RefreshToken) -> Result<()> {
        private_fs::write_secret(&self.0, token.secret()).map_err(|error| self.failed("write", &error))
    }

    fn delete(&self) -> Result<()> {
        match std::fs::remove_file(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.failed("remove", &error)),
            _ => Ok(()),
        }
    }

    fn describe(&self) -> String {
        self.0.display().to_string()
    }
}
