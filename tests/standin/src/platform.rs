//! State and types that all endpoints share.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::header::{CACHE_CONTROL, DATE, EXPIRES, PRAGMA};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use time::OffsetDateTime;
use time::macros::format_description;
use tokio::sync::watch;

use crate::fault::Fault;
use crate::outage::Outage;
use crate::random;
use crate::refusal::Refusal;
use crate::setup::{Account, App, Setup, Tenant};
use crate::vault::Vault;

/// A request in the log.
#[derive(Debug, Clone, Serialize)]
pub struct Logged {
    /// HTTP method.
    pub method: String,
    /// Path without the query.
    pub path: String,
    /// Parameters of the query and of a form.
    pub parameters: BTreeMap<String, String>,
    /// `User-Agent`, if the request had one.
    pub user_agent: Option<String>,
    /// `Content-Type`, if the request had one.
    pub content_type: Option<String>,
    /// Status of the response; 0 if there is no response.
    pub status: u16,
}

/// Names that stand for several tenants, as in `/common/`.
const SHARED_TENANTS: [&str; 3] = ["common", "organizations", "consumers"];

pub(crate) struct Platform {
    pub setup: Setup,
    pub origin: String,
    pub connections: AtomicUsize,
    pub hides_discovery: AtomicBool,
    vault: Mutex<Vault>,
    faults: Mutex<VecDeque<Fault>>,
    graph_faults: Mutex<VecDeque<Fault>>,
    sent: Mutex<Vec<Vec<u8>>>,
    log: Mutex<Vec<Logged>>,
    outage: watch::Sender<Option<Outage>>,
    /// How many listeners are in the state that `outage` demands.
    settled: Mutex<usize>,
    listener_settled: Condvar,
}

pub(crate) type Shared = axum::extract::State<Arc<Platform>>;

impl Platform {
    /// Returns the origin that tokens and discovery documents name.
    pub fn issuer_origin(&self) -> &str {
        self.setup.issuer_origin.as_deref().unwrap_or(&self.origin)
    }

    pub fn new(setup: Setup, origin: String) -> Platform {
        let vault = Vault::new(setup.single_use_refresh_tokens);
        Platform {
            setup,
            origin,
            connections: AtomicUsize::new(0),
            hides_discovery: AtomicBool::new(false),
            vault: Mutex::new(vault),
            faults: Mutex::default(),
            graph_faults: Mutex::default(),
            sent: Mutex::default(),
            log: Mutex::default(),
            outage: watch::Sender::new(None),
            settled: Mutex::default(),
            listener_settled: Condvar::new(),
        }
    }

    /// Begins or ends an outage, and waits until every listener has noticed.
    pub fn set_outage(&self, outage: Option<Outage>) {
        let mut settled = lock(&self.settled);
        if *self.outage.borrow() == outage {
            return;
        }
        *settled = 0;
        self.outage.send_replace(outage);
        while *settled < self.outage.receiver_count() {
            settled = self.listener_settled.wait(settled).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Returns a listener's view of the outage.
    pub fn outage(&self) -> watch::Receiver<Option<Outage>> {
        self.outage.subscribe()
    }

    /// Reports that a listener is in the state that the outage demands.
    pub fn settle(&self) {
        *lock(&self.settled) += 1;
        self.listener_settled.notify_all();
    }

    pub fn vault(&self) -> MutexGuard<'_, Vault> {
        lock(&self.vault)
    }

    pub fn faults(&self) -> MutexGuard<'_, VecDeque<Fault>> {
        lock(&self.faults)
    }

    /// The faults of `/sendMail`.
    pub fn graph_faults(&self) -> MutexGuard<'_, VecDeque<Fault>> {
        lock(&self.graph_faults)
    }

    /// The messages that `/sendMail` accepted.
    pub fn sent(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        lock(&self.sent)
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

    /// Returns the tenant with this ID or domain; `None` for a shared tenant such as `common`.
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
            Refusal::with_message(90002, message)
        };
        self.setup.tenants.iter().find(named).map(Some).ok_or_else(not_found)
    }

    /// Returns the application, if it can be used in this tenant.
    pub fn app(&self, client_id: &str, tenant: &str) -> Result<&App, Refusal> {
        let own = self.tenant(tenant)?;
        let not_found = || {
            let message =
                format!("Application with identifier '{client_id}' was not found in the directory '{tenant}'.");
            Refusal::with_message(700016, message)
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
                Err(Refusal::with_message(50194, message))
            }
            (Some(only), Some(tenant)) if *only != tenant.id => Err(not_found()),
            _ => Ok(app),
        }
    }

    /// Returns the accounts that can sign in to this tenant.
    pub fn accounts_in(&self, tenant: &str) -> Result<Vec<&Account>, Refusal> {
        let own = self.tenant(tenant)?;
        let can_sign_in = |account: &&Account| match own {
            Some(tenant) => account.tenant == tenant.id,
            // All accounts of the stand-in are work accounts.
            None => tenant != "consumers",
        };
        Ok(self.setup.accounts.iter().filter(can_sign_in).collect())
    }

    /// Returns the account, if it can sign in to this tenant.
    pub fn account_in(&self, tenant: &str, address: &str) -> Result<&Account, Refusal> {
        let found = self.accounts_in(tenant)?.into_iter().find(|account| account.address.eq_ignore_ascii_case(address));
        found.ok_or_else(|| {
            let message = format!(
                "User account '{address}' does not exist in tenant '{tenant}' and cannot access the application in that tenant."
            );
            Refusal::with_message(50020, message)
        })
    }
}

/// Locks the mutex even if it is poisoned, so that a panic in one test does not fail the others.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Values from a request that its response repeats.
pub(crate) struct Caller {
    pub origin: String,
    pub correlation_id: String,
    pub clock_behind: Duration,
}

impl Caller {
    /// Returns the headers that Microsoft sends with every response about tokens.
    pub fn headers(&self) -> HeaderMap {
        let correlation_id = HeaderValue::from_str(&self.correlation_id).expect("the ID came in a header or is a GUID");
        let request_id = HeaderValue::from_str(&random::guid()).expect("a GUID is a valid header value");
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
