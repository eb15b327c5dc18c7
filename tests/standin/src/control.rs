//! `/standin/…`: the control API, for tests that are not written in Rust.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::fault::Fault;
use crate::platform::{Logged, Platform, Shared};
use crate::{ADA, PUBLIC_CLIENT_ID, seed};

pub(crate) fn router() -> Router<Arc<Platform>> {
    Router::new()
        .route("/faults", post(inject).delete(clear))
        .route("/requests", get(requests))
        .route("/counts", get(counts))
        .route("/secrets", get(secrets))
        .route("/valid", get(valid))
        .route("/refresh-token", post(seed_refresh_token))
        .route("/revoke", post(revoke))
        .route("/single-use", post(single_use))
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Faults {
    One(Fault),
    Several(Vec<Fault>),
}

/// POST `/faults`: injects a fault or a list of faults, given as JSON. `?times=N` repeats it.
async fn inject(State(platform): Shared, RawQuery(query): RawQuery, body: Bytes) -> Response {
    let faults = match serde_json::from_slice(&body) {
        Ok(Faults::One(fault)) => vec![fault],
        Ok(Faults::Several(faults)) => faults,
        Err(_) => return (StatusCode::BAD_REQUEST, "the body is not a fault or a list of faults\n").into_response(),
    };
    let Ok(times) = value(query.as_deref(), b"", "times").unwrap_or("1".into()).parse() else {
        return (StatusCode::BAD_REQUEST, "times is not a number\n").into_response();
    };
    let mut queue = platform.faults();
    for _ in 0..times {
        queue.extend(faults.iter().cloned());
    }
    Json(json!({ "queued": queue.len() })).into_response()
}

async fn clear(State(platform): Shared) -> Json<Value> {
    platform.faults().clear();
    Json(json!({ "queued": 0 }))
}

async fn requests(State(platform): Shared) -> Json<Vec<Logged>> {
    Json(platform.log().clone())
}

async fn counts(State(platform): Shared) -> Json<Value> {
    let token_requests = platform.token_requests();
    Json(json!({ "token_requests": token_requests, "connections": platform.connections.load(Ordering::Relaxed) }))
}

async fn secrets(State(platform): Shared) -> Json<Vec<String>> {
    Json(platform.vault().secrets.clone())
}

/// GET `/valid?access_token=…` or `/valid?refresh_token=…`: returns whether the token is valid.
async fn valid(State(platform): Shared, RawQuery(query): RawQuery) -> Json<Value> {
    let value = |name| value(query.as_deref(), b"", name);
    let vault = platform.vault();
    let valid = match (value("access_token"), value("refresh_token")) {
        (Some(token), _) => vault.valid_access_token(&token).is_some(),
        (None, token) => token.is_some_and(|token| vault.is_valid_refresh_token(&token)),
    };
    Json(json!({ "valid": valid }))
}

/// POST `/refresh-token`: issues a refresh token. `client_id` and `account`, in a form or in the query, are optional.
async fn seed_refresh_token(State(platform): Shared, RawQuery(query): RawQuery, body: Bytes) -> Response {
    let value = |name, default: &str| value(query.as_deref(), &body, name).unwrap_or(default.to_owned());
    match seed(&platform, &value("client_id", PUBLIC_CLIENT_ID), &value("account", ADA)) {
        Some(token) => Json(json!({ "refresh_token": token })).into_response(),
        None => (StatusCode::BAD_REQUEST, "unknown client or account\n").into_response(),
    }
}

/// POST `/revoke`: revokes all refresh tokens with the code `aadsts=…`, by default 700082.
async fn revoke(State(platform): Shared, RawQuery(query): RawQuery, body: Bytes) -> Response {
    let Ok(aadsts) = value(query.as_deref(), &body, "aadsts").unwrap_or("700082".into()).parse() else {
        return (StatusCode::BAD_REQUEST, "aadsts is not a number\n").into_response();
    };
    platform.vault().revoke_all(aadsts);
    Json(json!({ "aadsts": aadsts })).into_response()
}

/// POST `/single-use`: `on=true` (the default) or `on=false`.
async fn single_use(State(platform): Shared, RawQuery(query): RawQuery, body: Bytes) -> Json<Value> {
    let on = value(query.as_deref(), &body, "on").is_none_or(|on| on == "true");
    platform.vault().single_use_refresh_tokens = on;
    Json(json!({ "single_use": on }))
}

fn value(query: Option<&str>, form: &[u8], name: &str) -> Option<String> {
    let query = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let mut pairs = query.chain(form_urlencoded::parse(form));
    pairs.find(|(other, _)| other == name).map(|(_, value)| value.into_owned())
}
