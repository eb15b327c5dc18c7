//! Where configuration, tokens and locks live: the Python original's folders, on each platform. The only reader of
//! the environment variables that say so.

use std::path::{Path, PathBuf};

use directories::BaseDirs;

use crate::config::ProfileName;
use crate::error::{Error, ErrorKind, Result};

/// The folder's name below the platform's own.
const NAME: &str = "m365auth";

/// The two folders of the suite, and the names of what lies in them.
#[derive(Clone, Debug)]
pub struct Paths {
    configuration: PathBuf,
    cache: PathBuf,
}

impl Paths {
    /// The folders that the environment names (XDG's on Linux, `LOCALAPPDATA` on Windows), else the platform's own.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] where the system knows no home folder for this user.
    pub fn from_environment() -> Result<Self> {
        let base = BaseDirs::new().ok_or_else(|| {
            Error::new(ErrorKind::Configuration, "this user has no home folder")
                .hint("set HOME to the folder that holds your configuration")
        })?;
        // Python's `platformdirs`, which chose these folders, puts the author's name before the program's on Windows.
        let (configuration, cache) = if cfg!(windows) {
            let named = std::env::var_os("LOCALAPPDATA").map(PathBuf::from).filter(|folder| folder.is_absolute());
            let local = named.unwrap_or_else(|| base.data_local_dir().to_owned()).join(NAME).join(NAME);
            (local.clone(), local.join("Cache"))
        } else {
            (base.config_dir().join(NAME), base.cache_dir().join(NAME))
        };
        Ok(Self { configuration, cache })
    }

    /// The configuration file: the one that `M365AUTH_CONFIG` names, else `config.toml` in the user's folder.
    pub fn configuration_file(&self) -> PathBuf {
        Self::named_configuration_file().unwrap_or_else(|| self.configuration.join("config.toml"))
    }

    /// The file that `M365AUTH_CONFIG` names.
    pub(crate) fn named_configuration_file() -> Option<PathBuf> {
        std::env::var_os("M365AUTH_CONFIG").filter(|file| !file.is_empty()).map(PathBuf::from)
    }

    /// The folder of everything below.
    pub fn cache(&self) -> &Path {
        &self.cache
    }

    /// The refresh token, where no keychain takes it. The Python original's name.
    pub(crate) fn refresh_token(&self, profile: &ProfileName) -> PathBuf {
        self.cache.join(format!("refresh_token_{profile}"))
    }

    /// What is known of the stored refresh tokens. No secret.
    pub(crate) fn records(&self, profile: &ProfileName) -> PathBuf {
        self.cache.join(format!("records_{profile}.toml"))
    }

    /// The file whose lock says that somebody refreshes. A file of its own, since the token's is replaced at each save.
    pub(crate) fn lock(&self, profile: &ProfileName) -> PathBuf {
        self.cache.join(format!("lock_{profile}"))
    }

    /// Written when the person was last told to sign in.
    pub(crate) fn notified(&self, profile: &ProfileName) -> PathBuf {
        self.cache.join(format!("told_{profile}"))
    }

    /// The certificate of the callback. The Python original's name.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.cache.join("server.cert")
    }

    /// The private key of that certificate. The Python original's name.
    pub(crate) fn certificate_key(&self) -> PathBuf {
        self.cache.join("server.key")
    }
}
