//! A strict stand-in for the Microsoft identity platform, on loopback, for tests.
//!
//! It grants nothing that Microsoft would refuse, refuses in Microsoft's words, and fails on order:
//!
//! ```
//! use standin::{ADA, Browser, Fault, PUBLIC_CLIENT_ID, Standin};
//!
//! # fn main() -> anyhow::Result<()> {
//! let standin = Standin::start();
//! standin.order(Fault::aadsts(50196)); // what POST /token answers next
//!
//! let authorize = format!(
//!     "{}oauth2/v2.0/authorize?client_id={PUBLIC_CLIENT_ID}&response_type=code&redirect_uri=https://localhost:7598/\
//!      &scope=offline_access%20https://outlook.office.com/IMAP.AccessAsUser.All&state=abc\
//!      &code_challenge_method=S256&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
//!     standin.authority(),
//! );
//! let redirect = Browser::redirect_address(&authorize, ADA)?;
//! assert!(redirect.starts_with("https://localhost:7598/?code="));
//! assert_eq!(standin.requests()[0].path, "/common/oauth2/v2.0/authorize");
//! # Ok(())
//! # }
//! ```
//!
//! Where it differs from Microsoft: it takes S256 challenges only; a token carries the scopes asked for, not all that
//! were ever consented to; an empty `client_secret` of a public client is refused; `slow_down` is played as RFC 8628
//! has it; id tokens are not signed; no person stays signed in; and the grants for services (client credentials,
//! on behalf of) and passwords do not exist.

mod authorize;
mod browser;
mod certificate;
mod client;
mod control;
mod device;
mod discovery;
mod fault;
mod issue;
mod page;
mod parameters;
mod platform;
mod random;
mod refusal;
mod resource;
mod scope;
mod server;
mod setup;
mod token;
mod vault;
mod wire;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

pub use browser::{Browser, Page};
pub use fault::Fault;
pub use platform::Logged;
pub use setup::{
    ADA, Account, App, CLIENT_SECRET, CONFIDENTIAL_CLIENT_ID, GRACE, PUBLIC_CLIENT_ID, SINGLE_TENANT_CLIENT_ID, Setup,
    TENANT_ID, Tenant,
};

use platform::Platform;

/// The scopes of a seeded sign-in: what a refresh that names none falls back to.
const SEEDED_SCOPES: &str = "openid profile offline_access https://outlook.office.com/IMAP.AccessAsUser.All \
                             https://outlook.office.com/SMTP.Send";

/// A running stand-in; it stops when dropped, and with it whatever still hangs on it.
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
    /// Starts one with the usual applications and accounts on a free port.
    #[must_use]
    pub fn start() -> Standin {
        Standin::start_with(Setup::default())
    }

    /// Starts one.
    ///
    /// # Panics
    ///
    /// If the port is taken or the certificate cannot be written: a test cannot go on then.
    #[must_use]
    pub fn start_with(setup: Setup) -> Standin {
        let listeners = server::bind(setup.port).expect("the port is free on loopback");
        let port = listeners[0].local_addr().expect("a bound listener has an address").port();
        let (ca_pem, config) = certificate::generate().expect("a certificate is made");
        let (directory, temporary) = directory(&setup).expect("there is a folder for the certificate");
        let ca_file = directory.join("standin-ca.pem");
        std::fs::write(&ca_file, &ca_pem).expect("the certificate is written");

        let platform = Arc::new(Platform::new(setup, format!("https://localhost:{port}")));
        let (stop, stopped) = oneshot::channel();
        let served = platform.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
            runtime.block_on(async {
                let tls = TlsAcceptor::from(config);
                for listener in listeners {
                    listener.set_nonblocking(true).expect("a listener can be switched to nonblocking");
                    tokio::spawn(server::accept(served.clone(), listener, tls.clone()));
                }
                // An error means that the stand-in was dropped, too.
                let _ = stopped.await;
            });
        });
        Standin { platform, port, ca_pem, ca_file, stop: Some(stop), thread: Some(thread), _directory: temporary }
    }

    /// Its port on 127.0.0.1, and on ::1 where there is one.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `https://localhost:PORT`.
    #[must_use]
    pub fn origin(&self) -> String {
        self.platform.origin.clone()
    }

    /// `https://localhost:PORT/common/`.
    #[must_use]
    pub fn authority(&self) -> String {
        self.authority_of("common")
    }

    /// The authority of a tenant: its id, its domain, `organizations` or `consumers`.
    #[must_use]
    pub fn authority_of(&self, tenant: &str) -> String {
        format!("{}/{tenant}/", self.platform.origin)
    }

    /// A PEM file with the authority of its certificate.
    #[must_use]
    pub fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    /// The text of [`Standin::ca_file`].
    #[must_use]
    pub fn ca_pem(&self) -> String {
        self.ca_pem.clone()
    }

    /// The next POST to the token endpoint gets this fault; several wait in the order given.
    pub fn order(&self, fault: Fault) {
        self.order_times(fault, 1);
    }

    /// As [`Standin::order`], `times` times.
    pub fn order_times(&self, fault: Fault, times: usize) {
        self.platform.faults().extend(std::iter::repeat_n(fault, times));
    }

    /// Forgets the faults that still wait.
    pub fn clear_orders(&self) {
        self.platform.faults().clear();
    }

    /// Everything it was asked, in order, but for `/standin/…`.
    #[must_use]
    pub fn requests(&self) -> Vec<Logged> {
        self.platform.log().clone()
    }

    /// How often a token was asked for.
    #[must_use]
    pub fn token_requests(&self) -> usize {
        self.platform.token_requests()
    }

    /// How many TCP connections it accepted.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.platform.connections.load(Ordering::Relaxed)
    }

    /// A refresh token as if that account had signed in, and consented to everything.
    ///
    /// # Panics
    ///
    /// If the setup has no such application or account.
    #[must_use]
    pub fn seed_refresh_token(&self, client_id: &str, account: &str) -> String {
        seed(&self.platform, client_id, account).expect("the setup has this application and this account")
    }

    /// From now on every refresh token issued so far is refused with this code, as 700082 or 50173.
    pub fn revoke_all(&self, aadsts: u32) {
        self.platform.vault().revoke_all(aadsts);
    }

    /// Whether an access token was issued here and has not expired.
    #[must_use]
    pub fn is_valid_access_token(&self, token: &str) -> bool {
        self.platform.vault().valid_access_token(token).is_some()
    }

    /// Whether a refresh token was issued here and not refused since.
    #[must_use]
    pub fn is_valid_refresh_token(&self, token: &str) -> bool {
        self.platform.vault().is_valid_refresh_token(token)
    }

    /// All access tokens, refresh tokens, codes and device codes issued so far, and the code verifiers shown:
    /// what must turn up in no log.
    #[must_use]
    pub fn issued_secrets(&self) -> Vec<String> {
        self.platform.vault().secrets.clone()
    }

    /// Whether a rotated refresh token is refused from then on. Microsoft lets it live.
    pub fn set_single_use_refresh_tokens(&self, on: bool) {
        self.platform.vault().single_use_refresh_tokens = on;
    }
}

impl Drop for Standin {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // Its panic has been printed, and a second one while dropping would abort.
            let _ = thread.join();
        }
    }
}

/// The folder asked for, or a temporary one.
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
