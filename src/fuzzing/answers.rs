//! The target `answers`: responses of the token and device code endpoints.

use std::cell::Cell;
use std::time::Duration;

use oauth2::{HttpResponse, RefreshToken};
use reqwest::StatusCode;
use reqwest::header::{HeaderValue, RETRY_AFTER};

use super::id_token::{NONCE, assert_names_account};
use super::keychain_blob::assert_stored_intact;
use super::{assert_explained, assert_not_leaked, assert_one_plain_line, configuration};
use crate::entra::retry::{Attempts, FailedAttempt, Repeatable, retry_after};
use crate::entra::{DeviceCode, Entra, Tokens, ensure_well_formed, http, into_error, refusal};
use crate::error::{Error, ErrorKind};

/// What every secret of the seeds holds.
const SECRET: &str = "0.AXoA";

/// Token replies, refusals and device replies. Answers stand one after the other with an empty line between them; each
/// has its status on the first line, perhaps with a `Retry-After`.
pub fn answers(bytes: &[u8]) {
    let mut answers: Vec<HttpResponse> = split(bytes, b"\n\n").into_iter().map(answer).collect();
    answers.truncate(8);
    let entra = Entra::new(configuration::profile());
    token_answer(&entra, &answers[0]);
    device_answers(&entra, &answers);
}

fn answer(text: &[u8]) -> HttpResponse {
    let (status, body) = match text.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&text[..end], &text[end + 1..]),
        None => (&b""[..], text),
    };
    let (status, retry_after) = status.split_at(status.len().min(3));
    let mut answer = HttpResponse::new(body.to_vec());
    *answer.status_mut() = StatusCode::from_bytes(status).unwrap_or_default();
    if let Ok(value) = HeaderValue::from_bytes(retry_after) {
        answer.headers_mut().insert(RETRY_AFTER, value);
    }
    answer
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

/// As the answer to a sign-in, and as that to a refresh.
fn token_answer(entra: &Entra<'_>, answer: &HttpResponse) {
    let sent = RefreshToken::new("0.old".to_owned());
    let request = entra.client.exchange_refresh_token(&sent);
    match request.request(&|_| http::success(answer.clone(), entra.profile)).map_err(into_error) {
        Ok(received) => {
            for nonce in [Some(NONCE), None] {
                match entra.tokens(received.clone(), nonce) {
                    Ok(tokens) => assert_valid_tokens(&tokens, nonce),
                    Err(error) => assert_failed(&error, std::slice::from_ref(answer)),
                }
            }
        }
        Err(error) => {
            assert_failed(&error, std::slice::from_ref(answer));
            assert_retries_end(error, answer);
        }
    }
}

/// However often and long somebody wants to be asked again.
fn assert_retries_end(error: Error, answer: &HttpResponse) {
    let limit = Duration::from_secs(30);
    let retry_after = retry_after(answer.headers());
    let mut attempts = Attempts::new(limit, Repeatable::Always);
    let after = attempts.delay_after(FailedAttempt { retry_after, ..FailedAttempt::answered(error) });
    assert!(after.map_or_else(|error| error.next_step().is_some(), |pause| pause < limit));
}

/// As a device code, and as what comes while the person enters it. Every pause is finite, and so is their number.
fn device_answers(entra: &Entra<'_>, answers: &[HttpResponse]) {
    let request = entra.client.exchange_device_code();
    let code = request.request(&|_| http::success(answers[0].clone(), entra.profile)).map_err(into_error);
    let code = match code.and_then(DeviceCode::validate) {
        Ok(code) => code,
        Err(error) => return assert_failed(&error, &answers[..1]),
    };
    assert_one_plain_line(&code.address());
    assert_one_plain_line(&code.user_code());
    let (asked, paused) = (Cell::new(0), Cell::new(Duration::ZERO));
    let next = |_| {
        asked.set(asked.get() + 1);
        Ok(answers.get(asked.get()).cloned().unwrap_or_else(|| answer(b"400\n{\"error\":\"expired_token\"}")))
    };
    let tokens = entra.poll(&code, |pause| paused.set(paused.get() + pause), next);
    assert!(asked.get() <= answers.len());
    assert!(paused.get() < Duration::from_secs(60 * 60), "{:?}", paused.get());
    match tokens {
        Ok(tokens) => assert_valid_tokens(&tokens, None),
        Err(error) => assert_failed(&error, answers),
    }
}

/// What is accepted can be printed, stored and loaded again; after a sign-in it is known whose it is.
fn assert_valid_tokens(tokens: &Tokens, nonce: Option<&str>) {
    assert!(nonce.is_none() || tokens.access.account.is_some());
    if let Err(error) = ensure_well_formed(&tokens.access.token) {
        assert_explained(&error, &[ErrorKind::Protocol]);
    }
    if let Some(token) = &tokens.refresh_token {
        assert_stored_intact(token);
    }
    if let Some(account) = &tokens.access.account {
        assert_names_account(account);
    }
}

/// Any error may come of them, and none repeats anything but the words of a refusal.
fn assert_failed(error: &Error, answers: &[HttpResponse]) {
    use ErrorKind::{Configuration, Protocol, SignIn, TryLater};
    assert_explained(error, &[Configuration, Protocol, SignIn, TryLater]);
    let mut refusals = answers.iter().filter_map(|answer| refusal::parse(answer.body()));
    if !refusals.any(|refusal| format!("{refusal:?}").contains(SECRET)) {
        assert_not_leaked(error, SECRET);
    }
}
