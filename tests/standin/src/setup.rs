//! Who and what is known to the stand-in: applications, accounts, tenants.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::random;

/// A public client ("Mobile and desktop applications"): a secret is refused.
pub const PUBLIC_CLIENT_ID: &str = "4f2a7b1c-90de-4c3b-a1f7-5d2e8c6b3a10";
/// A confidential client ("Web"): needs [`CLIENT_SECRET`].
pub const CONFIDENTIAL_CLIENT_ID: &str = "8c1d5e3f-27ab-4f60-b9c2-1e7f4a9d6b25";
/// The secret of [`CONFIDENTIAL_CLIENT_ID`].
pub const CLIENT_SECRET: &str = "Sx8Q~standin.Secret-Of.The_Web~Client.01";
/// A public client of one tenant only: refused at `/common/` with AADSTS50194.
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
    /// Application (client) id.
    pub id: String,
    /// Display name.
    pub name: String,
    /// Registered redirect URIs.
    pub redirect_uris: Vec<String>,
    /// With a secret the redirect URIs are of the platform "Web", without one "Mobile and desktop applications".
    pub secret: Option<String>,
    /// The only tenant of a single-tenant application.
    pub tenant: Option<String>,
}

impl App {
    /// A multi-tenant public client with the redirect URIs `https://localhost/` and `http://localhost/`.
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

    /// The port of localhost is ignored, scheme, host and path are not; no path is the path `/`.
    pub(crate) fn redirects_to(&self, redirect_uri: &str) -> bool {
        let Ok(wanted) = Url::parse(redirect_uri) else {
            return false;
        };
        self.redirect_uris
            .iter()
            .filter_map(|registered| Url::parse(registered).ok())
            .any(|registered| without_loopback_port(registered) == without_loopback_port(wanted.clone()))
    }
}

fn without_loopback_port(mut url: Url) -> Url {
    if url.host_str() == Some("localhost") {
        // Fails only for addresses without a host.
        let _ = url.set_port(None);
    }
    url
}

/// A person's work account.
#[derive(Debug, Clone)]
pub struct Account {
    /// User principal name and mail address.
    pub address: String,
    /// Display name.
    pub name: String,
    /// Object id in the tenant.
    pub object_id: String,
    /// Id of the home tenant.
    pub tenant: String,
}

/// A directory of accounts.
#[derive(Debug, Clone)]
pub struct Tenant {
    /// Tenant (directory) id.
    pub id: String,
    /// A verified domain, accepted in the authority instead of the id.
    pub domain: String,
}

/// How a stand-in is set up; start from [`Setup::default`] and change what the test is about.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Application registrations.
    pub apps: Vec<App>,
    /// Accounts that can sign in.
    pub accounts: Vec<Account>,
    /// Tenants.
    pub tenants: Vec<Tenant>,
    /// Refuse to authorize without a code challenge.
    pub require_pkce: bool,
    /// Rotated refresh tokens are refused from then on; Microsoft lets them live.
    pub single_use_refresh_tokens: bool,
    /// Announced polling interval; polling faster is answered with `slow_down`. Fractions of a second are dropped.
    pub device_code_interval: Duration,
    /// How long a device code can be approved.
    pub device_code_lifetime: Duration,
    /// How long an authorization code can be exchanged.
    pub code_lifetime: Duration,
    /// How long an access token is valid, the `expires_in` of the reply.
    pub access_token_lifetime: Duration,
    /// Length of access tokens in characters.
    pub access_token_length: RangeInclusive<usize>,
    /// Length of refresh tokens in characters.
    pub refresh_token_length: RangeInclusive<usize>,
    /// Length of authorization codes in characters.
    pub code_length: RangeInclusive<usize>,
    /// How far this server's clock is behind the machine's.
    pub clock_behind: Duration,
    /// Port on loopback, 0 for a free one.
    pub port: u16,
    /// Where the certificate of the authority is written; a temporary folder by default.
    pub directory: Option<PathBuf>,
}

impl Default for Setup {
    fn default() -> Setup {
        Setup {
            apps: apps(),
            accounts: accounts(),
            tenants: vec![Tenant { id: TENANT_ID.into(), domain: "example.com".into() }],
            require_pkce: true,
            single_use_refresh_tokens: false,
            device_code_interval: Duration::from_secs(5),
            device_code_lifetime: Duration::from_secs(15 * 60),
            code_lifetime: Duration::from_secs(10 * 60),
            // Microsoft draws 60 to 90 minutes.
            access_token_lifetime: Duration::from_secs(random::within(3_600..=5_400) as u64),
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
