//! Opening a session with files other than the user's.

use std::path::{Path, PathBuf};

use super::Session;
use crate::config::{Config, how_to_create};
use crate::error::Result;
use crate::paths::{self, Paths};
use crate::private_fs;

/// Opens a [`Session`] with a configuration and a folder of the program's own. [`Session::builder`] creates it.
///
/// With both, neither the user's folders nor the variables that name them are used:
///
/// ```no_run
/// let session = m365auth::Session::builder()
///     .config("/etc/fetcher/m365auth.toml")
///     .cache_dir("/var/lib/fetcher/m365auth")
///     .open("mail")?;
/// # Ok::<(), m365auth::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct SessionBuilder {
    config: Option<PathBuf>,
    cache_dir: Option<PathBuf>,
}

impl SessionBuilder {
    /// Sets the configuration file. The default is the file that `M365AUTH_CONFIG` names, or else the user's
    /// `config.toml`.
    #[must_use]
    pub fn config(mut self, file: impl AsRef<Path>) -> Self {
        self.config = Some(file.as_ref().to_owned());
        self
    }

    /// Sets the folder of token files, records and locks, which is created if it does not exist. The default is the
    /// user's cache folder. The keychain entry of a profile is the same with any folder.
    #[must_use]
    pub fn cache_dir(mut self, folder: impl AsRef<Path>) -> Self {
        self.cache_dir = Some(folder.as_ref().to_owned());
        self
    }

    /// Reads the configuration and opens a session for a profile. Requests nothing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if the configuration file or the profile does not exist or is not valid, if others
    /// can write to the file, or if a default is needed and the user has no home folder; [`ErrorKind::Storage`] if the
    /// file cannot be read.
    ///
    /// [`ErrorKind::Configuration`]: crate::ErrorKind::Configuration
    /// [`ErrorKind::Storage`]: crate::ErrorKind::Storage
    pub fn open(&self, profile: &str) -> Result<Session> {
        let file = match &self.config {
            Some(file) => file.clone(),
            None => Paths::from_environment()?.configuration_file(),
        };
        paths::ensure_expanded(&file)?;
        let config = Config::load(&file).map_err(|error| match &self.config {
            Some(file) if !private_fs::exists(file) => error.hint(how_to_create(file)),
            _ => error,
        })?;
        let paths = match &self.cache_dir {
            Some(folder) => {
                let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.clone());
                Paths::new(config.file().parent().unwrap_or(&folder).to_owned(), folder)
            }
            None => Paths::from_environment()?,
        };
        Ok(Session::new(paths, config.profile(&profile.parse()?)?))
    }
}
