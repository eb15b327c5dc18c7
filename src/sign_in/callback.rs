//! The one-shot listener that the browser comes back to (RFC 8252, 7.3), over HTTPS or, on localhost, over HTTP.
//!
//! It may be asked by anybody on this machine and by any page in the browser. It takes only the redirect that carries
//! our `state`; everything else gets a short refusal, and it goes on waiting. The order of the checks is: host, path,
//! method, state, error, code.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use oauth2::CsrfToken;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use super::certificate::Certificate;
use super::page;
use super::port::Port;
use super::redirect::{self, Redirect, RedirectError};
use crate::error::Result;
use crate::runtime;

/// For a client to say something: long enough for a person who reads the browser's warning on an open connection.
const FIRST_REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// For the browser to fetch the page that says how it went, once that is known.
const PAGE_TIMEOUT: Duration = Duration::from_secs(3);

/// How the sign-in went: the account's name, or what happened instead.
pub(super) type ResultPage = Result<String, Failed>;

#[derive(Clone)]
pub(super) struct Failed {
    pub(super) why: String,
    /// What Microsoft's support asks for, or nothing.
    pub(super) reference: String,
}

pub(super) struct Callback {
    /// Whether the browser was here, and may want the last page.
    was_visited: Arc<AtomicBool>,
    result_page: watch::Sender<Option<ResultPage>>,
    page_was_shown: Arc<Notify>,
    stop: Arc<Notify>,
    server: thread::JoinHandle<()>,
}

struct Shared {
    redirect_path: String,
    /// Random, so that nobody else on this machine can ask how it went.
    page_path: String,
    state: String,
    redirects: Sender<Result<Redirect>>,
    was_visited: Arc<AtomicBool>,
    result_page: watch::Receiver<Option<ResultPage>>,
    page_was_shown: Arc<Notify>,
}

impl Callback {
    /// Answers on the port, over TLS if there is a certificate, and sends on what the browser brings back.
    pub(super) fn listen(
        port: Port,
        state: &str,
        certificate: Option<Certificate>,
        redirects: Sender<Result<Redirect>>,
    ) -> Self {
        let was_visited = Arc::new(AtomicBool::new(false));
        let (result_page, result_page_receiver) = watch::channel(None);
        let page_was_shown = Arc::new(Notify::new());
        let stop = Arc::new(Notify::new());
        let router = Router::new().fallback(answer).with_state(Arc::new(Shared {
            redirect_path: port.redirect_uri().url().path().to_owned(),
            page_path: format!("/{}", CsrfToken::new_random().secret()),
            state: state.to_owned(),
            redirects,
            was_visited: Arc::clone(&was_visited),
            result_page: result_page_receiver,
            page_was_shown: Arc::clone(&page_was_shown),
        }));
        let stopped = Arc::clone(&stop);
        let server = thread::spawn(move || serve(port.listeners, certificate, router, &stopped));
        Self { was_visited, result_page, page_was_shown, stop, server }
    }

    /// Lets the browser show how it went, and ends.
    pub(super) fn show(self, result_page: ResultPage) {
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

/// Whoever on this machine opens connections and says nothing must not take the last descriptor from the browser.
fn raise_descriptor_limit() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit, setrlimit};
        /// macOS takes no larger one, though its hard limit be infinite (setrlimit(2) there).
        const OPEN_MAX: u64 = 10_240;
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = limit.maximum.or(Some(OPEN_MAX));
        _ = setrlimit(Resource::Nofile, limit);
    }
}

fn serve(listeners: Vec<TcpListener>, certificate: Option<Certificate>, router: Router, stop: &Notify) {
    let Ok(runtime) = runtime::new() else { return };
    raise_descriptor_limit();
    runtime.block_on(async {
        let handle = Handle::new();
        let mut servers = tokio::task::JoinSet::new();
        for listener in listeners {
            if let Err(error) = spawn(&mut servers, listener, certificate.as_ref(), &router, &handle) {
                log::warn!("the callback cannot listen: {error}");
            }
        }
        stop.notified().await;
        // Whoever still holds a connection after the page was shown is no browser that waits for it.
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
            servers.spawn(server.first_request_timeout(FIRST_REQUEST_TIMEOUT).serve(service));
        }
        None => {
            let server = axum_server::from_tcp(listener)?.handle(handle.clone());
            servers.spawn(server.first_request_timeout(FIRST_REQUEST_TIMEOUT).serve(service));
        }
    }
    Ok(())
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let begun = Instant::now();
    let path = request.uri().path().to_owned();
    let response = if !has_loopback_host(&request) {
        refuse(StatusCode::MISDIRECTED_REQUEST, "This is no page of that site.")
    } else if path == shared.page_path {
        show_result_page(&shared).await
    } else if path != shared.redirect_path {
        refuse(StatusCode::NOT_FOUND, "There is nothing here.")
    } else if request.method() != Method::GET {
        refuse(StatusCode::METHOD_NOT_ALLOWED, "This address is for the browser's return alone.")
    } else {
        take(&shared, request.uri().query().unwrap_or_default())
    };
    let what = if path == shared.redirect_path { "redirect" } else { "page" };
    log::info!("callback: {} for a {what} ({} ms)", response.status(), begun.elapsed().as_millis());
    response
}

/// A page whose name was made to lead here asks for its own host (DNS rebinding). HTTP/1.0 may name none.
fn has_loopback_host(request: &Request) -> bool {
    let Some(host) = request.headers().get(header::HOST) else { return true };
    let host = host.to_str().unwrap_or_default();
    let name = host.rsplit_once(':').filter(|(_, port)| !port.contains(']')).map_or(host, |(name, _)| name);
    ["localhost", "127.0.0.1", "[::1]"].contains(&name)
}

/// Takes the redirect that is ours, and sends the browser on to an address without the code.
fn take(shared: &Shared, query: &str) -> Response {
    match redirect::parse(query, &shared.state) {
        Ok(redirect) => {
            shared.was_visited.store(true, Ordering::SeqCst);
            // A reload brings the same again; the first was taken, and nobody asks for the second.
            _ = shared.redirects.send(Ok(redirect));
            let to_page = [(header::LOCATION, shared.page_path.clone())];
            (StatusCode::SEE_OTHER, page::headers(), to_page).into_response()
        }
        Err(RedirectError::NoCode) => refuse(StatusCode::BAD_REQUEST, "This address has no code in it."),
        Err(_) => refuse(
            StatusCode::BAD_REQUEST,
            "This is not the sign-in that get-token waits for. Please use the address that it shows now.",
        ),
    }
}

async fn show_result_page(shared: &Shared) -> Response {
    let mut result_page = shared.result_page.clone();
    let result_page = result_page.wait_for(Option::is_some).await.map(|result_page| (*result_page).clone());
    shared.page_was_shown.notify_one();
    match result_page.ok().flatten() {
        Some(Ok(account)) => page::success(&account),
        Some(Err(Failed { why, reference })) => {
            page::failure(StatusCode::OK, "You are not signed in", &why, &reference)
        }
        None => refuse(StatusCode::GONE, "get-token has ended."),
    }
}

fn refuse(status: StatusCode, why: &str) -> Response {
    let close: [(HeaderName, &str); 1] = [(header::CONNECTION, "close")];
    (close, page::failure(status, "Not here", why, "")).into_response()
}
