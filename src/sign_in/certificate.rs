//! The listener's self-signed certificate, stored in the cache folder so that a browser's exception for it stays valid.

use std::path::Path;
use std::sync::Arc;

use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{RootCertStore, ServerConfig};
use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime};

use crate::error::{Error, ErrorKind, Result};
use crate::paths::Paths;
use crate::private_fs;

/// The validity of a certificate. Browsers reject those that are valid for more than 398 days.
const VALIDITY: Duration = Duration::days(396);
/// How long before its creation a certificate becomes valid, so that a browser whose clock is slow accepts it too.
const BACKDATE: Duration = Duration::days(1);
/// How long before it expires the certificate is replaced.
const RENEWAL: std::time::Duration = std::time::Duration::from_secs(7 * 24 * 60 * 60);

/// The certificate, and the TLS configuration that serves it.
pub(super) struct Certificate {
    certificate: CertificateDer<'static>,
    configuration: Arc<ServerConfig>,
}

impl Certificate {
    /// Loads the certificate from the cache folder. Generates a new one if that certificate is missing, invalid or
    /// about to expire, or if other users can read its key, as they could with the Python tool.
    pub(super) fn load_or_generate(paths: &Paths, configuration: &Path) -> Result<Self> {
        let (certificate_file, key_file) = (paths.certificate(), paths.certificate_key());
        let cached = || -> Option<Self> {
            key_is_private(&key_file).then_some(())?;
            let read = |file| private_fs::read_own(file).ok();
            Self::from_pem(read(&certificate_file)?.as_bytes(), read(&key_file)?.as_bytes())
        };
        if let Some(cached) = cached() {
            return Ok(cached);
        }
        let (certificate, key) = generate().map_err(|error| unusable(&error.to_string(), configuration))?;
        let saved = private_fs::create_own_folder(paths.cache())
            .and_then(|()| private_fs::write(&key_file, key.as_bytes()))
            .and_then(|()| private_fs::write(&certificate_file, certificate.as_bytes()));
        if let Err(error) = saved {
            log::warn!(
                "cannot save the certificate for the redirect URI in {}: {error}; the next sign-in generates a new one",
                certificate_file.display()
            );
        }
        Self::from_pem(certificate.as_bytes(), key.as_bytes())
            .ok_or_else(|| unusable("the new certificate is not valid for localhost", configuration))
    }

    /// Returns `None` if the certificate will not be valid after [`RENEWAL`], or if the key does not belong to it.
    fn from_pem(certificate: &[u8], key: &[u8]) -> Option<Self> {
        let certificate = CertificateDer::from_pem_slice(certificate).ok()?;
        let key = PrivateKeyDer::from_pem_slice(key).ok()?;
        is_valid(&certificate).then_some(())?;
        let configuration = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .ok()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .ok()?;
        Some(Self { certificate, configuration: Arc::new(configuration) })
    }

    /// Returns the SHA-256 fingerprint in the form that browsers show.
    pub(super) fn fingerprint(&self) -> String {
        let bytes = Sha256::digest(&self.certificate);
        bytes.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
    }

    pub(super) fn configuration(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.configuration)
    }
}

fn unusable(reason: &str, configuration: &Path) -> Error {
    Error::new(ErrorKind::Defect, format!("cannot generate a certificate for the redirect URI: {reason}")).hint(
        format!(
            "set redirect_uri in {} to an http:// URI such as http://localhost/, and report this bug",
            configuration.display()
        ),
    )
}

/// Returns whether a browser that trusts this certificate will accept it for localhost after [`RENEWAL`].
fn is_valid(certificate: &CertificateDer<'_>) -> bool {
    let mut roots = RootCertStore::empty();
    if roots.add(certificate.clone().into_owned()).is_err() {
        return false;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let Ok(verifier) = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build() else {
        return false;
    };
    let localhost = ServerName::try_from("localhost").expect("a valid name");
    let at = UnixTime::since_unix_epoch(std::time::Duration::from_secs(crate::unix_time::now()) + RENEWAL);
    verifier.verify_server_cert(certificate, &[], &localhost, &[], at).is_ok()
}

/// Generates a certificate and its key, both as PEM.
fn generate() -> Result<(String, String), rcgen::Error> {
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let mut parameters = CertificateParams::new(names)?;
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, "M365-Auth on this machine");
    parameters.not_before = OffsetDateTime::now_utc() - BACKDATE;
    parameters.not_after = OffsetDateTime::now_utc() + VALIDITY;
    parameters.is_ca = IsCa::ExplicitNoCa;
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    Ok((parameters.self_signed(&key)?.pem(), key.serialize_pem()))
}

#[cfg(unix)]
fn key_is_private(key_file: &std::path::Path) -> bool {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let private = |metadata: std::fs::Metadata| {
        metadata.permissions().mode().trailing_zeros() >= 6 && metadata.uid() == rustix::process::geteuid().as_raw()
    };
    key_file.symlink_metadata().is_ok_and(private)
}

#[cfg(not(unix))]
fn key_is_private(_key_file: &std::path::Path) -> bool {
    true // the access control list of the user's cache folder keeps other users out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_certificate_is_valid_and_has_a_fingerprint() {
        let (certificate, key) = generate().expect("generating");
        let certificate = Certificate::from_pem(certificate.as_bytes(), key.as_bytes()).expect("valid");
        assert_eq!(certificate.fingerprint().len(), 32 * 3 - 1);
    }

    #[test]
    fn a_key_of_another_certificate_is_rejected() {
        let (certificate, _) = generate().expect("generating");
        let (_, other_key) = generate().expect("generating");
        assert!(Certificate::from_pem(certificate.as_bytes(), other_key.as_bytes()).is_none());
    }

    #[test]
    fn a_certificate_that_expires_this_week_is_rejected() {
        let mut parameters = CertificateParams::new(["localhost".to_owned()]).expect("a valid name");
        parameters.not_before = OffsetDateTime::now_utc() - BACKDATE;
        parameters.not_after = OffsetDateTime::now_utc() + Duration::days(6);
        let key = KeyPair::generate().expect("generating a key");
        let certificate = parameters.self_signed(&key).expect("signing");
        assert!(!is_valid(certificate.der()));
    }
}
