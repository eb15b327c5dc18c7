//! The paths of the configuration, tokens and locks: the Python tool's folders on each platform. No other file derives
//! them from environment variables.

use std::path::{Path, PathBuf};

use directories::BaseDirs;

use crate::config::{Config, ProfileName};
use crate::error::{Error, ErrorKind, Result};
use crate::private_fs;

/// The name of our folder inside the platform's folders.
const NAME: &str = "m365auth";

/// The configuration folder and the cache folder, and the names of the files in them.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    configuration: PathBuf,
    cache: PathBuf,
}

impl Paths {
    /// Returns the folders that the environment names (`XDG_CONFIG_HOME` and `XDG_CACHE_HOME` on Linux, `LOCALAPPDATA`
    /// on Windows), else the platform's default folders.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if the user has no home folder.
    pub(crate) fn from_environment() -> Result<Self> {
        // A container's user may have no home folder; both folders can be named without one.
        if let (Some(configuration), Some(cache)) = (named_folder("XDG_CONFIG_HOME"), named_folder("XDG_CACHE_HOME"))
            && cfg!(target_os = "linux")
        {
            return Ok(Self { configuration: configuration.join(NAME), cache: cache.join(NAME) });
        }
        let base = BaseDirs::new().ok_or_else(|| {
            Error::new(ErrorKind::Configuration, "this user has no home folder")
                .hint("set HOME to your home folder, or both XDG_CONFIG_HOME and XDG_CACHE_HOME")
        })?;
        // The Python tool's library `platformdirs` puts the author's name before the program's name on Windows.
        let (configuration, cache) = if cfg!(windows) {
            let local =
                named_folder("LOCALAPPDATA").unwrap_or_else(|| base.data_local_dir().to_owned()).join(NAME).join(NAME);
            (local.clone(), local.join("Cache"))
        } else {
            (base.config_dir().join(NAME), base.cache_dir().join(NAME))
        };
        Ok(Self { configuration, cache })
    }

    pub(crate) fn new(configuration: PathBuf, cache: PathBuf) -> Self {
        Self { configuration, cache }
    }

    /// Returns the configuration file: the file that `M365AUTH_CONFIG` names, else `config.toml` in the configuration
    /// folder.
    pub(crate) fn configuration_file(&self) -> PathBuf {
        Self::named_configuration_file().unwrap_or_else(|| self.configuration.join("config.toml"))
    }

    /// Reads the configuration file, or returns None if it does not exist. A file that `M365AUTH_CONFIG` names must
    /// exist, and so must the target of a symbolic link.
    pub(crate) fn load_configuration(&self) -> Result<Option<Config>> {
        let file = self.configuration_file();
        ensure_expanded(&file)?;
        if Self::named_configuration_file().is_none() && !private_fs::exists(&file) {
            return Ok(None);
        }
        Config::load(&file).map(Some)
    }

    /// Returns the file that `M365AUTH_CONFIG` names.
    pub(crate) fn named_configuration_file() -> Option<PathBuf> {
        std::env::var_os("M365AUTH_CONFIG").filter(|file| !file.is_empty()).map(PathBuf::from)
    }

    /// Returns the folder of tokens, records, locks and certificates.
    pub(crate) fn cache(&self) -> &Path {
        &self.cache
    }

    /// The refresh token, if it is stored in a file. The Python tool uses the same name.
    pub(crate) fn refresh_token(&self, profile: &ProfileName) -> PathBuf {
        self.cache.join(format!("refresh_token_{profile}"))
    }

    /// The records of the stored refresh tokens. They contain no secret.
    pub(crate) fn records(&self, profile: &ProfileName) -> PathBuf {
        self.cache.join(format!("records_{profile}.toml"))
    }

    /// The lock file. It is separate from the token file because each save replaces that.
    pub(crate) fn lock(&self, profile: &ProfileName) -> PathBuf {
        self.cache.join(format!("lock_{profile}"))
    }

    /// A file whose modification time is that of the last notification that a sign-in is needed.
    pub(crate) fn notified(&self, profile: &ProfileName) -> PathBuf {
        self.cache.join(format!("told_{profile}"))
    }

    /// A file whose modification time is that of the last warning about the client certificate.
    pub(crate) fn certificate_warning(&self, profile: &ProfileName) -> PathBuf {
        self.cache.join(format!("certificate_{profile}"))
    }

    /// The certificate of the callback listener. The Python tool uses the same name.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.cache.join("server.cert")
    }

    /// The private key of that certificate. The Python tool uses the same name.
    pub(crate) fn certificate_key(&self) -> PathBuf {
        self.cache.join("server.key")
    }
}

/// Fails for a path that begins with `~/`: only a shell expands it, and a folder called `~` would be created.
pub(crate) fn ensure_expanded(file: &Path) -> Result<()> {
    if !file.starts_with("~") {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Configuration,
        format!("the path of the configuration, {}, is not expanded", file.display()),
    )
    .hint("write the full path in M365AUTH_CONFIG or --config, such as /home/ada/.config/m365auth/config.toml"))
}

/// Returns the folder that a variable names. Ignores a relative path (XDG Base Directory Specification).
fn named_folder(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).map(PathBuf::from).filter(|folder| folder.is_absolute())
}
