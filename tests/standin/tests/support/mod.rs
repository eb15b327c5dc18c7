//! A client of the stand-in that sends exactly the given parameters.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, RequestBuilder};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::Value;
use standin::{ADA, Browser, CONFIDENTIAL_CLIENT_ID, PUBLIC_CLIENT_ID, Standin};
use url::{Url, form_urlencoded};

pub const REDIRECT: &str = "https://localhost:7598/";
pub const MAIL: &str = "https://outlook.office.com/IMAP.AccessAsUser.All";
pub const CALENDAR: &str = "https://graph.microsoft.com/Calendars.ReadWrite";
pub const OPENID: &str = "openid profile offline_access";
/// The example of RFC 7636, appendix B.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub type Pairs = Vec<(&'static str, String)>;

/// Replaces or adds pairs. The value `"-"` removes a pair.
pub fn change(mut pairs: Pairs, changes: &[(&'static str, &str)]) -> Pairs {
    for (name, value) in changes {
        pairs.retain(|(other, _)| other != name);
        if *value != "-" {
            pairs.push((name, (*value).to_owned()));
        }
    }
    pairs
}

pub fn encode(pairs: &Pairs) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

pub fn authorize_parameters() -> Pairs {
    let scope = format!("{OPENID} {MAIL} {CALENDAR}");
    [
        ("client_id", PUBLIC_CLIENT_ID),
        ("response_type", "code"),
        ("redirect_uri", REDIRECT),
        ("scope", scope.as_str()),
        ("state", "a state+with/odd=characters&"),
        ("nonce", "a-nonce"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .into()
}

pub fn authorize_url(standin: &Standin, tenant: &str, changes: &[(&'static str, &str)]) -> String {
    let query = encode(&change(authorize_parameters(), changes));
    format!("{}oauth2/v2.0/authorize?{query}", standin.authority_for(tenant))
}

pub fn parameter(url: &str, name: &str) -> Option<String> {
    let url = Url::parse(url).expect("a URL");
    url.query_pairs().find(|(other, _)| other == name).map(|(_, value)| value.into_owned())
}

pub fn code(standin: &Standin, changes: &[(&'static str, &str)]) -> String {
    let url = authorize_url(standin, "common", changes);
    let redirect = Browser::redirect_url(&url, ADA).expect("the sign-in succeeds");
    parameter(&redirect, "code").expect("a code")
}

pub fn code_parameters(code: &str) -> Pairs {
    let scope = format!("{OPENID} {MAIL}");
    [
        ("grant_type", "authorization_code"),
        ("client_id", PUBLIC_CLIENT_ID),
        ("code", code),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
        ("scope", scope.as_str()),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .into()
}

pub fn refresh_parameters(token: &str) -> Pairs {
    let scope = format!("{OPENID} {MAIL}");
    [
        ("grant_type", "refresh_token"),
        ("client_id", PUBLIC_CLIENT_ID),
        ("refresh_token", token),
        ("scope", scope.as_str()),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .into()
}

pub fn confidential(pairs: Pairs, secret: &str) -> Pairs {
    change(pairs, &[("client_id", CONFIDENTIAL_CLIENT_ID), ("client_secret", secret)])
}

pub fn client(standin: &Standin) -> Client {
    let mut roots = rustls::RootCertStore::empty();
    let authority = CertificateDer::from_pem_file(standin.ca_file()).expect("a certificate");
    roots.add(authority).expect("a certificate authority");
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring supports the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Client::builder()
        .tls_backend_preconfigured(config)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(20))
        .build()
        .expect("a client")
}

pub fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

pub struct HttpResponse {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: String,
}

impl HttpResponse {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.body))
    }
}

pub fn send(request: RequestBuilder) -> reqwest::Result<HttpResponse> {
    run(async {
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(HttpResponse { status, headers, body: response.text().await? })
    })
}

pub fn post_to(standin: &Standin, url: &str, pairs: &Pairs) -> reqwest::Result<HttpResponse> {
    let request = client(standin).post(url).header("content-type", "application/x-www-form-urlencoded");
    send(request.body(encode(pairs)))
}

pub fn token_at(standin: &Standin, tenant: &str, pairs: &Pairs) -> HttpResponse {
    post_to(standin, &format!("{}oauth2/v2.0/token", standin.authority_for(tenant)), pairs).expect("a response")
}

pub fn token(standin: &Standin, pairs: &Pairs) -> HttpResponse {
    token_at(standin, "common", pairs)
}

/// Asserts that the response is a refusal in Microsoft's format with exactly this code.
#[track_caller]
pub fn assert_refused(response: &HttpResponse, status: u16, error: &str, aadsts: u32) {
    let body = response.json();
    let description = body["error_description"].as_str().expect("a description");
    assert_eq!((response.status, &body["error"]), (status, &Value::from(error)), "{description}");
    assert_eq!(body["error_codes"], serde_json::json!([aadsts]), "{description}");
    assert!(description.starts_with(&format!("AADSTS{aadsts}: ")), "{description}");
    for (name, key) in [("Trace ID", "trace_id"), ("Correlation ID", "correlation_id"), ("Timestamp", "timestamp")] {
        let value = body[key].as_str().expect("a string");
        assert!(description.contains(&format!(" {name}: {value}")), "{description}");
    }
    assert_eq!(response.headers["cache-control"], "no-store, no-cache");
}
