//! What all endpoints share.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::header::{CACHE_CONTROL, DATE, EXPIRES, PRAGMA};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use time::OffsetDateTime;
use time::macros::format_description;

use crate::fault::Fault;
use crate::random;
use crate::refusal::Refusal;
use crate::setup::{Account, App, Setup, Tenant};
use crate::vault::Vault;

/// A request that the stand-in was asked.
#[derive(Debug, Clone, Serialize)]
pub struct Logged {
    /// HTTP method.
    pub method: String,
    /// Path without the query.
    pub path: String,
    /// Parameters of the query and of a form.
    pub parameters: BTreeMap<String, String>,
    /// `User-Agent`, where there was one.
    pub user_agent: Option<String>,
    /// `Content-Type`, where there was one.
    pub content_type: Option<String>,
    /// Status answered; 0 while, or if, there was no answer.
    pub status: u16,
}

/// The tenants that stand for others, as in `/common/`.
const SHARED_TENANTS: [&str; 3] = ["common", "organizations", "consumers"];

pub(crate) struct Platform {
    pub setup: Setup,
    pub origin: String,
    pub connections: AtomicUsize,
    vault: Mutex<Vault>,
    faults: Mutex<VecDeque<Fault>>,
    log: Mutex<Vec<Logged>>,
}

pub(crate) type Shared = axum::extract::State<Arc<Platform>>;

impl Platform {
    pub fn new(setup: Setup, origin: String) -> Platform {
        let vault = Vault::new(setup.single_use_refresh_tokens);
        Platform {
            setup,
            origin,
            connections: AtomicUsize::new(0),
            vault: Mutex::new(vault),
            faults: Mutex::default(),
            log: Mutex::default(),
        }
    }

    pub fn vault(&self) -> MutexGuard<'_, Vault> {
        lock(&self.vault)
    }

    pub fn faults(&self) -> MutexGuard<'_, VecDeque<Fault>> {
        lock(&self.faults)
    }

    pub fn log(&self) -> MutexGuard<'_, Vec<Logged>> {
        lock(&self.log)
    }

    pub fn token_requests(&self) -> usize {
        let is_token = |entry: &&Logged| entry.method == "POST" && entry.path.ends_with("/oauth2/v2.0/token");
        self.log().iter().filter(is_token).count()
    }

    pub fn account(&self, address: &str) -> Option<&Account> {
        self.setup.accounts.iter().find(|account| account.address.eq_ignore_ascii_case(address))
    }

    /// The tenant of the path, or none for the shared ones.
    pub fn tenant(&self, name: &str) -> Result<Option<&Tenant>, Refusal> {
        if SHARED_TENANTS.contains(&name) {
            return Ok(None);
        }
        let named = |tenant: &&Tenant| tenant.id.eq_ignore_ascii_case(name) || tenant.domain.eq_ignore_ascii_case(name);
        let not_found = || {
            let message = format!(
                "Tenant '{name}' not found. Check to make sure you have the correct tenant ID and are \
                 signing into the correct cloud."
            );
            Refusal::saying(90002, message)
        };
        self.setup.tenants.iter().find(named).map(Some).ok_or_else(not_found)
    }

    /// The application, if it can be used at this tenant.
    pub fn app(&self, client_id: &str, tenant: &str) -> Result<&App, Refusal> {
        let own = self.tenant(tenant)?;
        let not_found = || {
            let message =
                format!("Application with identifier '{client_id}' was not found in the directory '{tenant}'.");
            Refusal::saying(700016, message)
        };
        let app = self.setup.apps.iter().find(|app| app.id == client_id).ok_or_else(not_found)?;
        match (&app.tenant, own) {
            (Some(_), None) => {
                let message = format!(
                    "Application '{client_id}'({}) is not configured as a multi-tenant application. Usage of the \
                     /common endpoint is not supported for such apps created after '10/15/2018'. Use a \
                     tenant-specific endpoint or configure the application to be multi-tenant.",
                    app.name
                );
                Err(Refusal::saying(50194, message))
            }
            (Some(only), Some(tenant)) if *only != tenant.id => Err(not_found()),
            _ => Ok(app),
        }
    }

    /// Those who can sign in at this tenant.
    pub fn accounts_of(&self, tenant: &str) -> Result<Vec<&Account>, Refusal> {
        let own = self.tenant(tenant)?;
        let at_home = |account: &&Account| match own {
            Some(tenant) => account.tenant == tenant.id,
            // All accounts of the stand-in are work accounts.
            None => tenant != "consumers",
        };
        Ok(self.setup.accounts.iter().filter(at_home).collect())
    }

    /// The account, if it can sign in at this tenant.
    pub fn account_of(&self, tenant: &str, address: &str) -> Result<&Account, Refusal> {
        let found = self.accounts_of(tenant)?.into_iter().find(|account| account.address.eq_ignore_ascii_case(address));
        found.ok_or_else(|| {
            let message = format!(
                "User account '{address}' does not exist in tenant '{tenant}' and cannot access the application in that tenant."
            );
            Refusal::saying(50020, message)
        })
    }
}

/// A test that panics must not take the others with it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Who asks: what every answer repeats.
pub(crate) struct Caller {
    pub origin: String,
    pub correlation_id: String,
    pub clock_behind: Duration,
}

impl Caller {
    /// As Microsoft answers every request about tokens.
    pub fn headers(&self) -> HeaderMap {
        let correlation_id = HeaderValue::from_str(&self.correlation_id).expect("it came in a header or is a GUID");
        let request_id = HeaderValue::from_str(&random::guid()).expect("a GUID fits into a header");
        // RFC 9110 §5.6.7.
        let format =
            format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
        let date = (OffsetDateTime::now_utc() - self.clock_behind).format(&format).expect("a date has all these parts");
        HeaderMap::from_iter([
            (DATE, HeaderValue::from_str(&date).expect("a date is ASCII")),
            (CACHE_CONTROL, HeaderValue::from_static("no-store, no-cache")),
            (PRAGMA, HeaderValue::from_static("no-cache")),
            (EXPIRES, HeaderValue::from_static("-1")),
            (HeaderName::from_static("client-request-id"), correlation_id),
            (HeaderName::from_static("x-ms-request-id"), request_id),
        ])
    }
}

impl FromRequestParts<Arc<Platform>> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, platform: &Arc<Platform>) -> Result<Caller, Infallible> {
        let sent = parts.headers.get("client-request-id").and_then(|id| id.to_str().ok());
        let correlation_id = sent.map_or_else(random::guid, ToOwned::to_owned);
        Ok(Caller { origin: platform.origin.clone(), correlation_id, clock_behind: platform.setup.clock_behind })
    }
}
