//! What holds for every answer that claims to be the identity platform's.

use std::cell::Cell;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oauth2::{HttpResponse, RefreshToken};
use reqwest::StatusCode;
use reqwest::header::{HeaderValue, RETRY_AFTER};
use serde_json::Value;

use super::retry::{Failure, Repeatable, Tries, retry_after};
use super::{Entra, Tokens, http, id_token as id, into_error, must_be_a_token, refusal};
use crate::config;
use crate::error::{Error, ErrorKind, Result};
use crate::hostile::{must_be_explained, must_be_one_plain_line, must_not_tell};
use crate::store::hostile::must_be_kept;

/// The nonce that the seeds have.
const NONCE: &str = "ourNonce42";
/// What every secret of the seeds holds.
const SECRET: &str = "0.AXoA";

/// Token replies, refusals and device replies. Answers stand one after the other with an empty line between them; each
/// has its status on the first line, perhaps with a `Retry-After`.
pub fn answers(bytes: &[u8]) {
    let mut answers: Vec<HttpResponse> = split(bytes, b"\n\n").into_iter().map(answer).collect();
    answers.truncate(8);
    let entra = Entra::new(config::hostile::profile());
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
                    Ok(tokens) => must_be_tokens(&tokens, nonce),
                    Err(error) => must_be_no_tokens(&error, std::slice::from_ref(answer)),
                }
            }
        }
        Err(error) => {
            must_be_no_tokens(&error, std::slice::from_ref(answer));
            must_end_in_time(error, answer);
        }
    }
}

/// However often and long somebody wants to be asked again.
fn must_end_in_time(error: Error, answer: &HttpResponse) {
    let limit = Duration::from_secs(30);
    let retry_after = retry_after(answer.headers());
    let mut tries = Tries::new(limit, Repeatable::Always);
    let after = tries.after(Failure { retry_after, ..Failure::answered(error) });
    assert!(after.map_or_else(|error| error.next_step().is_some(), |pause| pause < limit));
}

/// As a device code, and as what comes while the person enters it. Every pause is finite, and so is their number.
fn device_answers(entra: &Entra<'_>, answers: &[HttpResponse]) {
    let request = entra.client.exchange_device_code();
    let code = request.request(&|_| http::success(answers[0].clone(), entra.profile)).map_err(into_error);
    let code = match code.and_then(super::DeviceCode::usable) {
        Ok(code) => code,
        Err(error) => return must_be_no_tokens(&error, &answers[..1]),
    };
    must_be_one_plain_line(&code.address());
    must_be_one_plain_line(&code.user_code());
    let (asked, paused) = (Cell::new(0), Cell::new(Duration::ZERO));
    let next = |_| {
        asked.set(asked.get() + 1);
        Ok(answers.get(asked.get()).cloned().unwrap_or_else(|| answer(b"400\n{\"error\":\"expired_token\"}")))
    };
    let tokens = entra.poll(&code, |pause| paused.set(paused.get() + pause), next);
    assert!(asked.get() <= answers.len());
    assert!(paused.get() < Duration::from_secs(60 * 60), "{:?}", paused.get());
    match tokens {
        Ok(tokens) => must_be_tokens(&tokens, None),
        Err(error) => must_be_no_tokens(&error, answers),
    }
}

/// What is accepted can be printed, stored and loaded again; after a sign-in it is known whose it is.
fn must_be_tokens(tokens: &Tokens, nonce: Option<&str>) {
    assert!(nonce.is_none() || tokens.access.account.is_some());
    if let Err(error) = must_be_a_token(&tokens.access.token) {
        must_be_explained(&error, &[ErrorKind::Protocol]);
    }
    if let Some(token) = &tokens.refresh_token {
        must_be_kept(token);
    }
    if let Some(account) = &tokens.access.account {
        must_name_somebody(account);
    }
}

/// Any error may come of them, and none repeats anything but the words of a refusal.
fn must_be_no_tokens(error: &Error, answers: &[HttpResponse]) {
    use ErrorKind::{Configuration, Protocol, SignIn, TryLater};
    must_be_explained(error, &[Configuration, Protocol, SignIn, TryLater]);
    let mut refusals = answers.iter().filter_map(|answer| refusal::parse(answer.body()));
    if !refusals.any(|refusal| format!("{refusal:?}").contains(SECRET)) {
        must_not_tell(error, SECRET);
    }
}

/// The id_token as it comes, and the claims in one.
pub fn id_token(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(bytes));
    for id_token in [&*text, &token] {
        let ours = read(id_token, Some(NONCE));
        if ours.is_ok() {
            assert!(read(id_token, None).is_ok(), "a refresh asks for less");
            assert!(read(id_token, Some("another")).is_err(), "the answer to another sign-in");
        }
    }
    // Claims that nobody reads may hold what only a stricter reader minds.
    if read(&token, Some(NONCE)).is_ok()
        && let Ok(claims) = serde_json::from_slice::<Value>(bytes)
    {
        let (issuer, tenant) = (claims["iss"].as_str(), claims["tid"].as_str());
        assert!(issuer.is_none_or(|issuer| issuer.split('/').any(|part| Some(part) == tenant)));
        assert_eq!((&claims["aud"], &claims["nonce"]), (&config::hostile::CLIENT_ID.into(), &NONCE.into()));
    }
}

fn read(id_token: &str, nonce: Option<&str>) -> Result<id::Account, ()> {
    match id::account(Some(id_token), &config::hostile::profile().client_id, nonce) {
        Ok(account) => {
            let account = account.expect("an id_token that is accepted names an account");
            must_name_somebody(&account);
            Ok(account)
        }
        Err(error) => {
            must_be_explained(&error, &[ErrorKind::Protocol]);
            let ours = ["what came back is no answer", "the answer belongs to another sign-in"];
            assert!(ours.iter().any(|words| error.to_string().starts_with(words)), "{error}");
            Err(())
        }
    }
}

fn must_name_somebody(account: &id::Account) {
    assert!(!account.tenant_id.is_empty() && !account.object_id.is_empty(), "two nobodies would be one account");
    for text in [&account.tenant_id, &account.object_id, &account.name] {
        must_be_one_plain_line(text);
    }
}
