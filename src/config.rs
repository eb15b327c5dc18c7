//! The configuration: `config.toml` parsed into types. Each error names the file, the line and the value.

mod credential;
mod document;
mod entry;
mod error;
mod grant;
mod keys;
#[cfg(test)]
mod mistakes;
mod plausible;
mod profile;
mod resolve;
mod service;
mod similar_names;
mod store_choice;
mod suggestion;
mod syntax;
mod table;
mod values;

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};
use crate::private_fs;
use crate::sanitize::for_shell;
pub(crate) use credential::{CertificateFiles, Credential};
pub(crate) use grant::Grant;
pub use profile::Profile;
pub(crate) use service::Service;
pub(crate) use store_choice::{StoreChoice, StoreCommands};
pub(crate) use suggestion::key_of;
use table::Table;
pub use values::Server;
pub(crate) use values::{Authority, CacheChoice, Cloud, ProfileName, SUBMISSION, client_id, redirect_uri};

/// The commented configuration that the first run writes.
pub(crate) const EXAMPLE: &str = include_str!("../config.example.toml");

/// The scopes of every request, in addition to the profile's own: for an id_token that names the account, and for a
/// refresh token (Microsoft identity platform, "OpenID Connect scopes").
pub(crate) const ALWAYS_REQUESTED: [&str; 3] = ["openid", "profile", "offline_access"];

/// The default of `redirect_uri`: the URI that users of the Python tool have registered.
pub(crate) const DEFAULT_REDIRECT_URI: &str = "https://localhost:7598/";

/// The profiles that exist without a section in the file.
const BUILT_IN: [&str; 3] = ["calendar", "mail", "send"];

/// A configuration file that was parsed.
pub(crate) struct Config {
    file: PathBuf,
    text: String,
    table: Table,
}

/// Prints the path only, because the text may contain the client secret.
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
    /// [`ErrorKind::Configuration`] if the file is missing or not valid, [`ErrorKind::Storage`] if it cannot be read.
    pub(crate) fn load(file: impl AsRef<Path>) -> Result<Self> {
        // Errors show the full path: a mail program's log does not show the current folder.
        let file = file.as_ref();
        let file = &std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        let mut opened = std::fs::File::open(file).map_err(|error| read_error(file, error))?;
        // The file names programs to run and the hosts that receive tokens.
        private_fs::ensure_trusted(&opened, file).map_err(|reason| {
            let (command, path) = (private_fs::trust_command(file), for_shell(&file.to_string_lossy()));
            Error::new(ErrorKind::Configuration, format!("the configuration is rejected: {reason}")).hint(format!(
                "check that nobody else has changed the file, then make it writable only by you: `{command}` \
                 (`chown` if another user owns it); if its file system does not support file modes and you \
                 trust it, run `export M365AUTH_TRUST_CONFIG={path}`"
            ))
        })?;
        let mut text = String::new();
        opened.read_to_string(&mut text).map_err(|error| read_error(file, error))?;
        Self::parse(file, text)
    }

    pub(crate) fn parse(file: &Path, text: String) -> Result<Self> {
        let table = document::parse(&text).map_err(|error| error.into_error(file, &text))?;
        let config = Self { file: file.to_owned(), text, table };
        if similar_names::IS_MISTAKE {
            config.ensure_distinct_files()?;
        }
        Ok(config)
    }

    /// The path of the file.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// Returns a profile with all its values.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if the profile does not exist, or if one of its keys is missing or not valid.
    pub(crate) fn profile(&self, name: &ProfileName) -> Result<Profile> {
        self.store_choice(name)?; // rejects an unknown profile
        let resolved = resolve::resolve(name, &self.table);
        let mut profile = resolved.map_err(|error| error.into_error(&self.file, &self.text))?;
        profile.file.clone_from(&self.file);
        // A relative path in the file is relative to the file's folder.
        if let Some(folder) = self.file.parent() {
            let certificate = match &mut profile.credential {
                Some(Credential::Certificate(files)) => vec![&mut files.certificate, &mut files.key],
                _ => vec![],
            };
            for path in certificate.into_iter().chain(profile.ca_file.as_mut()) {
                *path = folder.join(&*path);
            }
        }
        Ok(profile)
    }

    /// Fails if the values of a profile are valid but cannot work, such as scopes of two services.
    pub(crate) fn ensure_plausible(&self, profile: &Profile) -> Result<()> {
        plausible::check(profile, &self.table).map_err(|error| error.into_error(&self.file, &self.text))
    }

    /// Fails if two profiles have the same files on Windows or macOS. On those systems, [`Config::load`] fails already.
    pub(crate) fn ensure_distinct_files(&self) -> Result<()> {
        similar_names::check(&self.table).map_err(|error| error.into_error(&self.file, &self.text))
    }

    /// The text of the file.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The client ID that applies to all profiles.
    pub(crate) fn client_id(&self) -> Option<&str> {
        self.table.client_id.as_ref().map(|id| id.get_ref().trim()).filter(|id| !id.is_empty())
    }

    /// The tenant that applies to all profiles.
    pub(crate) fn tenant(&self) -> Option<&str> {
        self.table.tenant.as_ref().map(|tenant| tenant.get_ref().as_str())
    }

    /// Whether an authority applies to all profiles. It replaces tenant and cloud.
    pub(crate) fn has_authority(&self) -> bool {
        self.table.authority.is_some()
    }

    /// The cloud that applies to all profiles.
    pub(crate) fn cloud(&self) -> Cloud {
        self.table.cloud.unwrap_or_default()
    }

    /// Returns where the refresh token of a profile is stored. `get-refresh-token` needs nothing else.
    pub(crate) fn store_choice(&self, name: &ProfileName) -> Result<StoreChoice> {
        let own = self.table.profiles.get(name.as_str());
        if own.is_none() && !BUILT_IN.contains(&name.as_str()) {
            return Err(self.unknown_profile(name));
        }
        let choice = own.and_then(|own| own.get_ref().store.as_ref()).or(self.table.store.as_ref());
        Ok(choice.cloned().unwrap_or_default())
    }

    /// Returns how the access tokens of a profile are requested. An incomplete configuration is enough.
    pub(crate) fn grant(&self, name: &ProfileName) -> Grant {
        let own = self.table.profiles.get(name.as_str()).map(|own| own.get_ref());
        grant::resolve(own, &self.table)
    }

    fn unknown_profile(&self, name: &ProfileName) -> Error {
        let file = self.file.display();
        let known = self.profile_names();
        let hint = match suggestion::similar(name.as_str(), known.iter().copied()) {
            Some(similar) => format!("did you mean \"{similar}\"?"),
            None => format!(
                "the profiles are {}; to add \"{name}\", write a section [profiles.{}] in {file}",
                known.join(", "),
                key_of(name.as_str())
            ),
        };
        Error::new(ErrorKind::Configuration, format!("there is no profile \"{name}\" in {file}")).hint(hint)
    }

    /// Returns the command to run when a person must sign in: a program and its arguments.
    pub(crate) fn on_sign_in_needed(&self, name: &ProfileName) -> Option<&[String]> {
        let own = self.table.profiles.get(name.as_str()).and_then(|own| own.get_ref().on_sign_in_needed.as_deref());
        own.or(self.table.on_sign_in_needed.as_deref())
    }

    /// Returns the configured `username` of a profile.
    pub(crate) fn username(&self, name: &ProfileName) -> Option<String> {
        let own = self.table.profiles.get(name.as_str()).and_then(|own| own.get_ref().username.clone());
        own.or_else(|| self.table.username.clone()).filter(|username| !username.is_empty())
    }

    /// Returns the other profiles whose store programs are the same and do not depend on the profile: they share one
    /// token.
    pub(crate) fn profiles_with_the_same_programs(&self, name: &ProfileName) -> Vec<ProfileName> {
        let Ok(StoreChoice::Commands(programs)) = self.store_choice(name) else { return Vec::new() };
        let depends = |argument: &String| argument.contains("{profile}") || argument.contains("M365AUTH_PROFILE");
        if programs.save.iter().any(depends) {
            return Vec::new();
        }
        let others = self.profile_names().into_iter().filter(|other| *other != name.as_str());
        let others = others.filter_map(|other| other.parse().ok());
        others
            .filter(|other| matches!(self.store_choice(other), Ok(StoreChoice::Commands(same)) if same == programs))
            .collect()
    }

    /// Returns the names of the built-in profiles and of the file's, sorted.
    pub(crate) fn profile_names(&self) -> Vec<&str> {
        let own = self.table.profiles.keys().map(String::as_str);
        let mut names: Vec<&str> = BUILT_IN.into_iter().chain(own).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// Returns how the user creates a configuration file at a path of their own.
pub(crate) fn how_to_create(file: &Path) -> String {
    format!("run `get-token --config {}` to create it", for_shell(&file.to_string_lossy()))
}

/// Returns the error for a file that cannot be read.
fn read_error(file: &Path, error: io::Error) -> Error {
    let path = file.display();
    let explained = match (error.kind(), private_fs::dangling_link(file)) {
        (io::ErrorKind::NotFound, Some(link)) => {
            let what = if link == file { "file" } else { "folder" };
            let shown = link.display();
            Error::new(ErrorKind::Configuration, format!("{shown} is a symbolic link to a {what} that does not exist"))
                .hint(format!("check the target of the link: `ls -ld {}`", for_shell(&link.to_string_lossy())))
        }
        (io::ErrorKind::NotFound, None) => {
            Error::new(ErrorKind::Configuration, format!("there is no configuration file at {path}"))
                .hint("run `get-token` to create one")
        }
        (io::ErrorKind::InvalidData, _) => Error::new(ErrorKind::Storage, format!("{path} is not UTF-8 text"))
            .hint(format!("save {path} as UTF-8 in your editor")),
        _ => Error::new(ErrorKind::Storage, format!("cannot read {path}: {error}"))
            .hint(private_fs::check_permissions(file)),
    };
    explained.with_source(error)
}

/// Returns the scopes of a built-in profile in a cloud.
pub(crate) fn built_in_scopes(name: &ProfileName, cloud: Cloud) -> Option<Vec<String>> {
    let (mail, graph) = (cloud.mail_resource(), cloud.graph_host());
    match name.as_str() {
        "mail" => Some(vec![format!("{mail}/IMAP.AccessAsUser.All"), format!("{mail}/SMTP.Send")]),
        "calendar" => Some(vec![format!("https://{graph}/Calendars.ReadWrite")]),
        "send" => Some(vec![format!("https://{graph}/Mail.Send")]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_example_is_valid_except_for_the_client_id() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("config.toml");
        std::fs::write(&file, EXAMPLE).expect("writing");
        let config = Config::load(&file).expect("the example parses");
        let error = config.profile(&"mail".parse().expect("a name")).expect_err("no client ID yet");
        assert!(error.to_string().contains("client_id is empty"), "{error}");
    }

    #[test]
    fn debug_output_does_not_contain_the_secret() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("config.toml");
        std::fs::write(&file, "client_id = '4f2a7b1c-90de-4c3b-a1f7-5d2e8c6b3a10'\nclient_secret = 'hunter2'")
            .expect("writing");
        let config = Config::load(&file).expect("a configuration");
        let profile = config.profile(&"mail".parse().expect("a name")).expect("a profile");
        assert!(!format!("{config:?} {profile:?}").contains("hunter2"));
    }

    #[test]
    fn every_key_of_the_example_is_valid_when_uncommented() {
        // A comment that shows a key starts with "# key =", "# [" or continues a list. Prose does not.
        let uncommented: String = EXAMPLE
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(code) if code.starts_with(['[', ' ', ']']) || code.contains(" = ") => code,
                _ => line,
            })
            .filter(|line| !line.starts_with("authority")) // replaces the tenant and the cloud
            .filter(|line| !line.starts_with("store = ")) // the commands replace it
            .filter(|line| !line.starts_with("client_secret = ")) // so does its program
            .map(|line| format!("{line}\n"))
            .collect();
        let text = uncommented.replace("client_id = \"\"", "client_id = \"4f2a7b1c-90de-4c3b-a1f7-5d2e8c6b3a10\"");
        let table = document::parse(&text).unwrap_or_else(|error| panic!("{error:?} in {text}"));
        assert_eq!(table.profiles.len(), BUILT_IN.len(), "{text}");
        for name in BUILT_IN {
            let shown = table.profiles[name].get_ref().scopes.as_ref().expect("scopes").get_ref().clone();
            let built_in = built_in_scopes(&name.parse().expect("a name"), Cloud::Global);
            assert_eq!(Some(shown), built_in, "the example shows what is built in");
        }
    }

    #[test]
    fn the_recipes_of_the_readme_are_valid() {
        let readme = include_str!("../README.md");
        let recipes: Vec<&str> =
            readme.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        assert_eq!(recipes.len(), 3);
        for recipe in recipes {
            let text = recipe
                .replace("YOUR-CLIENT-ID", "4f2a7b1c-90de-4c3b-a1f7-5d2e8c6b3a10")
                .replace("YOUR-TENANT-ID", "8d3e5c2a-6b1f-4a7e-9c0d-2f4b6a8c1e3d");
            let config = Config::parse(Path::new("config.toml"), text).expect("a configuration");
            let profile = config.profile(&"mail".parse().expect("a name")).expect("a profile");
            config.ensure_plausible(&profile).expect("scopes of one service");
            let built_in = built_in_scopes(&profile.name, Cloud::Global).expect("built-in scopes");
            assert!(built_in.iter().all(|scope| profile.own_scopes().any(|own| own.as_str() == scope)), "{recipe}");
        }
    }

    #[test]
    fn the_documented_keys_for_dod_are_valid() {
        let document = include_str!("../docs/accounts.md");
        let block = document.split_once("**DoD**").and_then(|(_, rest)| rest.split("```").nth(1)).expect("a block");
        let text = block.trim_start_matches("toml\n").replace("YOUR-CLIENT-ID", "4f2a7b1c-90de-4c3b-a1f7-5d2e8c6b3a10");
        let config = Config::parse(Path::new("config.toml"), text).expect("a configuration");
        for (name, service) in [("mail", Service::Exchange), ("calendar", Service::Graph), ("send", Service::Graph)] {
            let profile = config.profile(&name.parse().expect("a name")).expect("a profile");
            config.ensure_plausible(&profile).expect("scopes of one service");
            assert!(profile.own_scopes().all(|scope| Service::of(scope) == service), "{name}");
            assert_eq!(profile.graph_server.to_string(), "dod-graph.microsoft.us:443");
        }
    }

    #[test]
    fn the_documentation_and_the_example_name_every_key() {
        let keys = keys::KEYS.iter().map(|key| key.form.key);
        let known: BTreeSet<&str> = keys.filter(|key| *key != "profiles").collect();
        let keys =
            include_str!("../docs/configuration.md").split("\n## ").find(|section| section.starts_with("Keys\n"));
        let rows = keys.expect("the keys").lines().filter_map(|line| line.strip_prefix("- ")?.split_once(": "));
        let shown: BTreeSet<&str> = rows.flat_map(|(keys, _)| keys.split('`').skip(1).step_by(2)).collect();
        assert_eq!(shown, known, "docs/configuration.md");
        let lines = EXAMPLE.lines().map(|line| line.trim_start_matches("# "));
        let keys = lines.filter_map(|line| line.split_once(" = ")?.0.split('.').next());
        assert_eq!(keys.collect::<BTreeSet<_>>(), known, "config.example.toml");
    }
}
