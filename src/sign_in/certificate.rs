//! The callback's own certificate, kept in the cache folder so that a browser which was told to trust it stays content.

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

/// Browsers refuse certificates that are valid for longer than 398 days.
const VALIDITY: Duration = Duration::days(396);
/// A clock that is slow must not find the certificate of the future.
const BACKDATED: Duration = Duration::days(1);
/// Renewed this long before it expires.
const RENEWAL: std::time::Duration = std::time::Duration::from_secs(7 * 24 * 60 * 60);

pub(super) struct Certificate {
    certificate: CertificateDer<'static>,
    configuration: Arc<ServerConfig>,
}

impl Certificate {
    /// The certificate of the cache folder; a new one where that is missing, on_invalid, soon to expire, or where others
    /// can read its key, as the Python original let them.
    pub(super) fn of_callback(paths: &Paths) -> Result<Self> {
        let (certificate_file, key_file) = (paths.certificate(), paths.certificate_key());
        let cached = || -> Option<Self> {
            key_is_private(&key_file).then_some(())?;
            Self::from_pem(&std::fs::read(&certificate_file).ok()?, &std::fs::read(&key_file).ok()?)
        };
        if let Some(cached) = cached() {
            return Ok(cached);
        }
        let (certificate, key) = generate().map_err(|error| {
            Error::new(ErrorKind::Defect, format!("cannot make a certificate for the callback: {error}"))
        })?;
        let kept = private_fs::write(&key_file, key.as_bytes())
            .and_then(|()| private_fs::write(&certificate_file, certificate.as_bytes()));
        if let Err(error) = kept {
            log::warn!("cannot keep the callback's certificate in {}: {error}", certificate_file.display());
        }
        Self::from_pem(certificate.as_bytes(), key.as_bytes())
            .ok_or_else(|| Error::new(ErrorKind::Defect, "the certificate made for the callback is unfit"))
    }

    /// None where a browser would not take it a week from now, or where the two do not belong together.
    fn from_pem(certificate: &[u8], key: &[u8]) -> Option<Self> {
        let certificate = CertificateDer::from_pem_slice(certificate).ok()?;
        let key = PrivateKeyDer::from_pem_slice(key).ok()?;
        is_fit(&certificate).then_some(())?;
        let configuration = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .ok()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .ok()?;
        Some(Self { certificate, configuration: Arc::new(configuration) })
    }

    /// SHA-256 in the form that browsers show.
    pub(super) fn fingerprint(&self) -> String {
        let bytes = Sha256::digest(&self.certificate);
        bytes.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
    }

    pub(super) fn configuration(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.configuration)
    }
}

/// Asks the question that a browser which trusts this certificate asks: is it good for localhost, in a week's time?
fn is_fit(certificate: &CertificateDer<'_>) -> bool {
    let mut roots = RootCertStore::empty();
    if roots.add(certificate.clone().into_owned()).is_err() {
        return false;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let Ok(verifier) = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build() else {
        return false;
    };
    let localhost = ServerName::try_from("localhost").expect("a name");
    let then = UnixTime::since_unix_epoch(std::time::Duration::from_secs(crate::unix_time::now()) + RENEWAL);
    verifier.verify_server_cert(certificate, &[], &localhost, &[], then).is_ok()
}

/// The certificate and its key, as PEM.
fn generate() -> Result<(String, String), rcgen::Error> {
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let mut parameters = CertificateParams::new(names)?;
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, "M365-Auth on this machine");
    parameters.not_before = OffsetDateTime::now_utc() - BACKDATED;
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
    true // the folder is the user's own, by the access control lists of the system
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_certificate_is_fit_and_has_a_browsers_fingerprint() {
        let (certificate, key) = generate().expect("generating");
        let made = Certificate::from_pem(certificate.as_bytes(), key.as_bytes()).expect("fit");
        assert_eq!(made.fingerprint().len(), 32 * 3 - 1);
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let (certificate, _) = generate().expect("generating");
        let (_, other_key) = generate().expect("generating");
        assert!(Certificate::from_pem(certificate.as_bytes(), other_key.as_bytes()).is_none());
    }

    #[test]
    fn a_certificate_that_expires_this_week_is_unfit() {
        let mut parameters = CertificateParams::new(["localhost".to_owned()]).expect("a name");
        parameters.not_before = OffsetDateTime::now_utc() - BACKDATED;
        parameters.not_after = OffsetDateTime::now_utc() + Duration::days(6);
        let key = KeyPair::generate().expect("a key");
        let certificate = parameters.self_signed(&key).expect("signing");
        assert!(!is_fit(certificate.der()));
    }
}
