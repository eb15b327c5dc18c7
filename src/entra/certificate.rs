//! The certificate of a confidential client, and the assertions that it signs (Microsoft: "Microsoft identity platform
//! application authentication certificate credentials").
//!
//! No library for JSON Web Tokens: the two that are maintained would add a second implementation of RSA to the one that
//! rustls brings, and a token is two JSON objects and a signature.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oauth2::CsrfToken;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PSS_SHA256, RsaKeyPair};
use rustls::InconsistentKeys;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use yasna::{ASN1Result, BERReader, BERReaderSeq, Tag, tags};

use super::RANDOM_BYTES;
use crate::config::{CertificateFiles, Credential, Profile};
use crate::error::{Error, ErrorKind, Result};
use crate::private_fs;
use crate::sanitize::for_shell;
use crate::unix_time::now;

/// How long an assertion is valid, in seconds. Microsoft recommends 5 to 10 minutes.
const ASSERTION_LIFETIME: u64 = 5 * 60;
/// The remaining validity at which a certificate is reported, in seconds. A new one may take a request to the IT
/// department.
const WARNING: u64 = 30 * DAY;
const DAY: u64 = 24 * 60 * 60;
/// In bytes. A certificate with its key has a few kilobytes.
const MAX_SIZE: u64 = 1024 * 1024;

/// A certificate with its private key.
pub(crate) struct ClientCertificate {
    der: CertificateDer<'static>,
    key: RsaKeyPair,
    /// The file with the certificate.
    pub(crate) file: PathBuf,
    /// When it expires, in seconds since 1970.
    pub(crate) expires: u64,
}

impl ClientCertificate {
    /// Reads the certificate of a profile, if it has one.
    ///
    /// # Errors
    ///
    /// Those of [`ClientCertificate::load`].
    pub(crate) fn of(profile: &Profile) -> Result<Option<Self>> {
        match &profile.credential {
            Some(Credential::Certificate(files)) => Self::load(files).map(Some),
            _ => Ok(None),
        }
    }

    /// Reads the files.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if a file is missing, is writable by other users, or contains no certificate or no
    /// unencrypted RSA key.
    pub(super) fn load(files: &CertificateFiles) -> Result<Self> {
        let file = files.certificate.clone();
        let der = CertificateDer::from_pem_slice(&read(&file)?)
            .map_err(|_| unusable(&file, "contains no certificate in PEM format"))?;
        let expires = yasna::parse_der(&der, |certificate| certificate.read_sequence(not_after))
            .map_err(|_| unusable(&file, "contains a damaged certificate"))?;
        let private = private_key(&files.key, &read(&files.key)?)?;
        let key = rsa_key(&files.key, &private)?;
        if is_key_of_another_certificate(private, &der) {
            let why = format!("is not the key of the certificate in {}", file.display());
            return Err(unusable(&files.key, &why));
        }
        Ok(Self { der, key, file, expires })
    }

    /// Says when it expires, such as "expires in 29 days".
    pub(crate) fn validity(&self) -> String {
        match self.expires.checked_sub(now()).map(|left| left / DAY) {
            None => "has expired".to_owned(),
            Some(0) => "expires today".to_owned(),
            Some(1) => "expires in 1 day".to_owned(),
            Some(days) => format!("expires in {days} days"),
        }
    }

    pub(crate) fn has_expired(&self) -> bool {
        self.expires <= now()
    }

    /// Returns an error if the certificate has expired or will within 30 days.
    pub(crate) fn expiring(&self, profile: &Profile) -> Option<Error> {
        if self.expires > now() + WARNING {
            return None;
        }
        let (client, file) = (profile.client_id.as_str(), self.file.display());
        let message = format!("the certificate of client {client}, {file}, {}", self.validity());
        Some(Error::new(ErrorKind::Configuration, message).hint(format!(
            "create a certificate, add it to the app registration, then set client_certificate in {} to it",
            profile.file.display()
        )))
    }

    /// Returns a signed assertion that the client is the one with this ID.
    pub(super) fn assertion(&self, client_id: &str, audience: &str) -> Result<String> {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let header = json!({ "alg": "PS256", "typ": "JWT", "x5t#S256": encode(&Sha256::digest(&self.der)) });
        let claims = json!({
            "aud": audience,
            "iss": client_id,
            "sub": client_id,
            "jti": CsrfToken::new_random_len(RANDOM_BYTES).secret(),
            "nbf": now(),
            "iat": now(),
            "exp": now() + ASSERTION_LIFETIME,
        });
        let text = [header, claims].map(|part| encode(part.to_string().as_bytes())).join(".");
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(&RSA_PSS_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature)
            .map_err(|_| Error::new(ErrorKind::Defect, "the client assertion could not be signed"))?;
        Ok(format!("{text}.{}", encode(&signature)))
    }
}

/// Reads the end of the validity of a certificate (RFC 5280, 4.1).
fn not_after(certificate: &mut BERReaderSeq<'_, '_>) -> ASN1Result<u64> {
    let expires = certificate.next().read_sequence(|fields| {
        fields.read_optional(|version| version.read_tagged(Tag::context(0), |version| version.read_der()))?;
        for _ in ["serial number", "signature algorithm", "issuer"] {
            fields.next().read_der()?;
        }
        let expires = fields.next().read_sequence(|validity| {
            validity.next().read_der()?;
            validity.next().read_der().and_then(|time| yasna::parse_der(&time, seconds))
        })?;
        skip_rest(fields)?;
        Ok(expires)
    })?;
    skip_rest(certificate)?;
    Ok(expires)
}

fn seconds(time: BERReader<'_, '_>) -> ASN1Result<u64> {
    let time = match time.lookahead_tag()? {
        tags::TAG_UTCTIME => *time.read_utctime()?.datetime(),
        _ => *time.read_generalized_time()?.datetime(),
    };
    Ok(u64::try_from(time.unix_timestamp()).unwrap_or_default())
}

fn skip_rest(sequence: &mut BERReaderSeq<'_, '_>) -> ASN1Result<()> {
    while sequence.read_optional(|field| field.read_der())?.is_some() {}
    Ok(())
}

fn private_key(path: &Path, pem: &[u8]) -> Result<PrivateKeyDer<'static>> {
    // Checked first, because the parser only reports that it found no key.
    let has = |marker: &str| pem.windows(marker.len()).any(|window| window == marker.as_bytes());
    if has("BEGIN ENCRYPTED PRIVATE KEY") || has("Proc-Type: 4,ENCRYPTED") {
        return Err(unusable(path, "contains an encrypted private key").hint(format!(
            "write the key without its password: `openssl pkey -in {} -out key.pem`, and protect that file",
            for_shell(&path.to_string_lossy())
        )));
    }
    PrivateKeyDer::from_pem_slice(pem).map_err(|_| unusable(path, "contains no private key in PEM format"))
}

fn rsa_key(path: &Path, key: &PrivateKeyDer<'_>) -> Result<RsaKeyPair> {
    let not_rsa = || unusable(path, "contains a private key that is not an RSA key; Microsoft accepts RSA keys only");
    let parsed = match key {
        PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
        PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
        _ => return Err(not_rsa()),
    };
    parsed.map_err(|error| match error.to_string().as_str() {
        "WrongAlgorithm" => not_rsa(),
        why => unusable(path, &format!("contains a private key that cannot be used ({why})")),
    })
}

/// Returns whether the certificate contains another public key than that of this private key. Of a certificate that
/// rustls does not read, such as one of version 1, this is not known.
fn is_key_of_another_certificate(key: PrivateKeyDer<'static>, certificate: &CertificateDer<'static>) -> bool {
    let provider = rustls::crypto::ring::default_provider();
    let matched = CertifiedKey::from_der(vec![certificate.clone()], key, &provider);
    matches!(matched, Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)))
}

/// Reads a file that other users cannot change.
fn read(path: &Path) -> Result<Vec<u8>> {
    let failed = |error: std::io::Error| {
        let failure = unusable(path, &format!("cannot be read: {error}"));
        match error.kind() {
            std::io::ErrorKind::PermissionDenied => failure.hint(private_fs::check_permissions(path)),
            _ => failure,
        }
    };
    let file = File::open(path).map_err(failed)?;
    private_fs::ensure_trusted(&file, path).map_err(|reason| {
        Error::new(ErrorKind::Configuration, format!("client_certificate is rejected: {reason}")).hint(format!(
            "make the file and its folder writable only by you: `{}`, and `chown` if another user owns them",
            private_fs::trust_command(path)
        ))
    })?;
    let mut pem = Vec::new();
    file.take(MAX_SIZE).read_to_end(&mut pem).map_err(failed)?;
    Ok(pem)
}

fn unusable(path: &Path, why: &str) -> Error {
    Error::new(ErrorKind::Configuration, format!("client_certificate: {} {why}", path.display())).hint(
        "set client_certificate to a PEM file with the certificate and its RSA key, or to a list of two files: the \
         certificate, then the key",
    )
}
