//! The configuration: `config.toml` parsed into types, each mistake named with its file and line.

mod store_choice;
mod table;
mod values;

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use oauth2::{ClientId, ClientSecret, RedirectUrl, Scope};

use crate::error::{Error, ErrorKind, Result};
use crate::private_fs;
pub use store_choice::{StoreChoice, StoreCommands};
use table::Table;
pub use values::{Authority, CacheChoice, Cloud, ProfileName, Server};
pub(crate) use values::{CLIENT_ID_FORM, SUBMISSION, is_client_id, redirect_uri};

/// The commented configuration that the first run writes.
pub const EXAMPLE: &str = include_str!("../config.example.toml");

/// What every request asks for beside the profile's own scopes: an id_token that names the account, and a refresh
/// token (Microsoft identity platform, "OpenID Connect scopes").
pub(crate) const ALWAYS_ASKED_FOR: [&str; 3] = ["openid", "profile", "offline_access"];

/// The profiles that need no configuration.
const BUILT_IN: [&str; 2] = ["calendar", "mail"];

/// A configuration file that was read and understood.
pub struct Config {
    file: PathBuf,
    text: String,
    table: Table,
}

/// What one profile says, its own keys before the file's.
///
/// The client secret is redacted wherever this is printed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Profile {
    /// The name given with `--profile`.
    pub name: ProfileName,
    /// The configuration file that the profile was read from.
    pub file: PathBuf,
    /// The Application (client) ID.
    pub client_id: ClientId,
    /// Set for a confidential client ("Web") only, and never empty.
    pub client_secret: Option<ClientSecret>,
    /// Who issues the tokens.
    pub authority: Authority,
    /// Which of Microsoft's clouds that is.
    pub cloud: Cloud,
    /// Where the browser comes back to, to the letter as registered.
    pub redirect_uri: RedirectUrl,
    /// The scopes of the profile's resource, then `openid profile offline_access`.
    pub scopes: Vec<Scope>,
    /// The mail address.
    pub username: Option<String>,
    /// Where refresh tokens live.
    pub store: StoreChoice,
    /// Where access tokens are kept between two calls.
    pub cache: CacheChoice,
    /// For one talk with Microsoft.
    pub network_timeout: Duration,
    /// One more certificate authority, as PEM.
    pub ca_file: Option<PathBuf>,
    /// Where `--check` looks for mail.
    pub imap_server: Server,
    /// Where `--check` attempts to send mail.
    pub smtp_server: Server,
    /// Where `--check` asks Microsoft Graph.
    pub graph_server: Server,
}

/// The file's name alone: its text may hold the client secret.
impl std::fmt::Debug for Config {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Config").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Config {
    /// Reads a configuration file.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] where the file is missing or says what it must not, [`ErrorKind::Storage`] where
    /// it cannot be read.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// let file = folder.path().join("config.toml");
    /// std::fs::write(&file, "client_id = '9e5f94bc-e8a4-4e73-b8be-63364c29d753'")?;
    /// let profile = m365auth::Config::load(&file)?.profile(&"mail".parse()?)?;
    /// assert_eq!(profile.authority.to_string(), "https://login.microsoftonline.com/common/");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn load(file: &Path) -> Result<Self> {
        let unreadable = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound if file.is_symlink() => {
                Error::new(ErrorKind::Configuration, format!("{} leads to a file that is not there", file.display()))
                    .hint(format!("see where the link leads: `ls -l {}`", file.display()))
            }
            io::ErrorKind::NotFound => {
                Error::new(ErrorKind::Configuration, format!("there is no configuration at {}", file.display()))
                    .hint("run `get-token`: it writes one to fill in")
            }
            _ => Error::new(ErrorKind::Storage, format!("cannot read {}: {error}", file.display()))
                .hint("see who owns the file, and whether it is text"),
        };
        let mut opened = std::fs::File::open(file).map_err(unreadable)?;
        // It names programs to run, and whom to trust with tokens.
        private_fs::ensure_trusted(&opened, file).map_err(|why| {
            Error::new(ErrorKind::Configuration, format!("{} is not used: {why}", file.display())).hint(
                "look whether it says what you wrote; then make it yours alone: \
                 `chmod go-w` (and `chown`) for the file and its folder",
            )
        })?;
        let mut text = String::new();
        opened.read_to_string(&mut text).map_err(unreadable)?;
        Self::parse(file, text)
    }

    pub(crate) fn parse(file: &Path, text: String) -> Result<Self> {
        let table = table::parse(&text).map_err(|error| error.into_error(file, &text))?;
        Ok(Self { file: file.to_owned(), text, table })
    }

    /// Where the configuration was read.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// One profile, complete.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] where there is no such profile, or where a key that it needs is missing or wrong.
    pub fn profile(&self, name: &ProfileName) -> Result<Profile> {
        self.store_choice(name)?; // the one place that refuses an unknown profile
        let resolved = table::resolve(name, &self.table);
        let mut profile = resolved.map_err(|error| error.into_error(&self.file, &self.text))?;
        profile.file.clone_from(&self.file);
        // A path in the file is relative to the file.
        if let (Some(ca_file), Some(folder)) = (&mut profile.ca_file, self.file.parent()) {
            *ca_file = folder.join(&*ca_file);
        }
        Ok(profile)
    }

    /// Where the refresh token of a profile lives. All that `get-refresh-token` needs of the configuration.
    pub(crate) fn store_choice(&self, name: &ProfileName) -> Result<StoreChoice> {
        let own = self.table.profiles.get(name.as_str());
        if own.is_none() && !BUILT_IN.contains(&name.as_str()) {
            let known = self.profile_names().join(", ");
            return Err(Error::new(
                ErrorKind::Configuration,
                format!("{} has no profile \"{name}\"", self.file.display()),
            )
            .hint(format!("the profiles are: {known}; add a section [profiles.{name}] for another")));
        }
        let choice = own.and_then(|own| own.get_ref().store.as_ref()).or(self.table.store.as_ref());
        Ok(choice.cloned().unwrap_or_default())
    }

    /// The program to run, with its arguments, when a person must act.
    pub(crate) fn on_sign_in_needed(&self, name: &ProfileName) -> Option<&[String]> {
        let own = self.table.profiles.get(name.as_str()).and_then(|own| own.get_ref().on_sign_in_needed.as_deref());
        own.or(self.table.on_sign_in_needed.as_deref()).filter(|command| !command.is_empty())
    }

    /// The built-in profiles and the file's own, in order.
    pub(crate) fn profile_names(&self) -> Vec<&str> {
        let own = self.table.profiles.keys().map(String::as_str);
        let mut names: Vec<&str> = BUILT_IN.into_iter().chain(own).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// Microsoft's scopes for mail programs and calendars, in the profile's cloud.
pub(crate) fn built_in_scopes(name: &ProfileName, cloud: Cloud) -> Option<Vec<String>> {
    let (mail, graph) = (cloud.mail_resource(), cloud.graph_host());
    match name.as_str() {
        "mail" => Some(vec![format!("{mail}/IMAP.AccessAsUser.All"), format!("{mail}/SMTP.Send")]),
        "calendar" => Some(vec![format!("https://{graph}/Calendars.ReadWrite")]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_example_is_a_configuration_that_only_lacks_the_client_id() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("config.toml");
        std::fs::write(&file, EXAMPLE).expect("writing");
        let config = Config::load(&file).expect("the example parses");
        let error = config.profile(&"mail".parse().expect("a name")).expect_err("no client ID yet");
        assert!(error.to_string().contains("client_id is empty"), "{error}");
    }

    #[test]
    fn a_configuration_prints_no_secret() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("config.toml");
        std::fs::write(&file, "client_id = '4f2a7b1c-90de-4c3b-a1f7-5d2e8c6b3a10'\nclient_secret = 'hunter2'")
            .expect("writing");
        let config = Config::load(&file).expect("a configuration");
        let profile = config.profile(&"mail".parse().expect("a name")).expect("a profile");
        assert!(!format!("{config:?} {profile:?}").contains("hunter2"));
    }

    #[test]
    fn every_key_of_the_example_is_understood_once_uncommented() {
        // A comment that shows a key starts with "# key =", "# [" or continues such a list; prose does not.
        let uncommented: String = EXAMPLE
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(code) if code.starts_with(['[', ' ', ']']) || code.contains(" = ") => code,
                _ => line,
            })
            .filter(|line| !line.starts_with("authority")) // stands instead of the tenant and the cloud
            .filter(|line| !line.starts_with("store = ")) // or programs of one's own
            .map(|line| format!("{line}\n"))
            .collect();
        let text = uncommented.replace("client_id = \"\"", "client_id = \"4f2a7b1c-90de-4c3b-a1f7-5d2e8c6b3a10\"");
        let table = table::parse(&text).unwrap_or_else(|_| panic!("{text}"));
        assert_eq!(table.profiles.len(), 2, "{text}");
        for name in BUILT_IN {
            let shown = table.profiles[name].get_ref().scopes.as_ref().expect("scopes").get_ref().clone();
            let built_in = built_in_scopes(&name.parse().expect("a name"), Cloud::Global);
            assert_eq!(Some(shown), built_in, "the example shows what is built in");
        }
    }

    #[test]
    fn the_readme_and_the_example_name_every_key() {
        let mistake =
            table::parse("nothing = 1").expect_err("an unknown key").into_error(Path::new("x"), "").to_string();
        // unknown field `nothing`, expected one of `client_id`, …
        let known: BTreeSet<&str> = mistake.split('`').skip(3).step_by(2).filter(|key| *key != "profiles").collect();
        let readme = include_str!("../README.md").split_once("| key |").expect("a table of keys").1;
        let rows = readme.lines().skip(2).map_while(|line| line.strip_prefix("| ")?.split_once(" | "));
        let shown: BTreeSet<&str> = rows.flat_map(|(keys, _)| keys.split('`').skip(1).step_by(2)).collect();
        assert_eq!(shown, known, "README.md");
        let lines = EXAMPLE.lines().map(|line| line.trim_start_matches("# "));
        let keys = lines.filter_map(|line| line.split_once(" = ")?.0.split('.').next());
        assert_eq!(keys.collect::<BTreeSet<_>>(), known, "config.example.toml");
    }
}
