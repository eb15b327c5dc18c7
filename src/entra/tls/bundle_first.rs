//! A verifier that reads the system's certificate bundle first. The platform verifier also reads the folder, which on
//! Debian has the same certificates again in some 150 files. It is used only if the bundle does not verify a server,
//! because a certificate authority may be installed in the folder only.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_platform_verifier::Verifier;

/// Verifies servers with the bundle first, then with the platform verifier.
#[derive(Debug)]
pub(super) struct BundleFirst {
    bundle: Arc<WebPkiServerVerifier>,
    /// For the platform verifier.
    extra_roots: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl BundleFirst {
    /// Returns `None` if the system has no bundle.
    pub(super) fn new(
        extra_roots: &[CertificateDer<'static>],
        provider: &Arc<CryptoProvider>,
    ) -> Result<Option<Self>, Error> {
        let mut roots = RootCertStore::empty();
        for root in extra_roots {
            roots.add(root.clone())?;
        }
        let read = bundle().map(|file| rustls_native_certs::load_certs_from_paths(Some(&file), None).certs);
        if roots.add_parsable_certificates(read.unwrap_or_default()).0 == 0 {
            return Ok(None);
        }
        let bundle = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
            .build()
            .map_err(|error| Error::General(error.to_string()))?;
        Ok(Some(Self { bundle, extra_roots: extra_roots.to_vec(), provider: Arc::clone(provider) }))
    }
}

/// Returns SSL_CERT_FILE, or the system's bundle. SSL_CERT_DIR alone means that no bundle is used.
fn bundle() -> Option<PathBuf> {
    match (std::env::var_os("SSL_CERT_FILE"), std::env::var_os("SSL_CERT_DIR")) {
        (Some(file), _) => Some(PathBuf::from(file)),
        (None, Some(_)) => None,
        (None, None) => openssl_probe::probe().cert_file,
    }
}

impl ServerCertVerifier for BundleFirst {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.bundle.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now).or_else(|_| {
            Verifier::new_with_extra_roots(self.extra_roots.clone(), Arc::clone(&self.provider))?.verify_server_cert(
                end_entity,
                intermediates,
                server_name,
                ocsp_response,
                now,
            )
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.bundle.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.bundle.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.bundle.supported_verify_schemes()
    }
}
