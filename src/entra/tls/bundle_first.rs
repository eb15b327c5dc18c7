//! A verifier that reads the system's certificate bundle first. The platform verifier also reads the folder, which on
//! Debian has the same certificates again in some 150 files. It is used only if the bundle does not verify a server,
//! because a certificate authority may be installed in the folder only.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::sync::Arc;
use std::{env, iter};

use base64::Engine as _;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use base64::engine::{Simd, general_purpose::PAD};
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
        let Some(file) = bundle().and_then(|path| File::open(path).ok()) else { return Ok(None) };
        if roots.add_parsable_certificates(certificates(BufReader::new(file))).0 == 0 {
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
    match (env::var_os("SSL_CERT_FILE"), env::var_os("SSL_CERT_DIR")) {
        (Some(file), _) => Some(PathBuf::from(file)),
        (None, Some(_)) => None,
        (None, None) => openssl_probe::probe().cert_file,
    }
}

/// Returns the certificates of a bundle in PEM format (RFC 7468), without those that cannot be decoded: if one of them is
/// needed, the platform verifier reads the bundle again.
///
/// They are decoded one after the other, because all of them at once cost a fifth of the page faults of a refresh. The
/// reader of `rustls-pki-types` needs three times as many instructions.
fn certificates(mut bundle: impl BufRead) -> impl Iterator<Item = CertificateDer<'static>> {
    let (mut encoded, decoder) = (Vec::new(), decoder());
    iter::from_fn(move || {
        loop {
            let line = encoded.len();
            if bundle.read_until(b'\n', &mut encoded).ok()? == 0 {
                return None;
            }
            encoded.truncate(encoded.trim_ascii_end().len());
            match &encoded[line..] {
                b"-----BEGIN CERTIFICATE-----" => encoded.clear(), // explanatory text may precede it (RFC 7468, 5.2)
                b"-----END CERTIFICATE-----" => {
                    encoded.truncate(line);
                    if let Ok(certificate) = decoder.decode(&encoded) {
                        return Some(certificate.into());
                    }
                }
                _ => {}
            }
        }
    })
}

/// Returns the library's fastest decoder, which it has for these processors only.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn decoder() -> impl base64::Engine {
    Simd::standard(PAD)
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn decoder() -> impl base64::Engine {
    base64::engine::general_purpose::STANDARD
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

#[cfg(all(test, feature = "cli"))] // which has rcgen
mod tests {
    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use rustls::pki_types::pem::PemObject as _;

    use super::*;

    #[test]
    fn a_bundle_has_the_same_certificates_as_with_the_reader_of_rustls() {
        let certificate = |name: &str| {
            let CertifiedKey { cert, .. } = generate_simple_self_signed([name.to_owned()]).expect("a certificate");
            cert.pem()
        };
        let bundle = format!(
            "# Ada's company, with a comment that looks like base64:\nMIIB\n{}\n  Subject: CN=Zürich\r\n{}{}{}",
            certificate("a.example.com"),
            certificate("b.example.com").replace('\n', "\r\n"),
            certificate("c.example.com").replace("CERTIFICATE", "TRUSTED CERTIFICATE"),
            certificate("d.example.com"),
        );
        // In Latin-1, as an old tool writes it.
        let bundle: Vec<u8> = bundle.chars().map(|character| character as u8).collect();
        let expected: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bundle).collect();
        let read: Vec<_> = certificates(&bundle[..]).collect();
        assert_eq!(read.len(), 3);
        assert_eq!(read, expected.expect("valid certificates"));
    }

    #[test]
    fn a_certificate_that_cannot_be_decoded_is_left_out() {
        let CertifiedKey { cert, .. } =
            generate_simple_self_signed(["a.example.com".to_owned()]).expect("a certificate");
        let damaged = cert.pem().replacen('M', "*", 1);
        let bundle = format!("{damaged}{}", cert.pem());
        assert_eq!(certificates(bundle.as_bytes()).collect::<Vec<_>>(), [cert.der().clone()]);
    }
}
