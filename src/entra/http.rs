//! HTTP requests with limits on time, size, redirects and attempts. Error responses, and responses that did not come
//! from the identity platform, become an [`Error`] here.

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use oauth2::{HttpRequest, HttpResponse};
use reqwest::header::{AUTHORIZATION, DATE, HeaderValue};
use reqwest::{Client, Proxy, StatusCode, redirect};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use url::Url;

use super::client_authentication::ClientAuthentication;
use super::dns::SystemLookup;
use super::retry::{self, Attempts, FailedAttempt};
use super::tls::tls_configuration;
use super::{Flow, network_error, proxy, proxy_for, refusal};
use crate::config::Profile;
use crate::error::{Cause, Error, ErrorKind, Result};
use crate::patience::Patience;
use crate::runtime::{self, MORE_RESOURCES};
use crate::sanitize::for_terminal;
use crate::signals;
use crate::token::AccessToken;
use crate::unix_time::now;

/// In bytes. A token response has about 6 KB, so a larger one did not come from Microsoft.
const MAX_RESPONSE_SIZE: usize = 1024 * 1024;

/// The status of most error responses.
pub(crate) const BAD_REQUEST: StatusCode = StatusCode::BAD_REQUEST;

const USER_AGENT: &str = concat!("m365auth/", env!("CARGO_PKG_VERSION"));

/// The HTTP client of one profile.
pub(super) struct HttpClient<'a> {
    profile: &'a Profile,
    patience: Patience,
    /// Prepared by the first request that needs it.
    authentication: OnceLock<Result<ClientAuthentication>>,
    /// Built on first use, because loading the certificate authorities takes milliseconds.
    client: OnceLock<Result<Client>>,
    lookup: Arc<SystemLookup>,
}

impl<'a> HttpClient<'a> {
    pub(super) fn new(profile: &'a Profile, patience: Patience) -> Self {
        Self { profile, patience, authentication: OnceLock::new(), client: OnceLock::new(), lookup: Arc::default() }
    }

    /// Prepares a request to this host.
    pub(super) fn warm_up(&self, url: &Url) {
        // A proxy looks up the host itself.
        if let (Some(host), Ok(None)) = (url.domain(), proxy_for(url)) {
            self.lookup.start_ahead(host);
        }
        _ = self.client();
    }

    /// Sends the request with the client's credential, retries transient failures if there is patience, and returns the
    /// response if it is a success.
    pub(super) fn post(&self, request: HttpRequest, flow: Flow) -> Result<HttpResponse> {
        let client = self.client()?;
        let authentication = self.authentication()?;
        let (host, destination, limit) = (host(&request), destination(&request), self.timeout());
        let mut attempts = Attempts::new(self.profile.network_timeout, flow);
        let result = self.run_with_timeout(&host, limit, async {
            loop {
                let attempt = authentication.add_to(request.clone(), self.profile)?;
                let failure = match self.send(client, attempt).await {
                    Ok(response) => {
                        let retry_after = retry::retry_after(response.headers());
                        match success(response, self.profile, flow) {
                            Ok(response) => return Ok(response),
                            Err(error) => FailedAttempt { retry_after, ..FailedAttempt::answered(error) },
                        }
                    }
                    Err(failure) => failure,
                };
                if !self.patience.is_full() {
                    return Err(failure.into_error());
                }
                let pause = attempts.delay_after(failure)?;
                log::info!("retrying in {} ms", pause.as_millis());
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = signals::signalled() => return Err(interrupted(&host)),
                }
            }
        })?;
        // The error of the last attempt is more specific than a timeout.
        result.unwrap_or_else(|| Err(attempts.last_error().unwrap_or_else(|| self.timed_out(&destination, limit))))
    }

    /// Sends the request once with the client's credential, and returns the response, whether or not it is a success.
    pub(super) fn post_once(&self, request: HttpRequest) -> Result<HttpResponse> {
        self.send_once(self.authentication()?.add_to(request, self.profile)?)
    }

    fn authentication(&self) -> Result<&ClientAuthentication> {
        let prepare = || ClientAuthentication::of(self.profile, self.patience);
        self.authentication.get_or_init(prepare).as_ref().map_err(Clone::clone)
    }

    /// Sends one GET request, with a bearer token if there is one.
    pub(super) fn get(&self, url: &str, token: Option<&AccessToken>) -> Result<HttpResponse> {
        let mut request = HttpRequest::new(Vec::new());
        *request.uri_mut() = url.parse().map_err(|_| {
            Error::new(ErrorKind::Protocol, format!("{} is not a valid URL", for_terminal(url)))
                .hint(format!("check the hosts in {}", self.profile.file.display()))
        })?;
        if let Some(token) = token
            && let Ok(mut value) = HeaderValue::from_str(&format!("Bearer {}", token.secret()))
        {
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        self.send_once(request)
    }

    fn send_once(&self, request: HttpRequest) -> Result<HttpResponse> {
        let client = self.client()?;
        let (host, destination, limit) = (host(&request), destination(&request), self.timeout());
        let send = async { self.send(client, request).await.map_err(|failure| failure.error) };
        self.run_with_timeout(&host, limit, send)?.unwrap_or_else(|| Err(self.timed_out(&destination, limit)))
    }

    pub(super) fn client(&self) -> Result<&Client> {
        self.client.get_or_init(|| self.build_client()).as_ref().map_err(Clone::clone)
    }

    /// Runs a request until it completes, the time is up, or the grace period after a signal has elapsed: Microsoft may
    /// already have rotated the refresh token, so the response gets a last chance. Returns `None` unless it completed.
    fn run_with_timeout<T>(&self, host: &str, limit: Duration, request: impl Future<Output = T>) -> Result<Option<T>> {
        let runtime = runtime::new().map_err(|error| {
            Error::new(ErrorKind::TryLater, format!("cannot connect to {host}: {error}")).hint(MORE_RESOURCES)
        })?;
        let result = runtime.block_on(async {
            tokio::select! {
                result = tokio::time::timeout(limit, request) => result.ok(),
                () = signals::grace_elapsed() => None,
            }
        });
        Ok(result)
    }

    fn timeout(&self) -> Duration {
        self.patience.limit(self.profile.network_timeout)
    }

    fn timed_out(&self, destination: &str, limit: Duration) -> Error {
        if signals::is_pending() {
            return interrupted(destination);
        }
        let seconds = limit.as_secs_f32().ceil();
        if !self.patience.is_full() {
            return Error::new(ErrorKind::TryLater, format!("{destination} did not respond within {seconds} s"))
                .with_cause(Cause::Timeout);
        }
        Error::new(ErrorKind::TryLater, format!("the request to {destination} timed out after {seconds} s")).hint(
            format!("try again later; on a slow network, increase network_timeout in {}", self.profile.file.display()),
        )
    }

    fn build_client(&self) -> Result<Client> {
        let mut client = Client::builder()
            .tls_backend_preconfigured(tls_configuration(self.profile)?)
            .redirect(redirect::Policy::none()) // only a captive portal redirects the token endpoint
            .dns_resolver(Arc::clone(&self.lookup))
            .user_agent(USER_AGENT);
        // Without a variable, the client reads the system's settings on macOS and Windows.
        if proxy::is_set() {
            client = client.proxy(Proxy::custom(|url| Some(proxy_for(url).ok()??.url)));
        }
        client.build().map_err(|error| {
            Error::new(ErrorKind::Defect, format!("cannot set up the HTTP client: {error}"))
                .hint("report this bug with the output of the same command and -v")
        })
    }

    /// Sends one request and logs how it ended.
    async fn send(&self, client: &Client, request: HttpRequest) -> Result<HttpResponse, FailedAttempt> {
        let (what, begun) = (format!("{} {}", request.method(), request.uri()), Instant::now());
        let result = self.send_and_read(client, request).await;
        let outcome = match &result {
            Ok(response) => response.status().to_string(),
            Err(failure) => failure.error.to_string(),
        };
        log::info!("{what}: {outcome} ({} ms)", begun.elapsed().as_millis());
        result
    }

    async fn send_and_read(&self, client: &Client, request: HttpRequest) -> Result<HttpResponse, FailedAttempt> {
        let host = host(&request);
        let proxy = proxy_of(&request).map_err(FailedAttempt::answered)?;
        let (head, body) = request.into_parts();
        let request = client.request(head.method, head.uri.to_string()).headers(head.headers).body(body);
        let mut response = match request.send().await {
            Ok(response) => response,
            Err(error) => return Err(network_error::no_response(self.profile, &host, proxy.as_ref(), &error).await),
        };
        let status = response.status();
        if status.is_redirection() {
            let why = format!("{host} sent a redirect ({status})");
            return Err(FailedAttempt::answered(unexpected_response(why)));
        }
        let headers = response.headers().clone();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| network_error::cut_off(&host, &error))? {
            if body.len() + chunk.len() > MAX_RESPONSE_SIZE {
                let why = format!("{host} sent more than 1 MiB");
                return Err(FailedAttempt::answered(unexpected_response(why)));
            }
            body.extend_from_slice(&chunk);
        }
        let mut response = HttpResponse::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }
}

/// Returns the proxy of a request, if the environment names one.
fn proxy_of(request: &HttpRequest) -> Result<Option<proxy::Proxy>> {
    Url::parse(&request.uri().to_string()).map_or(Ok(None), |url| proxy_for(&url))
}

/// The host of a request, with its port unless it is the default.
fn host(request: &HttpRequest) -> String {
    request.uri().authority().map_or_else(String::new, |authority| for_terminal(authority.as_str()))
}

/// The host of a request, and the proxy on the way to it.
fn destination(request: &HttpRequest) -> String {
    let proxy = proxy_of(request).ok().flatten();
    format!("{}{}", host(request), network_error::through(proxy.as_ref()))
}

fn interrupted(host: &str) -> Error {
    Error::new(ErrorKind::TryLater, format!("the request to {host} was interrupted by a signal"))
}

/// The error for a response that the identity platform does not send.
pub(super) fn unexpected_response(why: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Protocol, format!("unexpected response (not from Microsoft?): {why}")).hint(
        "a captive portal (hotel, train) or a proxy may have answered: open any website in a browser, then try again",
    )
}

/// Returns the response if it is a success. Error responses, and responses that are not JSON, become an error.
pub(crate) fn success(response: HttpResponse, profile: &Profile, flow: Flow) -> Result<HttpResponse> {
    let status = response.status();
    if let Some(refusal) = refusal::parse(response.body()) {
        return Err(refusal::into_error(refusal, status, profile, flow));
    }
    let url = profile.authority.endpoint("");
    let host = url.authority();
    match status {
        StatusCode::OK if serde_json::from_slice::<serde::de::IgnoredAny>(response.body()).is_err() => {
            Err(unexpected_response(format!("{host} sent something that is not JSON")))
        }
        StatusCode::OK => Ok(response),
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Err(busy(host, status)),
        status if status.is_server_error() => Err(busy(host, status)),
        status => Err(unexpected_response(format!("{host} answered {status}"))),
    }
}

/// The error for a server that cannot answer at this time.
pub(super) fn busy(host: &str, status: StatusCode) -> Error {
    Error::new(ErrorKind::TryLater, format!("{host} is temporarily unavailable ({status})")).hint("try again later")
}

/// Returns the server's time in seconds since 1970: the `Date` of the response (RFC 9110, 6.6.1), or else our own.
pub(crate) fn time_of(response: &HttpResponse) -> u64 {
    let date = response.headers().get(DATE).and_then(|date| date.to_str().ok());
    let date = date.and_then(|date| OffsetDateTime::parse(date, &Rfc2822).ok());
    date.and_then(|date| u64::try_from(date.unix_timestamp()).ok()).unwrap_or_else(now)
}
