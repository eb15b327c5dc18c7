//! The certificate authorities that a profile trusts: the system's, and those of `ca_file`.

#[cfg(all(unix, not(target_os = "macos")))]
mod bundle_first;

use std::path::Path;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls_platform_verifier::Verifier;

use crate::config::Profile;
use crate::error::{Error, ErrorKind, Result};
use crate::private_fs;

/// Returns the TLS configuration of a profile.
pub(crate) fn tls_configuration(profile: &Profile) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let unusable = |error: rustls::Error| {
        Error::new(ErrorKind::Configuration, format!("cannot set up TLS: {error}")).hint(
            "check that the system's certificate authorities are installed, and that SSL_CERT_FILE and SSL_CERT_DIR \
                 exist if they are set",
        )
    };
    let roots = extra_roots(profile.ca_file.as_deref())?;
    let verifier = verifier(roots, Arc::clone(&provider)).map_err(unusable)?;
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .dangerous() // required for any custom verifier; this one is the system's
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth())
}

/// Returns the system's verifier.
#[cfg(any(not(unix), target_os = "macos"))]
fn verifier(
    roots: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, rustls::Error> {
    Ok(Arc::new(match roots.is_empty() {
        true => Verifier::new(provider)?,
        false => Verifier::new_with_extra_roots(roots, provider)?,
    }))
}

/// Returns a verifier that reads the system's certificate bundle first, if there is one.
#[cfg(all(unix, not(target_os = "macos")))]
fn verifier(
    roots: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, rustls::Error> {
    Ok(match bundle_first::BundleFirst::new(&roots, &provider)? {
        Some(verifier) => Arc::new(verifier),
        None => Arc::new(Verifier::new_with_extra_roots(roots, provider)?),
    })
}

/// Reads the certificates of `ca_file`, and of SSL_CERT_FILE on systems whose verifier does not read it.
fn extra_roots(ca_file: Option<&Path>) -> Result<Vec<CertificateDer<'static>>> {
    let variable = std::env::var_os("SSL_CERT_FILE").filter(|_| cfg!(any(target_os = "macos", windows)));
    let mut roots = Vec::new();
    for file in ca_file.into_iter().chain(variable.as_deref().map(Path::new)) {
        let unreadable = |error: &dyn std::fmt::Display| {
            Error::new(
                ErrorKind::Configuration,
                format!("cannot read certificate authorities from {}: {error}", file.display()),
            )
            .hint("set ca_file (or the variable SSL_CERT_FILE) to a file with certificates in PEM format")
        };
        let opened = std::fs::File::open(file).map_err(|error| match error.kind() {
            std::io::ErrorKind::PermissionDenied => unreadable(&error).hint(private_fs::check_permissions(file)),
            _ => unreadable(&error),
        })?;
        private_fs::ensure_trusted(&opened, file).map_err(|why| {
            Error::new(
                ErrorKind::Configuration,
                format!("the certificate authorities in {} are rejected: {why}", file.display()),
            )
            .hint(format!(
                "check its content, then run `{}` (and `chown`), or move it to a file system that supports file \
                 modes",
                private_fs::trust_command(file)
            ))
        })?;
        for certificate in CertificateDer::pem_reader_iter(opened) {
            roots.push(certificate.map_err(|error| unreadable(&error))?);
        }
        if roots.is_empty() {
            return Err(unreadable(&"it does not contain a certificate"));
        }
    }
    Ok(roots)
}
