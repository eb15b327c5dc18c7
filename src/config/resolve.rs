//! Resolves the values of a profile: its own keys, then the file's, then the defaults.

use std::path::PathBuf;
use std::time::Duration;

use oauth2::{ClientId, RedirectUrl, Scope};
use toml::Spanned;

use super::credential;
use super::error::ConfigurationError;
use super::grant::{self, Grant};
use super::keys::form;
use super::suggestion::key_of;
use super::table::Table;
use super::values::{Authority, Cloud, HTTPS, IMAPS, ProfileName, SUBMISSION, Server, client_id, redirect_uri};
use super::{ALWAYS_REQUESTED, DEFAULT_REDIRECT_URI, Profile, built_in_scopes};

/// The default of `network_timeout`, in seconds.
const NETWORK_TIMEOUT: u64 = 30;
/// The longest `network_timeout`, in seconds. Mail programs give up long before.
const LONGEST_NETWORK_TIMEOUT: u64 = 600;

/// Returns the profile `name` with all its values.
pub(super) fn resolve(name: &ProfileName, file: &Table) -> Result<Profile, ConfigurationError> {
    let empty = Table::default();
    let section = file.profiles.get(name.as_str()).map(Box::as_ref);
    let own = section.map_or(&empty, Spanned::get_ref);
    let authority = authority(own, file)?;
    let cloud = own.cloud.or(file.cloud).unwrap_or_else(|| Cloud::of(&authority));
    let redirect_uri = parsed("redirect_uri", own.redirect_uri.as_ref().or(file.redirect_uri.as_ref()), redirect_uri)?;
    let grant = grant::resolve(Some(own), file);
    grant::ensure_supported(own, file)?;
    let (built_in, always): (_, &[&str]) = match grant {
        Grant::RefreshToken | Grant::Broker => (built_in_scopes(name, cloud), &ALWAYS_REQUESTED),
        Grant::ClientCredentials => (Some(vec![grant::built_in_scope(name, cloud)]), &[]),
    };
    let server = |key, own: &Option<Spanned<String>>, file: &Option<Spanned<String>>, port| {
        parsed(key, own.as_ref().or(file.as_ref()), |text| Server::parse(text, port))
    };
    let profile = Profile {
        name: name.clone(),
        file: PathBuf::new(), // set by `Config::profile`
        client_id: resolve_client_id(name, own, file)?,
        grant,
        credential: credential::resolve(own, file)?,
        authority,
        cloud,
        redirect_uri: redirect_uri
            .unwrap_or_else(|| RedirectUrl::new(DEFAULT_REDIRECT_URI.to_owned()).expect("the default is a URL")),
        scopes: scopes(name, section, built_in, always)?,
        username: own.username.clone().or_else(|| file.username.clone()).filter(|name| !name.is_empty()),
        store: own.store.as_ref().or(file.store.as_ref()).cloned().unwrap_or_default(),
        cache: own.cache.or(file.cache).unwrap_or_default(),
        network_timeout: network_timeout(own.network_timeout.as_ref().or(file.network_timeout.as_ref()))?,
        ca_file: own.ca_file.clone().or_else(|| file.ca_file.clone()),
        imap_server: server("imap_host", &own.imap_host, &file.imap_host, IMAPS)?
            .unwrap_or_else(|| cloud.imap_server()),
        smtp_server: server("smtp_host", &own.smtp_host, &file.smtp_host, SUBMISSION)?
            .unwrap_or_else(|| cloud.smtp_server()),
        graph_server: server("graph_host", &own.graph_host, &file.graph_host, HTTPS)?
            .unwrap_or_else(|| Server { host: cloud.graph_host().to_owned(), port: HTTPS }),
    };
    if profile.grant == Grant::ClientCredentials {
        grant::ensure_client_credentials(&profile)?;
    }
    Ok(profile)
}

/// Parses the value of a key, if the key is set.
fn parsed<T>(
    key: &str,
    written: Option<&Spanned<String>>,
    parse: impl Fn(&str) -> Result<T, &'static str>,
) -> Result<Option<T>, ConfigurationError> {
    let Some(written) = written else { return Ok(None) };
    let text = written.get_ref();
    parse(text).map(Some).map_err(|must| form(key).must(written.span(), &format!("{text:?}"), must))
}

fn resolve_client_id(profile: &ProfileName, own: &Table, file: &Table) -> Result<ClientId, ConfigurationError> {
    let hint = "set client_id to the Application (client) ID of your app registration; \
                docs/register-an-application.md says how to get one";
    let Some(written) = own.client_id.as_ref().or(file.client_id.as_ref()) else {
        let mut others = file.profiles.iter();
        let elsewhere = others.find_map(|(name, other)| Some((name, other.get_ref().client_id.as_ref()?)));
        return Err(match elsewhere {
            Some((name, written)) => {
                let section = format!("[profiles.{}]", key_of(name));
                let message = format!("client_id is set for {section} only, not for profile \"{profile}\"");
                ConfigurationError::new(written.span(), message)
                    .hint("to use it for all profiles, move it above the first line that starts with [")
            }
            None => ConfigurationError::new(None, format!("client_id is missing for profile \"{profile}\""))
                .hint_in_file(hint),
        });
    };
    if written.get_ref().trim().is_empty() {
        return Err(ConfigurationError::new(written.span(), "client_id is empty").hint_in_file(hint));
    }
    let id = parsed("client_id", Some(written), |text| client_id(text.trim()));
    Ok(id.map_err(|error| error.hint_in_file(hint))?.expect("it is set"))
}

/// Returns the authority of a profile. A tenant or cloud in the profile overrides the file's authority, and an
/// authority in the profile overrides the file's tenant and cloud.
fn authority(own: &Table, file: &Table) -> Result<Authority, ConfigurationError> {
    for level in [own, file] {
        let has_other_keys = level.tenant.is_some() || level.cloud.is_some();
        if let Some(written) = level.authority.as_ref().filter(|_| has_other_keys) {
            let other = if level.tenant.is_some() { "tenant" } else { "cloud" };
            let message = format!("authority = {:?} and {other} cannot be set together", written.get_ref());
            return Err(ConfigurationError::new(written.span(), message)
                .hint("remove authority, or remove tenant and cloud: authority replaces both"));
        }
        if let Some(authority) = parsed("authority", level.authority.as_ref(), Authority::parse)? {
            return Ok(authority);
        }
        if has_other_keys {
            break;
        }
    }
    let cloud = own.cloud.or(file.cloud).unwrap_or_default();
    let tenant = own.tenant.as_ref().or(file.tenant.as_ref());
    let of_tenant = parsed("tenant", tenant, |tenant| Authority::of_tenant(cloud, tenant))?;
    Ok(of_tenant.unwrap_or_else(|| Authority::of_tenant(cloud, "common").expect("a tenant")))
}

fn scopes(
    name: &ProfileName,
    section: Option<&Spanned<Table>>,
    built_in: Option<Vec<String>>,
    always: &[&str],
) -> Result<Vec<Scope>, ConfigurationError> {
    let written = section.and_then(|section| section.get_ref().scopes.as_ref());
    let own: Vec<String> = match (written, built_in) {
        (Some(written), _) => {
            let own = written.get_ref();
            if own.is_empty() || own.iter().any(|scope| scope.is_empty() || scope.contains(char::is_whitespace)) {
                return Err(form("scopes").not_valid(written.span(), &format!("{own:?}")));
            }
            own.clone()
        }
        (None, Some(built_in)) => built_in,
        (None, None) => {
            let message = format!("the profile \"{name}\" has no scopes");
            let section_name = key_of(name.as_str());
            return Err(ConfigurationError::new(section.map(Spanned::span), message).hint_in_file(format!(
                "add its scopes below [profiles.{section_name}], for example: {}",
                form("scopes").line()
            )));
        }
    };
    let mut scopes: Vec<String> = Vec::new();
    for scope in own.into_iter().chain(always.iter().map(|scope| (*scope).to_owned())) {
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    Ok(scopes.into_iter().map(Scope::new).collect())
}

fn network_timeout(written: Option<&Spanned<u64>>) -> Result<Duration, ConfigurationError> {
    let Some(written) = written else {
        return Ok(Duration::from_secs(NETWORK_TIMEOUT));
    };
    let seconds = *written.get_ref();
    if !(1..=LONGEST_NETWORK_TIMEOUT).contains(&seconds) {
        return Err(form("network_timeout").not_valid(written.span(), &seconds.to_string()));
    }
    Ok(Duration::from_secs(seconds))
}
