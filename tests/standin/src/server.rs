//! The listener: TLS, HTTP/1.1, the request log, and the faults that break a connection.

use std::convert::Infallible;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::DefaultBodyLimit;
use axum::http::header::{CONTENT_TYPE, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{Request, StatusCode, Uri};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio_rustls::TlsAcceptor;
use tower_service::Service as _;
use url::form_urlencoded;

use crate::outage::Outage;
use crate::platform::{Logged, Platform};
use crate::send_mail::MAX_BODY;
use crate::wire::Wire;
use crate::{authorize, control, device, discovery, parameters, resource, send_mail, token};

/// Number of attempts to find a port that is free on both addresses.
const BIND_ATTEMPTS: usize = 16;

/// Path of the control API, whose requests are not logged.
const CONTROL: &str = "/standin/";

fn router(platform: Arc<Platform>) -> Router {
    Router::new()
        .route("/{tenant}/oauth2/v2.0/authorize", get(authorize::authorize))
        .route("/{tenant}/login", post(authorize::decide))
        .route("/{tenant}/oauth2/v2.0/token", post(token::token).get(token::get))
        .route("/{tenant}/oauth2/v2.0/devicecode", post(device::device_code))
        .route("/devicelogin", get(device::page).post(device::enter))
        .route("/devicelogin/decision", post(device::decide))
        .route("/{tenant}/v2.0/.well-known/openid-configuration", get(discovery::openid_configuration))
        .route("/common/discovery/instance", get(discovery::instance))
        .route("/{tenant}/discovery/v2.0/keys", get(discovery::keys))
        .route("/tokeninfo", get(resource::tokeninfo))
        .merge(graph(Arc::clone(&platform)))
        .layer(DefaultBodyLimit::disable()) // `respond` has a limit of its own
        .nest("/standin", control::router())
        .with_state(platform)
}

fn graph(platform: Arc<Platform>) -> Router<Arc<Platform>> {
    Router::new()
        .route("/v1.0/me", get(resource::me))
        .route("/v1.0/me/calendar", get(resource::calendar))
        .route("/v1.0/me/mailFolders/inbox", get(resource::inbox))
        .route("/v1.0/me/sendMail", post(send_mail::send_mail))
        .route_layer(from_fn_with_state(platform, resource::fault_or_response))
}

/// Binds one port on both loopback addresses, because `localhost` may mean either. IPv6 is optional.
pub(crate) fn bind(port: u16) -> std::io::Result<Vec<TcpListener>> {
    for _ in 0..BIND_ATTEMPTS {
        let v4 = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
        let v6 = TcpListener::bind(SocketAddr::from((Ipv6Addr::LOCALHOST, v4.local_addr()?.port())));
        match v6 {
            Ok(v6) => return Ok(vec![v4, v6]),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse && port == 0 => {}
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => return Err(error),
            Err(_) => return Ok(vec![v4]),
        }
    }
    Err(std::io::ErrorKind::AddrInUse.into())
}

/// Accepts connections until the runtime stops.
pub(crate) async fn accept(
    platform: Arc<Platform>,
    listener: TcpListener,
    tls: TlsAcceptor,
    mut outage: watch::Receiver<Option<Outage>>,
) {
    let router = router(platform.clone());
    let address = listener.local_addr().expect("a bound listener has an address");
    let mut listener = Some(nonblocking(listener));
    let mut silent = Vec::new();
    loop {
        let accepted = async {
            match &listener {
                Some(listener) => listener.accept().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            accepted = accepted => match accepted {
                Ok((stream, _)) => {
                    platform.connections.fetch_add(1, Ordering::Relaxed);
                    if *outage.borrow() == Some(Outage::Silent) {
                        silent.push(stream);
                        continue;
                    }
                    tokio::spawn(connection(platform.clone(), router.clone(), tls.clone(), stream));
                }
                // Out of file descriptors: wait until some are closed.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            changed = outage.changed() => {
                if changed.is_err() {
                    return;
                }
                silent.clear();
                let is_refused = *outage.borrow_and_update() == Some(Outage::Refused);
                listener = match listener.take() {
                    _ if is_refused => None, // the system refuses a connection to a port where nothing listens
                    Some(listener) => Some(listener),
                    None => Some(nonblocking(TcpListener::bind(address).expect("the port is still free"))),
                };
                platform.settle();
            }
        }
    }
}

fn nonblocking(listener: TcpListener) -> tokio::net::TcpListener {
    listener.set_nonblocking(true).expect("a listener can be switched to nonblocking");
    tokio::net::TcpListener::from_std(listener).expect("tokio accepts a nonblocking listener")
}

async fn connection(platform: Arc<Platform>, router: Router, tls: TlsAcceptor, stream: TcpStream) {
    // Otherwise a small response waits for the acknowledgement of the previous one. An error only makes it slower.
    let _ = stream.set_nodelay(true);
    let Ok(stream) = tls.accept(stream).await else {
        return;
    };
    let (sender, mut faulty) = mpsc::channel(1);
    let service = service_fn(|request| Box::pin(respond(platform.clone(), router.clone(), sender.clone(), request)));
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        // An error means that the client went away or did not speak HTTP.
        _ = &mut connection => {}
        Some((wire, response)) = faulty.recv() => {
            let stream = connection.into_parts().io.into_inner();
            Wire::execute(wire, response, stream).await;
        }
    }
}

async fn respond(
    platform: Arc<Platform>,
    mut router: Router,
    sender: mpsc::Sender<(Wire, Response)>,
    request: Request<Incoming>,
) -> Result<Response, Infallible> {
    let (mut parts, body) = request.into_parts();
    let Ok(body) = Limited::new(body, MAX_BODY).collect().await else {
        return Ok(StatusCode::PAYLOAD_TOO_LARGE.into_response());
    };
    let body = body.to_bytes();
    let entry = log(&platform, &parts, &body);
    parts.uri = without_empty_segments(&parts.uri);
    let mut response = router.call(Request::from_parts(parts, Body::from(body))).await?;
    let wire = response.extensions_mut().remove::<Wire>();
    if let Some(entry) = entry
        && !matches!(wire, Some(Wire::Hang | Wire::Reset | Wire::Closed))
    {
        platform.log()[entry].status = response.status().as_u16();
    }
    let Some(wire) = wire else {
        return Ok(response);
    };
    // `connection` receives the response, and drops this future.
    let _ = sender.send((wire, response)).await;
    std::future::pending().await
}

/// Removes empty path segments, as Microsoft does: MSAL requests `/common//v2.0/…` if the authority ends with a
/// slash.
fn without_empty_segments(uri: &Uri) -> Uri {
    let mut path = uri.path().to_owned();
    while path.contains("//") {
        path = path.replace("//", "/");
    }
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    format!("{path}{query}").parse().unwrap_or_else(|_| uri.clone())
}

/// Logs a request and returns the index of its entry.
fn log(platform: &Platform, parts: &Parts, body: &[u8]) -> Option<usize> {
    let path = parts.uri.path();
    if path.starts_with(CONTROL) {
        return None;
    }
    let header = |name| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(ToOwned::to_owned);
    let form = if parameters::is_form(&parts.headers) { body } else { b"" };
    let query = parts.uri.query().unwrap_or_default().as_bytes();
    let entry = Logged {
        method: parts.method.to_string(),
        path: path.to_owned(),
        parameters: [query, form]
            .into_iter()
            .flat_map(|encoded| form_urlencoded::parse(encoded).into_owned())
            .collect(),
        user_agent: header(USER_AGENT),
        content_type: header(CONTENT_TYPE),
        status: 0,
    };
    let mut log = platform.log();
    log.push(entry);
    Some(log.len() - 1)
}
