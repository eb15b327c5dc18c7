//! How a confidential client proves its identity: the keys `client_secret` and `client_certificate`.

use std::path::PathBuf;

use oauth2::ClientSecret;
use toml::Spanned;
use toml::de::DeValue;

use super::entry::{Entry, Form};
use super::error::ConfigurationError;
use super::keys::form;
use super::table::Table;

/// How a confidential client proves its identity (RFC 6749, 2.3).
#[derive(Clone, Debug)]
pub(crate) enum Credential {
    /// The client secret. It is not empty.
    Secret(ClientSecret),
    /// A program that prints the client secret, with its arguments.
    SecretCommand(Vec<String>),
    /// A certificate with its private key.
    Certificate(CertificateFiles),
}

/// The PEM files of a client certificate. Both may be the same file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CertificateFiles {
    /// The file with the certificate.
    pub(crate) certificate: PathBuf,
    /// The file with the private key.
    pub(crate) key: PathBuf,
}

/// The only key of `client_secret` as a table.
static COMMAND: Form = Form::new(
    "client_secret.command",
    "a list: the program that prints the client secret, then its arguments",
    r#"["pass", "show", "m365/secret"]"#,
);

/// Reads `client_secret`: a text, or a table with a program.
pub(super) fn secret(entry: &Entry<'_>) -> Result<Credential, ConfigurationError> {
    if !entry.value.get_ref().is_table() {
        return entry.string().map(|text| Credential::Secret(ClientSecret::new(text.into_inner())));
    }
    let table = entry.table()?;
    // Another key is not shown: it may be the secret, in braces by mistake.
    let command = match table.get("command").filter(|_| table.len() == 1) {
        Some(value) => Entry { form: &COMMAND, value }.command()?,
        None => Vec::new(),
    };
    if command.is_empty() {
        let message = "client_secret is a table without a program, or with a key other than command";
        return Err(ConfigurationError::new(entry.value.span(), message)
            .hint_in_file(format!("set client_secret to a text in quotes, or write {}", COMMAND.line())));
    }
    Ok(Credential::SecretCommand(command))
}

/// Reads `client_certificate`: a file with both, or a list with the certificate and the key.
pub(super) fn certificate(entry: &Entry<'_>) -> Result<Spanned<CertificateFiles>, ConfigurationError> {
    let files = match entry.value.get_ref() {
        DeValue::Array(_) => match <[PathBuf; 2]>::try_from(entry.paths()?) {
            Ok([certificate, key]) => CertificateFiles { certificate, key },
            Err(_) => return Err(entry.not_valid()),
        },
        _ => {
            let path = entry.path()?;
            CertificateFiles { certificate: path.clone(), key: path }
        }
    };
    Ok(Spanned::new(entry.value.span(), files))
}

/// Returns the credential of a profile: its own, or else the file's.
pub(super) fn resolve(own: &Table, file: &Table) -> Result<Option<Credential>, ConfigurationError> {
    let credential = of_section(own)?.map_or_else(|| of_section(file), |own| Ok(Some(own)))?;
    // An empty secret in a profile overrides the file's, and then none is sent, because Microsoft refuses an empty one.
    Ok(credential.filter(|credential| !matches!(credential, Credential::Secret(secret) if secret.secret().is_empty())))
}

/// Returns the credential of a section. A section has one at most.
fn of_section(section: &Table) -> Result<Option<Credential>, ConfigurationError> {
    match (&section.client_secret, &section.client_certificate) {
        (Some(_), Some(certificate)) => {
            let message = "client_secret and client_certificate are both set, but only one of them can be used";
            Err(ConfigurationError::new(certificate.span(), message).hint_in_file(format!(
                "remove {} or {}",
                form("client_secret").key,
                form("client_certificate").key
            )))
        }
        (secret, None) => Ok(secret.clone()),
        (None, Some(certificate)) => Ok(Some(Credential::Certificate(certificate.get_ref().clone()))),
    }
}
