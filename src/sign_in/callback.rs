//! The one-shot HTTP or HTTPS listener for the redirect (RFC 8252, 7.3).
//!
//! Any program on this machine and any page in the browser can send requests to it. It accepts only the redirect that
//! carries our `state`. It rejects every other request and keeps waiting. The checks run in this order: host, path,
//! method, state, error, code.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use oauth2::CsrfToken;
use sha2::{Digest, Sha256};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use super::certificate::Certificate;
use super::page::{self, Page};
use super::paste::InvalidPaste;
use super::port::Port;
use super::redirect::{self, Redirect, RedirectError};
use crate::runtime::{self, Runtime};

/// How long a connection may stay silent. The browser keeps one open while the user reads the certificate warning.
const FIRST_REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// How long the listener waits for the browser to fetch the result page.
const PAGE_TIMEOUT: Duration = Duration::from_secs(3);
/// How many file descriptors must be left when the listener starts: for the browser's connections (at most six to one
/// host), and for the code exchange and the store meanwhile.
const SPARE_DESCRIPTORS: usize = 16;

/// The running listener.
pub(super) struct Callback {
    /// Set by the redirect: the browser then requests the result page. A pasted URL leaves it unset.
    was_visited: Arc<AtomicBool>,
    result_page: watch::Sender<Option<Page>>,
    page_was_shown: Arc<Notify>,
    stop: Arc<Notify>,
    server: thread::JoinHandle<()>,
}

/// The state that all requests share.
struct Shared {
    redirect_path: String,
    /// Random, so that no other program on this machine can request the result page.
    result_path: String,
    state: String,
    redirects: Sender<Result<Redirect, InvalidPaste>>,
    was_visited: Arc<AtomicBool>,
    /// The SHA-256 of the accepted redirect's query.
    accepted: OnceLock<[u8; 32]>,
    result_page: watch::Receiver<Option<Page>>,
    page_was_shown: Arc<Notify>,
}

impl Shared {
    /// Accepts the first redirect, and the same one again: a reload must show the result too. Any other one comes too
    /// late.
    fn is_first_or_repeated(&self, query: &str) -> bool {
        let digest = Sha256::digest(query).into();
        *self.accepted.get_or_init(|| digest) == digest
    }
}

impl Callback {
    /// Starts the listener, with TLS if there is a certificate. It sends each accepted redirect to `redirects`.
    ///
    /// # Errors
    ///
    /// The system has too few file descriptors or threads left.
    pub(super) fn listen(
        port: Port,
        state: &str,
        certificate: Option<Certificate>,
        redirects: Sender<Result<Redirect, InvalidPaste>>,
    ) -> io::Result<Self> {
        let was_visited = Arc::new(AtomicBool::new(false));
        let (result_page, result_page_receiver) = watch::channel(None);
        let page_was_shown = Arc::new(Notify::new());
        let stop = Arc::new(Notify::new());
        let router = Router::new().fallback(handle_request).with_state(Arc::new(Shared {
            redirect_path: port.redirect_uri().url().path().to_owned(),
            result_path: format!("/{}", CsrfToken::new_random().secret()),
            state: state.to_owned(),
            redirects,
            was_visited: Arc::clone(&was_visited),
            accepted: OnceLock::new(),
            result_page: result_page_receiver,
            page_was_shown: Arc::clone(&page_was_shown),
        }));
        let stopped = Arc::clone(&stop);
        let runtime = runtime::with_spare_descriptors(SPARE_DESCRIPTORS)?;
        let serve = move || serve(&runtime, port.listeners, certificate, router, &stopped);
        let server = thread::Builder::new().spawn(serve)?;
        Ok(Self { was_visited, result_page, page_was_shown, stop, server })
    }

    /// Shows the result in the browser, then stops the listener.
    pub(super) fn show(self, result_page: Page) {
        let was_visited = self.was_visited.load(Ordering::SeqCst);
        let shown = async {
            self.result_page.send_replace(Some(result_page));
            if was_visited {
                _ = tokio::time::timeout(PAGE_TIMEOUT, self.page_was_shown.notified()).await;
            }
        };
        if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_time().build() {
            runtime.block_on(shown);
        }
        self.stop.notify_one();
        _ = self.server.join();
    }
}

/// Raises the limit of open files once all descriptors are in use, so that idle connections of other programs do not
/// use up those that the browser's connection needs.
///
/// It is not raised earlier, because child processes inherit it. The browser and the programs that store tokens
/// therefore run with the limit that the user chose, unless another program opens so many connections before they
/// start.
fn raise_descriptor_limit(error: &io::Error) {
    #[cfg(unix)]
    if error.raw_os_error() == Some(rustix::io::Errno::MFILE.raw_os_error()) {
        use rustix::process::{Resource, getrlimit, setrlimit};
        /// macOS accepts no larger soft limit, even if the hard limit is infinite (setrlimit(2) of macOS).
        const OPEN_MAX: u64 = 10_240;
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = limit.maximum.or(Some(OPEN_MAX));
        _ = setrlimit(Resource::Nofile, limit);
    }
    #[cfg(not(unix))]
    let _ = error;
}

fn serve(
    runtime: &Runtime,
    listeners: Vec<TcpListener>,
    certificate: Option<Certificate>,
    router: Router,
    stop: &Notify,
) {
    runtime.block_on(async {
        let handle = Handle::new();
        let mut servers = tokio::task::JoinSet::new();
        for listener in listeners {
            let address = listener.local_addr().map_or_else(|_| "localhost".to_owned(), |address| address.to_string());
            if let Err(error) = spawn(&mut servers, listener, certificate.as_ref(), &router, &handle) {
                log::warn!("cannot serve the redirect URI on {address}: {error}");
            }
        }
        stop.notified().await;
        // No open connection is waiting for the result page any more.
        handle.graceful_shutdown(Some(Duration::from_millis(200)));
        _ = servers.join_all().await;
    });
}

fn spawn(
    servers: &mut JoinSet<io::Result<()>>,
    listener: TcpListener,
    certificate: Option<&Certificate>,
    router: &Router,
    handle: &Handle<SocketAddr>,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let service = router.clone().into_make_service();
    match certificate {
        Some(certificate) => {
            let tls = RustlsConfig::from_config(certificate.configuration());
            let server = axum_server::from_tcp_rustls(listener, tls)?.handle(handle.clone());
            let server = server.accept_error_handler(|_, error| raise_descriptor_limit(error));
            servers.spawn(server.first_request_timeout(FIRST_REQUEST_TIMEOUT).serve(service));
        }
        None => {
            let server = axum_server::from_tcp(listener)?.handle(handle.clone());
            let server = server.accept_error_handler(|_, error| raise_descriptor_limit(error));
            servers.spawn(server.first_request_timeout(FIRST_REQUEST_TIMEOUT).serve(service));
        }
    }
    Ok(())
}

async fn handle_request(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let start = Instant::now();
    let path = request.uri().path().to_owned();
    let response = if !has_loopback_host(&request) {
        reject(StatusCode::MISDIRECTED_REQUEST, "Unexpected Host header.")
    } else if path == shared.result_path {
        show_result_page(&shared).await
    } else if path != shared.redirect_path {
        reject(StatusCode::NOT_FOUND, "There is no page at this path.")
    } else if request.method() != Method::GET {
        reject(StatusCode::METHOD_NOT_ALLOWED, "Only GET is supported here.")
    } else {
        handle_redirect(&shared, request.uri().query().unwrap_or_default())
    };
    let target = if path == shared.redirect_path { "the redirect URI" } else { "another path" };
    log::info!("callback: {} for {target} ({} ms)", response.status(), start.elapsed().as_millis());
    response
}

/// Returns whether the Host header names this machine. In DNS rebinding, another site's name resolves to loopback, but
/// the browser still sends that name. HTTP/1.0 allows requests without the header.
fn has_loopback_host(request: &Request) -> bool {
    let Some(host) = request.headers().get(header::HOST) else { return true };
    let host = host.to_str().unwrap_or_default();
    let name = host.rsplit_once(':').filter(|(_, port)| !port.contains(']')).map_or(host, |(name, _)| name);
    ["localhost", "127.0.0.1", "[::1]"].contains(&name)
}

/// Accepts a redirect with our `state`, and redirects the browser to the result page, whose URL does not contain the
/// code.
fn handle_redirect(shared: &Shared, query: &str) -> Response {
    match redirect::parse(query, &shared.state) {
        Ok(redirect) if shared.is_first_or_repeated(query) => {
            shared.was_visited.store(true, Ordering::SeqCst);
            // Only the first one is read from the channel.
            _ = shared.redirects.send(Ok(redirect));
            let to_result = [(header::LOCATION, shared.result_path.clone())];
            (StatusCode::SEE_OTHER, page::headers(), to_result).into_response()
        }
        Err(RedirectError::NoCode) => reject(StatusCode::BAD_REQUEST, "The redirect contains no authorization code."),
        Err(_) if !redirect::has_state(query) => {
            reject(StatusCode::BAD_REQUEST, "To sign in, open the URL that get-token shows.")
        }
        // The response is the same for each wrong `state`, so that no other program can guess it piece by piece.
        Ok(_) | Err(_) => closing(Page::rejection(
            StatusCode::BAD_REQUEST,
            "Link expired",
            "This link has expired. Start again with get-token.",
        )),
    }
}

async fn show_result_page(shared: &Shared) -> Response {
    let mut result_page = shared.result_page.clone();
    let result_page = result_page.wait_for(Option::is_some).await.map(|result_page| (*result_page).clone());
    shared.page_was_shown.notify_one();
    match result_page.ok().flatten() {
        Some(page) => page.into_response(),
        None => closing(Page::rejection(StatusCode::GONE, "Sign-in ended", "get-token is no longer running.")),
    }
}

fn reject(status: StatusCode, reason: &str) -> Response {
    closing(Page::rejection(status, "Request rejected", reason))
}

/// Returns the response with this page, after which the connection is closed.
fn closing(page: Page) -> Response {
    let close: [(HeaderName, &str); 1] = [(header::CONNECTION, "close")];
    (close, page).into_response()
}
