//! One request, with limits on time, size, redirects and attempts. Whatever comes back that is no answer of the identity platform
//! ends here, and so do refusals: a caller sees tokens or an [`Error`].

use std::future::Future;
use std::sync::OnceLock;
use std::time::Instant;

use oauth2::{AccessToken, HttpRequest, HttpResponse};
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Client, StatusCode, redirect};

use super::refusal;
use super::retry::{self, Attempts, FailedAttempt, Repeatable};
use super::tls::tls_configuration;
use crate::config::Profile;
use crate::error::{Error, ErrorKind, Result};
use crate::sanitize::for_terminal;
use crate::{runtime, signals};

/// A token response is about 6 KB; whoever sends a megabyte is somebody else.
const MAX_RESPONSE_SIZE: usize = 1024 * 1024;

/// The status that refusals come with.
pub(crate) const BAD_REQUEST: StatusCode = StatusCode::BAD_REQUEST;

const USER_AGENT: &str = concat!("m365auth/", env!("CARGO_PKG_VERSION"));

pub(super) struct HttpClient<'a> {
    profile: &'a Profile,
    /// Built when first needed: whoever makes no request pays for no TLS.
    client: OnceLock<Result<Client>>,
}

impl<'a> HttpClient<'a> {
    pub(super) fn new(profile: &'a Profile) -> Self {
        Self { profile, client: OnceLock::new() }
    }

    /// Sends the request, again where that may help, and returns the answer if it is a success.
    pub(super) fn post(&self, request: HttpRequest, repeatable: Repeatable) -> Result<HttpResponse> {
        let client = self.client()?;
        let mut attempts = Attempts::new(self.profile.network_timeout, repeatable);
        let result = self.run_with_timeout(async {
            loop {
                let failure = match send(client, request.clone()).await {
                    Ok(answer) => {
                        let retry_after = retry::retry_after(answer.headers());
                        match success(answer, self.profile) {
                            Ok(answer) => return Ok(answer),
                            Err(error) => FailedAttempt { retry_after, ..FailedAttempt::answered(error) },
                        }
                    }
                    Err(failure) => failure,
                };
                let pause = attempts.delay_after(failure)?;
                log::info!("again in {} ms", pause.as_millis());
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = signals::signalled() => return Err(Error::new(ErrorKind::TryLater, "ended by a signal")),
                }
            }
        })?;
        // What went wrong before the time was over says more than that it was over.
        result.unwrap_or_else(|| Err(attempts.last_error().unwrap_or_else(|| self.timed_out())))
    }

    /// One GET, perhaps with a token.
    pub(super) fn get(&self, address: &str, token: Option<&AccessToken>) -> Result<HttpResponse> {
        let mut request = HttpRequest::new(Vec::new());
        *request.uri_mut() = address.parse().map_err(|_| unexpected_response("its address is none"))?;
        if let Some(token) = token
            && let Ok(mut value) = HeaderValue::from_str(&format!("Bearer {}", token.secret()))
        {
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        self.send_once(request)
    }

    /// Sends the request once, and returns what came back, whatever it says.
    pub(super) fn send_once(&self, request: HttpRequest) -> Result<HttpResponse> {
        let client = self.client()?;
        let result = self.run_with_timeout(async { send(client, request).await.map_err(|failure| failure.error) })?;
        result.unwrap_or_else(|| Err(self.timed_out()))
    }

    pub(super) fn client(&self) -> Result<&Client> {
        self.client.get_or_init(|| self.build_client()).as_ref().map_err(Clone::clone)
    }

    /// Runs a talk to its end, or to the limit, or shortly after a signal: a request may already have changed something
    /// at Microsoft, so the answer gets a last chance. None where the talk did not come to its end.
    fn run_with_timeout<T>(&self, talk: impl Future<Output = T>) -> Result<Option<T>> {
        let runtime = runtime::new().map_err(|error| {
            Error::new(ErrorKind::TryLater, format!("the network cannot be used: {error}"))
                .hint("close some programs or raise the limit of open files (`ulimit -n`), then try again")
        })?;
        let result = runtime.block_on(async {
            tokio::select! {
                result = tokio::time::timeout(self.profile.network_timeout, talk) => result.ok(),
                () = signals::grace_elapsed() => None,
            }
        });
        // A name that is still being looked up must not hold the process.
        runtime.shutdown_background();
        Ok(result)
    }

    fn timed_out(&self) -> Error {
        let seconds = self.profile.network_timeout.as_secs();
        Error::new(ErrorKind::TryLater, format!("Microsoft did not answer within {seconds} seconds"))
            .hint("try again later; a slow network wants a larger network_timeout")
    }

    fn build_client(&self) -> Result<Client> {
        Client::builder()
            .tls_backend_preconfigured(tls_configuration(self.profile)?)
            .redirect(redirect::Policy::none()) // the token endpoint has none; a captive portal does
            .user_agent(USER_AGENT)
            .build()
            .map_err(|error| {
                Error::new(ErrorKind::Configuration, format!("the network cannot be used: {}", root_cause(&error)))
                    .hint("see whether HTTPS_PROXY and ALL_PROXY are addresses")
            })
    }
}

/// An answer that the identity platform does not give.
pub(super) fn unexpected_response(why: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Protocol, format!("what came back is no answer of the Microsoft identity platform: {why}"))
        .hint(
            "nothing was lost; a captive portal (hotel, train) or a proxy may have answered: \
             open a page in a browser, then try again",
        )
}

async fn send(client: &Client, request: HttpRequest) -> Result<HttpResponse, FailedAttempt> {
    let (what, begun) = (format!("{} {}", request.method(), request.uri()), Instant::now());
    let result = send_and_read(client, request).await;
    let outcome = match &result {
        Ok(answer) => answer.status().to_string(),
        Err(failure) => failure.error.to_string(),
    };
    log::info!("{what}: {outcome} ({} ms)", begun.elapsed().as_millis());
    result
}

async fn send_and_read(client: &Client, request: HttpRequest) -> Result<HttpResponse, FailedAttempt> {
    let (head, body) = request.into_parts();
    let request = client.request(head.method, head.uri.to_string()).headers(head.headers).body(body);
    let unanswered = |error| FailedAttempt { was_answered: false, ..unreachable(&error) };
    let mut response = request.send().await.map_err(unanswered)?;
    let status = response.status();
    if status.is_redirection() {
        return Err(FailedAttempt::answered(unexpected_response(format!("a redirect ({status})"))));
    }
    let headers = response.headers().clone();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| unreachable(&error))? {
        if body.len() + chunk.len() > MAX_RESPONSE_SIZE {
            return Err(FailedAttempt::answered(unexpected_response("it is larger than 1 MiB")));
        }
        body.extend_from_slice(&chunk);
    }
    let mut answer = HttpResponse::new(body);
    *answer.status_mut() = status;
    *answer.headers_mut() = headers;
    Ok(answer)
}

/// The answer, unless it is a refusal or none of the identity platform's.
pub(crate) fn success(answer: HttpResponse, profile: &Profile) -> Result<HttpResponse> {
    let status = answer.status();
    if let Some(refusal) = refusal::parse(answer.body()) {
        return Err(refusal::into_error(refusal, status, profile));
    }
    match status {
        StatusCode::OK if serde_json::from_slice::<serde::de::IgnoredAny>(answer.body()).is_err() => {
            Err(unexpected_response("it is no JSON"))
        }
        StatusCode::OK => Ok(answer),
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Err(busy(status)),
        status if status.is_server_error() => Err(busy(status)),
        status => Err(unexpected_response(status)),
    }
}

fn busy(status: StatusCode) -> Error {
    Error::new(ErrorKind::TryLater, format!("Microsoft cannot answer now ({status})"))
        .hint("try again later; the stored token is still good")
}

/// The request did not get through: name, route, TLS, proxy.
fn unreachable(error: &reqwest::Error) -> FailedAttempt {
    let cause = root_cause(error);
    let untrusted = cause.contains("certificate");
    let hint = if cause.contains("expired") || cause.contains("not valid yet") {
        "see whether the clock of this machine is right, such as with `date` and `timedatectl set-ntp true`"
    } else if untrusted {
        "a company's proxy may show its own certificate: name its authority in ca_file or SSL_CERT_FILE"
    } else {
        "see whether the network is up (and the proxy, if HTTPS_PROXY is set), then try again; \
         the stored token is still good"
    };
    let error = Error::new(ErrorKind::TryLater, format!("Microsoft cannot be reached: {cause}")).hint(hint);
    FailedAttempt { is_transient: !untrusted, ..FailedAttempt::answered(error) }
}

/// The innermost error says what happened; the outer ones say that something did, with the address.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    for_terminal(&cause.to_string())
}
