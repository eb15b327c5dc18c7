//! Failures below HTTP: name resolution, connections, TLS and proxies.

use std::io;

use rustls::CertificateError;

use super::proxy::Proxy;
use super::proxy::connect::{self, ProxyRefusal};
use super::retry::FailedAttempt;
use crate::config::Profile;
use crate::error::{Cause, Error, ErrorKind};
use crate::runtime::{self, MORE_RESOURCES};
use crate::sanitize::for_terminal;

/// The failure of a request that got no response from the host.
pub(super) async fn no_response(
    profile: &Profile,
    host: &str,
    proxy: Option<&Proxy>,
    error: &reqwest::Error,
) -> FailedAttempt {
    let failure = match proxy {
        Some(proxy) => proxy_failure(host, proxy, error).await,
        None => None,
    };
    let failure = failure.unwrap_or_else(|| unreachable(profile, host, proxy, error));
    FailedAttempt { was_answered: false, ..failure }
}

/// The failure of a response whose end did not arrive.
pub(super) fn cut_off(host: &str, error: &reqwest::Error) -> FailedAttempt {
    log::info!("{host}: {}", root_cause(error));
    temporary(format!("the response from {host} was cut off"), "check the network, then try again")
}

fn temporary(message: String, hint: impl Into<String>) -> FailedAttempt {
    FailedAttempt::answered(Error::new(ErrorKind::TryLater, message).hint(hint))
}

fn unreachable(profile: &Profile, host: &str, proxy: Option<&Proxy>, error: &reqwest::Error) -> FailedAttempt {
    let cause = root_cause(error);
    let certificate_hint = certificate_hint(profile, &cause);
    let untrusted = certificate_hint.is_some();
    let hint = certificate_hint.unwrap_or_else(|| match proxy {
        _ if is_out_of_resources(error) => MORE_RESOURCES.to_owned(),
        Some(_) => "check the network and the proxy, then try again".to_owned(),
        None => {
            "check the network, then try again; if this network requires a proxy, set HTTPS_PROXY to its URL".to_owned()
        }
    });
    let through = through(proxy);
    let failure = temporary(format!("{host} cannot be reached{through}: {cause}"), hint);
    match untrusted {
        true => FailedAttempt {
            error: failure.error.with_cause(Cause::UntrustedCertificate),
            is_transient: false,
            ..failure
        },
        false => failure,
    }
}

/// Returns the hint for a certificate that is not trusted, if that is the cause of a failed connection. The texts of
/// the errors are compared, because they pass through libraries that do not export their types.
pub(crate) fn certificate_hint(profile: &Profile, cause: &str) -> Option<String> {
    cause.contains("certificate").then(|| match cause.contains("expired") || cause.contains("not valid yet") {
        true => "check the clock of this machine (`date`) and set it, for example with `timedatectl set-ntp true`"
            .to_owned(),
        false => format!(
            "if a proxy of your organisation replaces certificates, set ca_file in {} or the variable SSL_CERT_FILE to \
             its certificate authority (PEM)",
            profile.file.display()
        ),
    })
}

/// Returns ` through the proxy HOST:PORT`, if there is one.
pub(super) fn through(proxy: Option<&Proxy>) -> String {
    proxy.map_or_else(String::new, |proxy| format!(" through the proxy {}", proxy.server()))
}

/// The failure of a proxy: it cannot be reached, or it refuses the connection to the host. The texts of the errors are
/// compared, because the HTTP client does not export their types.
async fn proxy_failure(host: &str, proxy: &Proxy, error: &reqwest::Error) -> Option<FailedAttempt> {
    let texts: Vec<String> = chain(error).map(ToString::to_string).collect();
    let has = |part: &str| texts.iter().any(|text| text.contains(part));
    if !has("tunnel error: ") && !has("SOCKS error: ") {
        return None;
    }
    let (server, variable) = (proxy.server(), proxy.variable);
    if has("failed to create underlying connection") {
        let cause = root_cause(error);
        let cause = if cause.starts_with("SOCKS") { String::new() } else { format!(": {cause}") };
        let hint = format!("check that {variable} is correct and that the proxy is running, then try again");
        return Some(temporary(format!("the proxy {server} cannot be reached{cause}"), hint));
    }
    let wants_authentication = has("proxy authorization required");
    if wants_authentication || has("tunnel error: unsuccessful") {
        let target = if host.contains(':') { host.to_owned() } else { format!("{host}:443") };
        let refusal = connect::refusal(proxy, &target, !wants_authentication).await;
        return Some(match wants_authentication {
            true => wrong_authentication(proxy, refusal),
            false => refused_connection(host, proxy, refusal),
        });
    }
    let cause = root_cause(error);
    let hint = format!("check that {variable} is correct, then try again");
    Some(temporary(format!("the proxy {server} did not connect to {host}: {cause}"), hint))
}

/// The proxy requires a user name and a password, or an authentication scheme that is not supported.
fn wrong_authentication(proxy: &Proxy, refusal: Option<ProxyRefusal>) -> FailedAttempt {
    let (server, variable) = (proxy.server(), proxy.variable);
    let schemes = refusal.map(|refusal| refusal.schemes).unwrap_or_default();
    let offers = |name: &str| schemes.iter().any(|scheme| scheme.eq_ignore_ascii_case(name));
    let local = format!(
        "run a local proxy that supports NTLM and Kerberos, such as cntlm or px, and set {variable} to its URL"
    );
    let password = match proxy.has_password() {
        true => format!("correct the user name and the password in {variable}"),
        false => format!("put your user name and password into {variable}: http://USER:PASSWORD@{server}"),
    };
    let hint = match () {
        () if schemes.is_empty() => format!("{password}; if the proxy requires NTLM or Kerberos, {local}"),
        () if offers("Basic") => password,
        () => local,
    };
    let offered = if schemes.is_empty() { String::new() } else { format!("; it offers {}", schemes.join(", ")) };
    let message = match proxy.has_password() && (schemes.is_empty() || offers("Basic")) {
        true => format!("the proxy {server} does not accept the user name and password in {variable} (407{offered})"),
        false => format!("the proxy {server} requires authentication (407{offered})"),
    };
    FailedAttempt { is_transient: false, ..temporary(message, hint) }
}

/// The proxy refuses the connection to the host.
fn refused_connection(host: &str, proxy: &Proxy, refusal: Option<ProxyRefusal>) -> FailedAttempt {
    let status = refusal.map(|refusal| refusal.status).unwrap_or_default();
    let shown = if status.is_empty() { String::new() } else { format!(" ({status})") };
    let message = format!("the proxy {} refuses to connect to {host}{shown}", proxy.server());
    let hint = format!(
        "ask the administrator of the proxy to allow {host}; if it can be reached without the proxy, add it to NO_PROXY"
    );
    FailedAttempt { is_transient: !status.starts_with('4'), ..temporary(message, hint) }
}

/// Returns whether no descriptor was left for the connection, or no thread to look up the host.
fn is_out_of_resources(error: &reqwest::Error) -> bool {
    chain(error).filter_map(|error| error.downcast_ref()).any(runtime::is_out_of_resources)
}

fn chain<'a>(error: &'a reqwest::Error) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error as &'a (dyn std::error::Error + 'static)), |error| error.source())
}

/// The innermost error. The outer ones repeat the URL and say only that something failed.
fn root_cause(error: &reqwest::Error) -> String {
    let Some(cause) = chain(error).last() else { return String::new() };
    match cause.downcast_ref::<io::Error>().map(io::Error::kind) {
        // rustls explains this with a link to its manual.
        Some(io::ErrorKind::UnexpectedEof) => "the connection was closed".to_owned(),
        _ => for_terminal(&refusal_of_certificate(cause).unwrap_or_else(|| cause.to_string())),
    }
}

/// Returns the message for a rejected certificate if rustls has no name for the reason, such as an error code of
/// Windows. The message of rustls contains such a reason in `Debug` format.
pub(crate) fn refusal_of_certificate(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    // An `io::Error` does not return the error that it contains as its source.
    if let Some(inner) = error.downcast_ref::<io::Error>() {
        return refusal_of_certificate(inner.get_ref()?);
    }
    match error.downcast_ref()? {
        rustls::Error::InvalidCertificate(CertificateError::Other(reason)) => {
            Some(format!("invalid peer certificate: {reason}"))
        }
        _ => None,
    }
}

#[cfg(all(test, feature = "cli"))] // which has the crate that creates certificates
mod tests {
    use std::net::TcpListener;
    use std::sync::Arc;

    use rcgen::CertifiedKey;
    use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
    use rustls::{ClientConfig, DigitallySignedStruct, OtherError, ServerConfig, ServerConnection, SignatureScheme};

    use super::*;

    const REASON: &str = "The certificate chain has a \"policy\" that is not valid. (os error -2146762477)";

    /// Refuses every certificate with an error for which rustls has no name, as the verifiers of Windows and macOS do.
    #[derive(Debug)]
    struct Refusing;

    impl ServerCertVerifier for Refusing {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: UnixTime,
        ) -> Result<ServerCertVerified, rustls::Error> {
            Err(CertificateError::Other(OtherError(Arc::from(Box::from(REASON)))).into())
        }

        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            unreachable!("the certificate was refused before")
        }

        fn verify_tls13_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            unreachable!("the certificate was refused before")
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            vec![SignatureScheme::ECDSA_NISTP256_SHA256, SignatureScheme::ED25519, SignatureScheme::RSA_PSS_SHA256]
        }
    }

    /// Starts a server for one connection. Returns its URL.
    fn serve_once() -> String {
        let CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key");
        let configuration = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the versions")
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .expect("the certificate");
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let url = format!("https://{}/", listener.local_addr().expect("an address"));
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut connection = ServerConnection::new(Arc::new(configuration)).expect("a server");
            connection.complete_io(&mut stream) // fails, because the client refuses the certificate
        });
        url
    }

    #[test]
    fn a_refusal_without_a_name_is_shown_as_the_verifier_words_it() {
        let configuration = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the versions")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Refusing))
            .with_no_client_auth();
        let client = reqwest::Client::builder().no_proxy().tls_backend_preconfigured(configuration).build();
        let request = client.expect("a client").get(serve_once()).send();
        let error = crate::runtime::new().expect("a runtime").block_on(request).expect_err("it is refused");
        assert_eq!(root_cause(&error), format!("invalid peer certificate: {REASON}"));
    }
}
