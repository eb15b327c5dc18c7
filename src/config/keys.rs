//! The table of the keys of `config.toml`: their names, what their values must be, and where these are stored.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeString, DeValue};

use super::credential;
use super::entry::{Entry, Form, Key, read, shown};
use super::error::ConfigurationError;
use super::grant::Grant;
use super::store_choice::StoreChoice;
use super::suggestion::{Section, key_of};
use super::table::Table;
use super::values::{CacheChoice, Cloud, ProfileName};

/// The keys of the file and of a profile, each with what its value must be and an example. `scopes` can be set in a
/// profile only, and `profiles` at the top of the file only.
pub(super) static KEYS: [Key<Table>; 20] = [
    Key::new(
        "client_id",
        "the Application (client) ID in quotes",
        r#""00001111-aaaa-2222-bbbb-3333cccc4444""#,
        |table, entry| entry.string().map(|text| table.client_id = Some(text)),
    ),
    Key::new(
        "client_secret",
        "the value of the client secret in quotes, or a table with the program that prints it",
        r#""A1b8Q~C2d3.E4f5""#,
        |table, entry| credential::secret(entry).map(|secret| table.client_secret = Some(secret)),
    ),
    Key::new(
        "client_certificate",
        "the path of a PEM file with certificate and key, or a list of two paths (certificate, then key)",
        r#""/etc/m365auth/app.pem""#,
        |table, entry| credential::certificate(entry).map(|files| table.client_certificate = Some(files)),
    ),
    Key::new("grant", r#""refresh_token" or "client_credentials""#, r#""client_credentials""#, |table, entry| {
        entry.choice(Grant::parse).map(|grant| table.grant = Some(grant))
    }),
    Key::new(
        "tenant",
        r#""common", "organizations", "consumers", or a tenant ID or domain in quotes"#,
        r#""example.com""#,
        |table, entry| entry.string().map(|text| table.tenant = Some(text)),
    ),
    Key::new("cloud", r#""global", "us-gov" or "china""#, r#""global""#, |table, entry| {
        entry.choice(Cloud::parse).map(|cloud| table.cloud = Some(cloud))
    }),
    Key::new(
        "authority",
        "a URL in quotes",
        r#""https://login.microsoftonline.com/YOUR-TENANT-ID/""#,
        |table, entry| entry.string().map(|text| table.authority = Some(text)),
    ),
    Key::new("redirect_uri", "a URI in quotes", r#""https://localhost:7598/""#, |table, entry| {
        entry.string().map(|text| table.redirect_uri = Some(text))
    }),
    Key::new("username", "an email address in quotes", r#""ada@example.com""#, |table, entry| {
        entry.string().map(|text| table.username = Some(text.into_inner()))
    }),
    Key::new("broker", "true or false", "true", |table, entry| {
        entry.boolean().map(|broker| table.broker = Some(broker))
    }),
    Key::new(
        "store",
        r#""auto", "keychain" or "file", or a table with the programs load and save"#,
        r#""auto""#,
        |table, entry| StoreChoice::read(entry).map(|store| table.store = Some(store)),
    ),
    Key::new("cache", r#""memory" or "none""#, r#""memory""#, |table, entry| {
        entry.choice(CacheChoice::parse).map(|cache| table.cache = Some(cache))
    }),
    Key::new("network_timeout", "a number of seconds from 1 to 600", "30", |table, entry| {
        entry.number().map(|seconds| table.network_timeout = Some(seconds))
    }),
    Key::new("ca_file", "the path of a PEM file in quotes", r#""/etc/ssl/company.pem""#, |table, entry| {
        entry.path().map(|path| table.ca_file = Some(path))
    }),
    Key::new("imap_host", "HOST or HOST:PORT in quotes", r#""outlook.office365.com:993""#, |table, entry| {
        entry.string().map(|text| table.imap_host = Some(text))
    }),
    Key::new("smtp_host", "HOST or HOST:PORT in quotes", r#""smtp.office365.com:587""#, |table, entry| {
        entry.string().map(|text| table.smtp_host = Some(text))
    }),
    Key::new("graph_host", "HOST or HOST:PORT in quotes", r#""graph.microsoft.com""#, |table, entry| {
        entry.string().map(|text| table.graph_host = Some(text))
    }),
    Key::new(
        "on_sign_in_needed",
        "a list: the program, then its arguments",
        r#"["notify-send", "Mail: please sign in"]"#,
        |table, entry| entry.command().map(|command| table.on_sign_in_needed = Some(command)),
    ),
    Key::new(
        "scopes",
        "a list of scopes, each in quotes",
        r#"["https://graph.microsoft.com/Mail.Read"]"#,
        |table, entry| entry.list().map(|scopes| table.scopes = Some(scopes)),
    ),
    Key::new("profiles", "a section for each profile", "[profiles.work]", |table, entry| {
        profiles(entry).map(|profiles| table.profiles = profiles)
    }),
];

/// Returns the form of a key's value.
pub(super) fn form(key: &str) -> &'static Form {
    known(key).expect("a key of the table")
}

/// Returns the form of a key's value, if there is such a key.
pub(super) fn known(key: &str) -> Option<&'static Form> {
    KEYS.iter().map(|known| &known.form).find(|form| form.key == key)
}

/// Reads the sections of the profiles.
fn profiles(entry: &Entry<'_>) -> Result<BTreeMap<String, Box<Spanned<Table>>>, ConfigurationError> {
    let mut profiles = BTreeMap::new();
    let sections = entry
        .table()
        .map_err(|error| error.hint_in_file("write each profile as a section, such as [profiles.work]"))?;
    let errors = sections.iter().filter_map(|(name, value)| match profile(name, value) {
        Ok(table) => {
            profiles.insert(name.get_ref().to_string(), Box::new(Spanned::new(value.span(), table)));
            None
        }
        Err(error) => Some(error),
    });
    errors.min_by_key(ConfigurationError::start).map_or(Ok(()), Err)?;
    Ok(profiles)
}

/// Reads the section of one profile.
fn profile(name: &Spanned<DeString<'_>>, value: &Spanned<DeValue<'_>>) -> Result<Table, ConfigurationError> {
    if let Err(error) = name.get_ref().parse::<ProfileName>() {
        return Err(ConfigurationError::new(value.span(), error.to_string())
            .hint("choose another name, as in [profiles.work] or [profiles.\"ada@example.com\"]"));
    }
    let Some(keys) = value.get_ref().as_table() else {
        let key = format!("profiles.{}", key_of(name.get_ref()));
        return Err(ConfigurationError::not_valid(value.span(), &key, &shown(value.get_ref()), "be a section")
            .hint(format!("write [{key}], in single brackets and on a line of its own")));
    };
    let mut table = Table::default();
    read(keys, &KEYS, Section::Profile(name.get_ref()), &mut table)?;
    if let Some(nested) = table.profiles.values().next() {
        return Err(ConfigurationError::new(
            nested.span(),
            format!("the profile \"{}\" contains other profiles", name.get_ref()),
        )
        .hint("write each profile as a section of its own, such as [profiles.work]"));
    }
    Ok(table)
}
