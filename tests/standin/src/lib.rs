//! A strict stand-in for the Microsoft identity platform, on loopback, for tests.
//!
//! It rejects what Microsoft rejects, with Microsoft's codes and texts, and it injects faults:
//!
//! ```
//! use standin::{ADA, Browser, Fault, PUBLIC_CLIENT_ID, Standin};
//!
//! # fn main() -> anyhow::Result<()> {
//! let standin = Standin::start();
//! standin.inject(Fault::aadsts(50196)); // for the next POST to /token
//!
//! let authorize = format!(
//!     "{}oauth2/v2.0/authorize?client_id={PUBLIC_CLIENT_ID}&response_type=code&redirect_uri=https://localhost:7598/\
//!      &scope=offline_access%20https://outlook.office.com/IMAP.AccessAsUser.All&state=abc\
//!      &code_challenge_method=S256&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
//!     standin.authority(),
//! );
//! let redirect = Browser::redirect_url(&authorize, ADA)?;
//! assert!(redirect.starts_with("https://localhost:7598/?code="));
//! assert_eq!(standin.requests()[0].path, "/common/oauth2/v2.0/authorize");
//! # Ok(())
//! # }
//! ```
//!
//! It differs from Microsoft in these points:
//!
//! - It accepts S256 code challenges only.
//! - A token has the requested scopes, not all scopes that were ever consented to.
//! - A public client must not send a `client_secret`, not even an empty one.
//! - It sends `slow_down` as RFC 8628 describes it.
//! - ID tokens are not signed.
//! - Users do not stay signed in.
//! - An assertion must not be presented twice (RFC 7523, 3); Microsoft does not say whether it checks that.
//! - The grants for passwords and on behalf of users are not supported.

mod application;
mod assertion;
mod authorize;
#[cfg(target_os = "linux")]
mod broker;
mod browser;
mod certificate;
mod client;
mod control;
mod device;
mod discovery;
mod fault;
mod issue;
mod outage;
mod page;
mod parameters;
mod platform;
mod random;
mod refusal;
mod resource;
mod scope;
mod send_mail;
mod server;
mod setup;
mod token;
mod vault;
mod wire;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

#[cfg(target_os = "linux")]
pub use broker::{Broker, BrokerAnswer, BrokerCall, BrokerVersion};
pub use browser::{Browser, Page};
pub use fault::Fault;
pub use outage::Outage;
pub use platform::Logged;
pub use setup::{
    ADA, Account, App, CLIENT_SECRET, CONFIDENTIAL_CLIENT_ID, GRACE, PUBLIC_CLIENT_ID, SINGLE_TENANT_CLIENT_ID, Setup,
    TENANT_ID, Tenant,
};

use platform::Platform;

/// The scopes of a seeded sign-in, which a refresh request without a `scope` uses.
const SEEDED_SCOPES: &str = "openid profile offline_access https://outlook.office.com/IMAP.AccessAsUser.All \
                             https://outlook.office.com/SMTP.Send";

/// A running stand-in. Dropping it stops the server and closes all connections.
pub struct Standin {
    platform: Arc<Platform>,
    port: u16,
    ca_pem: String,
    ca_file: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    _directory: Option<TempDir>,
}

impl Standin {
    /// Starts a stand-in with the default applications and accounts on a free port.
    #[must_use]
    pub fn start() -> Standin {
        Standin::start_with(Setup::default())
    }

    /// Starts a stand-in with this setup.
    ///
    /// # Panics
    ///
    /// Panics if the port is taken or the certificate cannot be written.
    #[must_use]
    pub fn start_with(setup: Setup) -> Standin {
        let listeners = server::bind(setup.port).expect("the port is free on loopback");
        let port = listeners[0].local_addr().expect("a bound listener has an address").port();
        let (ca_pem, config) = certificate::generate().expect("the certificate is created");
        let (directory, temporary) = directory(&setup).expect("the folder for the certificate is created");
        let ca_file = directory.join("standin-ca.pem");
        std::fs::write(&ca_file, &ca_pem).expect("the certificate is written");

        let platform = Arc::new(Platform::new(setup, format!("https://localhost:{port}")));
        let (stop, stopped) = oneshot::channel();
        let served = platform.clone();
        // Before the thread starts, so that no outage is missed.
        let listeners: Vec<_> = listeners.into_iter().map(|listener| (listener, platform.outage())).collect();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
            runtime.block_on(async {
                let tls = TlsAcceptor::from(config);
                for (listener, outage) in listeners {
                    tokio::spawn(server::accept(served.clone(), listener, tls.clone(), outage));
                }
                // An error also means that the stand-in was dropped.
                let _ = stopped.await;
            });
        });
        Standin { platform, port, ca_pem, ca_file, stop: Some(stop), thread: Some(thread), _directory: temporary }
    }

    /// Returns the port on 127.0.0.1, and on ::1 if the machine has IPv6.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns `https://localhost:PORT`.
    #[must_use]
    pub fn origin(&self) -> String {
        self.platform.origin.clone()
    }

    /// Returns `https://localhost:PORT/common/`.
    #[must_use]
    pub fn authority(&self) -> String {
        self.authority_for("common")
    }

    /// Returns the authority of a tenant, given by its ID or domain, or as `organizations` or `consumers`.
    #[must_use]
    pub fn authority_for(&self, tenant: &str) -> String {
        format!("{}/{tenant}/", self.platform.origin)
    }

    /// Returns the path of a PEM file with the certificate authority.
    #[must_use]
    pub fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    /// Returns the content of [`Standin::ca_file`].
    #[must_use]
    pub fn ca_pem(&self) -> String {
        self.ca_pem.clone()
    }

    /// Injects a fault into the next response of the token endpoint. Several faults are used in the given order.
    pub fn inject(&self, fault: Fault) {
        self.inject_times(fault, 1);
    }

    /// Injects a fault into the next `times` responses; see [`Standin::inject`].
    pub fn inject_times(&self, fault: Fault, times: usize) {
        self.platform.faults().extend(std::iter::repeat_n(fault, times));
    }

    /// Removes the faults that are still queued.
    pub fn clear_faults(&self) {
        self.platform.faults().clear();
    }

    /// Injects a fault into the next response of Graph's `/sendMail`: one that replaces the response, or a delay.
    pub fn inject_into_graph(&self, fault: Fault) {
        self.platform.graph_faults().push_back(fault);
    }

    /// Returns the messages that Graph's `/sendMail` accepted, byte by byte as they were sent.
    #[must_use]
    pub fn sent_messages(&self) -> Vec<Vec<u8>> {
        self.platform.sent().clone()
    }

    /// Begins an outage of the whole server, or ends it. Returns when it has begun or ended.
    pub fn set_outage(&self, outage: Option<Outage>) {
        self.platform.set_outage(outage);
    }

    /// Answers requests for a tenant's discovery document with 404 from now on.
    pub fn hide_discovery(&self) {
        self.platform.hides_discovery.store(true, Ordering::Relaxed);
    }

    /// Demands these `claims` (JSON) in each token request from now on: one without them is refused, and the refusal
    /// contains them. `None` ends the demand.
    pub fn demand_claims(&self, claims: Option<&str>) {
        self.platform.vault().demanded_claims = claims.map(str::to_owned);
    }

    /// Returns all requests in order, except those to `/standin/…`.
    #[must_use]
    pub fn requests(&self) -> Vec<Logged> {
        self.platform.log().clone()
    }

    /// Returns the number of token requests.
    #[must_use]
    pub fn token_requests(&self) -> usize {
        self.platform.token_requests()
    }

    /// Returns the number of accepted TCP connections.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.platform.connections.load(Ordering::Relaxed)
    }

    /// Issues a refresh token as if this account had signed in and consented to every permission.
    ///
    /// # Panics
    ///
    /// Panics if the setup does not contain this application and this account.
    #[must_use]
    pub fn seed_refresh_token(&self, client_id: &str, account: &str) -> String {
        seed(&self.platform, client_id, account).expect("the setup has this application and this account")
    }

    /// Revokes every refresh token issued so far. Each is then refused with this code, such as 700082 or 50173.
    pub fn revoke_all(&self, aadsts: u32) {
        self.platform.vault().revoke_all(aadsts);
    }

    /// Returns whether this stand-in issued the access token and it has not expired.
    #[must_use]
    pub fn is_valid_access_token(&self, token: &str) -> bool {
        self.platform.vault().valid_access_token(token).is_some()
    }

    /// Returns whether this stand-in issued the refresh token and still accepts it.
    #[must_use]
    pub fn is_valid_refresh_token(&self, token: &str) -> bool {
        self.platform.vault().is_valid_refresh_token(token)
    }

    /// Returns all access tokens, refresh tokens, codes and device codes issued so far, and the code verifiers
    /// received. None of them may appear in a log.
    #[must_use]
    pub fn issued_secrets(&self) -> Vec<String> {
        self.platform.vault().secrets.clone()
    }

    /// Registers the certificate of a confidential client: DER, its RSA public key (PKCS #1), and when it expires, in
    /// seconds since 1970.
    pub fn register_certificate(&self, client_id: &str, der: &[u8], public_key: &[u8], expires: u64) {
        let thumbprint = URL_SAFE_NO_PAD.encode(Sha256::digest(der));
        let certificate = vault::RegisteredCertificate { thumbprint, public_key: public_key.to_owned(), expires };
        self.platform.vault().certificates.insert(client_id.to_owned(), certificate);
    }

    /// Lets applications into a mailbox, as an administrator does in Exchange Online.
    pub fn let_applications_into(&self, mailbox: &str) {
        self.platform.vault().application_mailbox = Some(mailbox.to_owned());
    }

    /// Sets whether a refresh token is refused after its rotation. Microsoft keeps accepting it.
    pub fn set_single_use_refresh_tokens(&self, on: bool) {
        self.platform.vault().single_use_refresh_tokens = on;
    }
}

impl Drop for Standin {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // The thread's panic is already printed, and a second panic while dropping would abort.
            let _ = thread.join();
        }
    }
}

/// Creates the configured folder, or a temporary one.
fn directory(setup: &Setup) -> std::io::Result<(PathBuf, Option<TempDir>)> {
    if let Some(directory) = &setup.directory {
        std::fs::create_dir_all(directory)?;
        return Ok((directory.clone(), None));
    }
    let temporary = TempDir::with_prefix("standin-")?;
    Ok((temporary.path().to_owned(), Some(temporary)))
}

fn seed(platform: &Platform, client_id: &str, account: &str) -> Option<String> {
    platform.setup.apps.iter().find(|app| app.id == client_id)?;
    let account = platform.account(account)?.clone();
    let scopes = scope::Scopes::parse(SEEDED_SCOPES).expect("the seeded scopes are well formed");
    let mut vault = platform.vault();
    vault.consent(client_id, &account, scope::all());
    Some(vault.issue_refresh_token(&platform.setup, client_id, &account, scopes))
}
