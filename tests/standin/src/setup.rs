//! The stand-in's configuration: applications, accounts, tenants.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use url::Url;

use crate::random;

/// A public client ("Mobile and desktop applications"), which must not send a secret.
pub const PUBLIC_CLIENT_ID: &str = "4f2a7b1c-90de-4c3b-a1f7-5d2e8c6b3a10";
/// A confidential client ("Web"), which needs [`CLIENT_SECRET`].
pub const CONFIDENTIAL_CLIENT_ID: &str = "8c1d5e3f-27ab-4f60-b9c2-1e7f4a9d6b25";
/// The secret of [`CONFIDENTIAL_CLIENT_ID`].
pub const CLIENT_SECRET: &str = "Sx8Q~standin.Secret-Of.The_Web~Client.01";
/// A public client for one tenant only, which `/common/` refuses with AADSTS50194.
pub const SINGLE_TENANT_CLIENT_ID: &str = "b7e93d42-6c18-4a05-8f3d-92c4e0a1d736";
/// The tenant of both accounts; its domain is `example.com`.
pub const TENANT_ID: &str = "3e6f0c9a-41d7-4b82-9a5e-7c0b2d8f1e64";
/// The first account, "Ada Example".
pub const ADA: &str = "ada@example.com";
/// The second account, "Grace Example".
pub const GRACE: &str = "grace@example.com";

/// An application registration.
#[derive(Debug, Clone)]
pub struct App {
    /// Application (client) ID.
    pub id: String,
    /// Display name.
    pub name: String,
    /// Registered redirect URIs.
    pub redirect_uris: Vec<String>,
    /// Client secret. With a secret the redirect URIs belong to the platform "Web", without one to "Mobile and desktop
    /// applications".
    pub secret: Option<String>,
    /// The tenant of a single-tenant application.
    pub tenant: Option<String>,
}

impl App {
    /// Returns a multi-tenant public client with the redirect URIs `https://localhost/` and `http://localhost/`.
    #[must_use]
    pub fn public(id: &str, name: &str) -> App {
        App {
            id: id.to_owned(),
            name: name.to_owned(),
            redirect_uris: vec!["https://localhost/".into(), "http://localhost/".into()],
            secret: None,
            tenant: None,
        }
    }

    /// Returns whether the redirect URI is registered. The port of localhost is ignored; scheme, host and path must
    /// match. An empty path is `/`.
    pub(crate) fn redirects_to(&self, redirect_uri: &str) -> bool {
        let Ok(requested) = Url::parse(redirect_uri) else {
            return false;
        };
        self.redirect_uris
            .iter()
            .filter_map(|registered| Url::parse(registered).ok())
            .any(|registered| without_loopback_port(registered) == without_loopback_port(requested.clone()))
    }
}

fn without_loopback_port(mut url: Url) -> Url {
    if url.host_str() == Some("localhost") {
        // Fails only for URLs without a host.
        let _ = url.set_port(None);
    }
    url
}

/// A user's work account.
#[derive(Debug, Clone)]
pub struct Account {
    /// User principal name and mail address.
    pub address: String,
    /// Display name.
    pub name: String,
    /// Object ID in the tenant.
    pub object_id: String,
    /// ID of the home tenant.
    pub tenant: String,
}

/// A directory of accounts.
#[derive(Debug, Clone)]
pub struct Tenant {
    /// Tenant (directory) ID.
    pub id: String,
    /// A verified domain, which the authority may contain instead of the ID.
    pub domain: String,
}

/// The configuration of a stand-in. Start from [`Setup::default`] and change what the test needs.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Application registrations.
    pub apps: Vec<App>,
    /// Accounts that can sign in.
    pub accounts: Vec<Account>,
    /// Tenants.
    pub tenants: Vec<Tenant>,
    /// The origin that tokens and discovery documents name, such as `https://login.microsoftonline.com`. It differs
    /// from the stand-in's own if a proxy connects the login host to it.
    pub issuer_origin: Option<String>,
    /// Whether an authorization request needs a code challenge.
    pub require_pkce: bool,
    /// Whether a refresh token is refused after its rotation. Microsoft keeps accepting it.
    pub single_use_refresh_tokens: bool,
    /// Polling interval in whole seconds. A client that polls faster gets `slow_down`.
    pub device_code_interval: Duration,
    /// Lifetime of a device code.
    pub device_code_lifetime: Duration,
    /// Lifetime of an authorization code.
    pub code_lifetime: Duration,
    /// Lifetime of each access token, the `expires_in` of the response; by default random, 60 to 90 minutes.
    pub access_token_lifetime: Option<Duration>,
    /// The `refresh_in` of the response: after how many seconds the client should renew the access token.
    pub refresh_in: Option<Value>,
    /// Length of access tokens in characters.
    pub access_token_length: RangeInclusive<usize>,
    /// Length of refresh tokens in characters.
    pub refresh_token_length: RangeInclusive<usize>,
    /// Length of authorization codes in characters.
    pub code_length: RangeInclusive<usize>,
    /// How far this server's clock is behind the machine's.
    pub clock_behind: Duration,
    /// Port on loopback; 0 for any free port.
    pub port: u16,
    /// Folder for the certificate authority's PEM file; a temporary folder by default.
    pub directory: Option<PathBuf>,
}

impl Setup {
    /// Returns the lifetime of a new access token.
    pub(crate) fn lifetime(&self) -> Duration {
        // Microsoft: "Configurable token lifetimes", 75 minutes on average.
        self.access_token_lifetime.unwrap_or_else(|| Duration::from_secs(random::number_in(3_600..=5_400) as u64))
    }
}

impl Default for Setup {
    fn default() -> Setup {
        Setup {
            apps: apps(),
            accounts: accounts(),
            tenants: vec![Tenant { id: TENANT_ID.into(), domain: "example.com".into() }],
            issuer_origin: None,
            require_pkce: true,
            single_use_refresh_tokens: false,
            device_code_interval: Duration::from_secs(5),
            device_code_lifetime: Duration::from_secs(15 * 60),
            code_lifetime: Duration::from_secs(10 * 60),
            access_token_lifetime: None,
            refresh_in: None,
            // Lengths as reported by users of Exchange Online.
            access_token_length: 1_500..=2_500,
            refresh_token_length: 1_000..=1_900,
            code_length: 1_000..=1_600,
            clock_behind: Duration::ZERO,
            port: 0,
            directory: None,
        }
    }
}

fn apps() -> Vec<App> {
    vec![
        App::public(PUBLIC_CLIENT_ID, "Mail on the desktop"),
        App {
            redirect_uris: vec!["https://localhost/".into()],
            secret: Some(CLIENT_SECRET.into()),
            ..App::public(CONFIDENTIAL_CLIENT_ID, "Mail with a secret")
        },
        App { tenant: Some(TENANT_ID.into()), ..App::public(SINGLE_TENANT_CLIENT_ID, "Mail of one tenant") },
    ]
}

fn accounts() -> Vec<Account> {
    [
        (ADA, "Ada Example", "0a1b2c3d-0000-4000-8000-00000000ada1"),
        (GRACE, "Grace Example", "0a1b2c3d-0000-4000-8000-0000000c4ace"),
    ]
    .map(|(address, name, object_id)| Account {
        address: address.into(),
        name: name.into(),
        object_id: object_id.into(),
        tenant: TENANT_ID.into(),
    })
    .into()
}
