//! `config.toml` as it is written, and what is wrong with it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use oauth2::{ClientId, ClientSecret, RedirectUrl, Scope};
use serde::Deserialize;
use toml::Spanned;

use super::store_choice::StoreChoice;
use super::values::{
    Authority, CLIENT_ID_FORM, CacheChoice, Cloud, HTTPS, IMAPS, ProfileName, SUBMISSION, Server, is_client_id,
    redirect_uri,
};
use super::{ALWAYS_ASKED_FOR, Profile, built_in_scopes};
use crate::error::{Error, ErrorKind};
use crate::sanitize::for_terminal;

/// The default of `redirect_uri`, the address that the Python original registered.
const REDIRECT_URI: &str = "https://localhost:7598/";
/// The default of `network_timeout`, in seconds.
const NETWORK_TIMEOUT: u64 = 30;
/// The longest `network_timeout`, in seconds: mail programs give up long before.
const LONGEST_NETWORK_TIMEOUT: u64 = 600;

/// The file's own level, or a profile: every key may stand in both, but for the last two.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    client_id: Option<Spanned<String>>,
    client_secret: Option<ClientSecret>,
    tenant: Option<Spanned<String>>,
    cloud: Option<Cloud>,
    authority: Option<Spanned<String>>,
    redirect_uri: Option<Spanned<String>>,
    username: Option<String>,
    pub(super) store: Option<StoreChoice>,
    cache: Option<CacheChoice>,
    network_timeout: Option<Spanned<u64>>,
    ca_file: Option<PathBuf>,
    imap_host: Option<Spanned<String>>,
    smtp_host: Option<Spanned<String>>,
    graph_host: Option<Spanned<String>>,
    pub(super) on_sign_in_needed: Option<Vec<String>>,
    /// In a profile only.
    pub(super) scopes: Option<Spanned<Vec<String>>>,
    /// In the file only.
    #[serde(default)]
    pub(super) profiles: BTreeMap<String, Spanned<Table>>,
}

/// What is wrong, and where, as bytes of the file.
pub(super) struct ConfigurationError {
    span: Option<Range<usize>>,
    message: String,
    hint: Option<String>,
}

impl ConfigurationError {
    fn new(span: impl Into<Option<Range<usize>>>, message: impl Into<String>) -> Self {
        Self { span: span.into(), message: message.into(), hint: None }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The error to show. The line itself stays out of it: it may hold the client secret.
    pub(super) fn into_error(self, file: &Path, text: &str) -> Error {
        let place = match self.span {
            Some(span) => {
                let before = text.get(..span.start).unwrap_or(text);
                format!("{}:{}", file.display(), before.matches('\n').count() + 1)
            }
            None => file.display().to_string(),
        };
        let hint = self.hint.unwrap_or_else(|| format!("mend it in {place}"));
        Error::new(ErrorKind::Configuration, format!("{place}: {}", self.message)).hint(hint)
    }
}

pub(super) fn parse(text: &str) -> Result<Table, ConfigurationError> {
    let table: Table = toml::from_str(text).map_err(|error| {
        let span = error.span();
        ConfigurationError::new(span.clone(), parser_message(&error, text, span))
    })?;
    if let Some(scopes) = &table.scopes {
        return Err(ConfigurationError::new(scopes.span(), "scopes belong to a profile")
            .hint("put them under [profiles.mail], or another profile's name"));
    }
    for (name, profile) in &table.profiles {
        name.parse::<ProfileName>().map_err(|error| ConfigurationError::new(profile.span(), error.to_string()))?;
        if !profile.get_ref().profiles.is_empty() {
            return Err(ConfigurationError::new(
                profile.span(),
                format!("the profile \"{name}\" holds other profiles"),
            )
            .hint("each profile is a section of its own: [profiles.NAME]"));
        }
    }
    Ok(table)
}

/// The parser's words, but for the client secret, whose value they might repeat.
fn parser_message(error: &toml::de::Error, text: &str, span: Option<Range<usize>>) -> String {
    let start = span.map_or(0, |span| span.start).min(text.len());
    let line_start = text.get(..start).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1);
    let line = text.get(line_start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    if line.contains("client_secret") {
        return "client_secret must be a text in quotes".to_owned();
    }
    for_terminal(error.message())
}

/// A profile's own keys, else the file's, else the defaults.
pub(super) fn resolve(name: &ProfileName, file: &Table) -> Result<Profile, ConfigurationError> {
    let nothing = Table::default();
    let section = file.profiles.get(name.as_str());
    let own = section.map_or(&nothing, Spanned::get_ref);
    let authority = authority(own, file)?;
    let cloud = own.cloud.or(file.cloud).unwrap_or_else(|| Cloud::of(&authority));
    Ok(Profile {
        name: name.clone(),
        file: PathBuf::new(), // set by Config::profile
        client_id: client_id(own, file)?,
        client_secret: (own.client_secret.as_ref().or(file.client_secret.as_ref()))
            .filter(|secret| !secret.secret().is_empty()) // Microsoft refuses an empty one
            .cloned(),
        authority,
        cloud,
        redirect_uri: match own.redirect_uri.as_ref().or(file.redirect_uri.as_ref()) {
            Some(written) => {
                redirect_uri(written.get_ref()).map_err(|error| ConfigurationError::new(written.span(), error))?
            }
            None => RedirectUrl::new(REDIRECT_URI.to_owned()).expect("the default is a URL"),
        },
        scopes: scopes(name, section, built_in_scopes(name, cloud))?,
        username: own.username.clone().or_else(|| file.username.clone()).filter(|name| !name.is_empty()),
        store: own.store.as_ref().or(file.store.as_ref()).cloned().unwrap_or_default(),
        cache: own.cache.or(file.cache).unwrap_or_default(),
        network_timeout: network_timeout(own.network_timeout.as_ref().or(file.network_timeout.as_ref()))?,
        ca_file: own.ca_file.clone().or_else(|| file.ca_file.clone()),
        imap_server: server(own.imap_host.as_ref().or(file.imap_host.as_ref()), IMAPS)?
            .unwrap_or_else(|| cloud.imap_server()),
        smtp_server: server(own.smtp_host.as_ref().or(file.smtp_host.as_ref()), SUBMISSION)?
            .unwrap_or_else(|| cloud.smtp_server()),
        graph_server: server(own.graph_host.as_ref().or(file.graph_host.as_ref()), HTTPS)?
            .unwrap_or_else(|| Server { host: cloud.graph_host().to_owned(), port: HTTPS }),
    })
}

fn client_id(own: &Table, file: &Table) -> Result<ClientId, ConfigurationError> {
    let hint = "put the Application (client) ID of your app registration there; \
                the README's \"Quick start\" says how to get one";
    let Some(written) = own.client_id.as_ref().or(file.client_id.as_ref()) else {
        let others = file.profiles.iter().find_map(|(name, other)| Some((name, other.get_ref().client_id.as_ref()?)));
        return Err(match others {
            Some((name, written)) => ConfigurationError::new(
                written.span(),
                format!("client_id stands under [profiles.{name}], for that profile alone"),
            )
            .hint("for all profiles, put it above the first line with a ["),
            None => ConfigurationError::new(None, "client_id is missing").hint(hint),
        });
    };
    let id = written.get_ref().trim();
    if id.is_empty() {
        return Err(ConfigurationError::new(written.span(), "client_id is empty").hint(hint));
    }
    if !is_client_id(id) {
        return Err(
            ConfigurationError::new(written.span(), format!("client_id is no client ID, {CLIENT_ID_FORM}")).hint(hint)
        );
    }
    Ok(ClientId::new(id.to_owned()))
}

/// A profile's tenant or cloud replaces the file's authority, and the other way round.
fn authority(own: &Table, file: &Table) -> Result<Authority, ConfigurationError> {
    for level in [own, file] {
        let elsewhere = level.tenant.is_some() || level.cloud.is_some();
        if let Some(written) = level.authority.as_ref().filter(|_| elsewhere) {
            let message = "authority says what tenant and cloud say, too";
            return Err(ConfigurationError::new(written.span(), message).hint("keep authority, or tenant and cloud"));
        }
        if let Some(written) = &level.authority {
            return written.get_ref().parse().map_err(|error: String| ConfigurationError::new(written.span(), error));
        }
        if elsewhere {
            break;
        }
    }
    let cloud = own.cloud.or(file.cloud).unwrap_or_default();
    match own.tenant.as_ref().or(file.tenant.as_ref()) {
        Some(tenant) => {
            Authority::of_tenant(cloud, tenant.get_ref()).map_err(|error| ConfigurationError::new(tenant.span(), error))
        }
        None => Ok(Authority::of_tenant(cloud, "common").expect("a tenant")),
    }
}

fn scopes(
    name: &ProfileName,
    section: Option<&Spanned<Table>>,
    built_in: Option<Vec<String>>,
) -> Result<Vec<Scope>, ConfigurationError> {
    let hint = format!(
        "say what the token is for, as in\n  [profiles.{name}]\n  scopes = [\"https://graph.microsoft.com/Mail.Read\"]"
    );
    let written = section.and_then(|section| section.get_ref().scopes.as_ref());
    let own: Vec<String> = match (written, built_in) {
        (Some(written), _) => {
            let own = written.get_ref();
            if own.is_empty() || own.iter().any(|scope| scope.is_empty() || scope.contains(char::is_whitespace)) {
                return Err(ConfigurationError::new(
                    written.span(),
                    "scopes must be a list of scopes, each a text of its own",
                )
                .hint(hint));
            }
            own.clone()
        }
        (None, Some(built_in)) => built_in,
        (None, None) => {
            let message = format!("the profile \"{name}\" has no scopes");
            return Err(ConfigurationError::new(section.map(Spanned::span), message).hint(hint));
        }
    };
    let mut scopes: Vec<String> = Vec::new();
    for scope in own.into_iter().chain(ALWAYS_ASKED_FOR.map(str::to_owned)) {
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    Ok(scopes.into_iter().map(Scope::new).collect())
}

fn server(written: Option<&Spanned<String>>, default_port: u16) -> Result<Option<Server>, ConfigurationError> {
    let parse = |written: &Spanned<String>| {
        Server::parse(written.get_ref(), default_port).map_err(|error| ConfigurationError::new(written.span(), error))
    };
    written.map(parse).transpose()
}

fn network_timeout(written: Option<&Spanned<u64>>) -> Result<Duration, ConfigurationError> {
    let Some(written) = written else {
        return Ok(Duration::from_secs(NETWORK_TIMEOUT));
    };
    let seconds = *written.get_ref();
    if !(1..=LONGEST_NETWORK_TIMEOUT).contains(&seconds) {
        let message = format!("network_timeout must be 1 to {LONGEST_NETWORK_TIMEOUT} seconds");
        return Err(ConfigurationError::new(written.span(), message));
    }
    Ok(Duration::from_secs(seconds))
}
