//! A client of the stand-in that says just what it is told.
#![allow(dead_code, reason = "every test file uses a part of it")]

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

/// The pairs with some replaced or added; an empty replacement `"-"` removes.
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
    format!("{}oauth2/v2.0/authorize?{query}", standin.authority_of(tenant))
}

pub fn parameter(address: &str, name: &str) -> Option<String> {
    let address = Url::parse(address).expect("an address");
    address.query_pairs().find(|(other, _)| other == name).map(|(_, value)| value.into_owned())
}

pub fn code(standin: &Standin, changes: &[(&'static str, &str)]) -> String {
    let url = authorize_url(standin, "common", changes);
    let redirect = Browser::redirect_address(&url, ADA).expect("the sign-in succeeds");
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
        .expect("ring knows them")
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

pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body))
    }
}

pub fn send(request: RequestBuilder) -> reqwest::Result<Answer> {
    run(async {
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Answer { status, headers, body: response.text().await? })
    })
}

pub fn post_to(standin: &Standin, url: &str, pairs: &Pairs) -> reqwest::Result<Answer> {
    let request = client(standin).post(url).header("content-type", "application/x-www-form-urlencoded");
    send(request.body(encode(pairs)))
}

pub fn token_at(standin: &Standin, tenant: &str, pairs: &Pairs) -> Answer {
    post_to(standin, &format!("{}oauth2/v2.0/token", standin.authority_of(tenant)), pairs).expect("an answer")
}

pub fn token(standin: &Standin, pairs: &Pairs) -> Answer {
    token_at(standin, "common", pairs)
}

/// The answer is a refusal with just this code, in Microsoft's shape.
#[track_caller]
pub fn assert_refused(answer: &Answer, status: u16, error: &str, aadsts: u32) {
    let body = answer.json();
    let description = body["error_description"].as_str().expect("a description");
    assert_eq!((answer.status, &body["error"]), (status, &Value::from(error)), "{description}");
    assert_eq!(body["error_codes"], serde_json::json!([aadsts]), "{description}");
    assert!(description.starts_with(&format!("AADSTS{aadsts}: ")), "{description}");
    for (name, key) in [("Trace ID", "trace_id"), ("Correlation ID", "correlation_id"), ("Timestamp", "timestamp")] {
        let value = body[key].as_str().expect("a text");
        assert!(description.contains(&format!(" {name}: {value}")), "{description}");
    }
    assert_eq!(answer.headers["cache-control"], "no-store, no-cache");
}
