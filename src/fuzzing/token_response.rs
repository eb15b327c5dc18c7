//! The target `token_response`: responses of the token endpoint and the device code endpoint.

use std::cell::Cell;
use std::time::Duration;

use oauth2::{HttpResponse, RefreshToken};
use reqwest::StatusCode;
use reqwest::header::{HeaderValue, RETRY_AFTER};

use super::id_token::{NONCE, NOW, assert_names_account};
use super::keychain_blob::assert_stored_intact;
use super::{assert_explained, assert_not_leaked, assert_one_plain_line, configuration};
use crate::entra::retry::{Attempts, FailedAttempt, retry_after};
use crate::entra::{DeviceCode, Entra, Flow, Tokens, ensure_well_formed, http, into_error, refusal};
use crate::error::{Error, ErrorKind};
use crate::patience::Patience;

/// The start of every secret in the seeds.
const SECRET: &str = "0.AXoA";

/// Token responses, error responses and device code responses, separated by empty lines. The first line of each is the
/// status, followed by the value of `Retry-After` if there is one.
pub fn token_response(bytes: &[u8]) {
    let mut responses: Vec<HttpResponse> = split(bytes, b"\n\n").into_iter().map(response).collect();
    responses.truncate(8);
    let entra = Entra::new(configuration::profile(), Patience::Full, None);
    check_token_response(&entra, &responses[0]);
    check_device_flow(&entra, &responses);
}

fn response(text: &[u8]) -> HttpResponse {
    let (status, body) = match text.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&text[..end], &text[end + 1..]),
        None => (&b""[..], text),
    };
    let (status, retry_after) = status.split_at(status.len().min(3));
    let mut response = HttpResponse::new(body.to_vec());
    *response.status_mut() = StatusCode::from_bytes(status).unwrap_or_default();
    if let Ok(value) = HeaderValue::from_bytes(retry_after) {
        response.headers_mut().insert(RETRY_AFTER, value);
    }
    response
}

fn split<'a>(mut bytes: &'a [u8], separator: &[u8]) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    while let Some(end) = bytes.windows(separator.len()).position(|window| window == separator) {
        parts.push(&bytes[..end]);
        bytes = &bytes[end + separator.len()..];
    }
    parts.push(bytes);
    parts
}

/// Checks a response to the code exchange of a sign-in, and to a refresh.
fn check_token_response(entra: &Entra<'_>, response: &HttpResponse) {
    let refresh_token = RefreshToken::new("0.old".to_owned());
    let request = entra.client.exchange_refresh_token(&refresh_token);
    match request.request(&|_| http::success(response.clone(), entra.profile, Flow::Refresh)).map_err(into_error) {
        Ok(received) => {
            for (flow, nonce) in
                [(Flow::AuthorizationCode, Some(NONCE)), (Flow::DeviceCode, None), (Flow::Refresh, None)]
            {
                match entra.tokens(received.clone(), flow, nonce, NOW) {
                    Ok(tokens) => assert_valid_tokens(&tokens, flow),
                    Err(error) => assert_failed(&error, std::slice::from_ref(response)),
                }
            }
        }
        Err(error) => {
            assert_failed(&error, std::slice::from_ref(response));
            assert_retries_end(error, response);
        }
    }
}

/// Retries end within the limit, whatever `Retry-After` says.
fn assert_retries_end(error: Error, response: &HttpResponse) {
    let limit = Duration::from_secs(30);
    let retry_after = retry_after(response.headers());
    let mut attempts = Attempts::new(limit, Flow::Refresh);
    let after = attempts.delay_after(FailedAttempt { retry_after, ..FailedAttempt::answered(error) });
    assert!(after.map_or_else(|error| error.next_step().is_some(), |pause| pause < limit));
}

/// Checks the device flow: the first response is the device code, the others answer the polling. Polling ends after
/// finitely many finite pauses.
fn check_device_flow(entra: &Entra<'_>, responses: &[HttpResponse]) {
    let request = entra.client.exchange_device_code();
    let code =
        request.request(&|_| http::success(responses[0].clone(), entra.profile, Flow::DeviceCode)).map_err(into_error);
    let code = match code.and_then(DeviceCode::validate) {
        Ok(code) => code,
        Err(error) => return assert_failed(&error, &responses[..1]),
    };
    assert_one_plain_line(&code.address());
    assert_one_plain_line(&code.user_code());
    let (polled, paused) = (Cell::new(0), Cell::new(Duration::ZERO));
    let next = |_| {
        polled.set(polled.get() + 1);
        let expired = || response(b"400\n{\"error\":\"expired_token\"}");
        Ok(responses.get(polled.get()).cloned().unwrap_or_else(expired))
    };
    let tokens = entra.poll(&code, |pause| paused.set(paused.get() + pause), next);
    assert!(polled.get() <= responses.len());
    assert!(paused.get() < Duration::from_secs(60 * 60), "{:?}", paused.get());
    match tokens {
        Ok(tokens) => assert_valid_tokens(&tokens, Flow::DeviceCode),
        Err(error) => assert_failed(&error, responses),
    }
}

/// Accepted tokens can be printed, stored and loaded again. After a sign-in, the account is known.
fn assert_valid_tokens(tokens: &Tokens, flow: Flow) {
    assert!(flow == Flow::Refresh || tokens.access.account.is_some());
    if let Err(error) = ensure_well_formed(&tokens.access.token) {
        assert_explained(&error, &[ErrorKind::Protocol]);
    }
    if let Some(token) = &tokens.refresh_token {
        assert_stored_intact(token);
    }
    tokens.named_account().into_iter().for_each(assert_names_account);
}

/// The error is explained, and repeats nothing of the responses except the texts of an error response.
fn assert_failed(error: &Error, responses: &[HttpResponse]) {
    use ErrorKind::{Configuration, Protocol, SignIn, TryLater};
    assert_explained(error, &[Configuration, Protocol, SignIn, TryLater]);
    let mut refusals = responses.iter().filter_map(|response| refusal::parse(response.body()));
    if !refusals.any(|refusal| format!("{refusal:?}").contains(SECRET)) {
        assert_not_leaked(error, SECRET);
    }
}
