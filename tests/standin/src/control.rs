//! `/standin/…`: orders and questions of tests that are not written in Rust.

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
        .route("/faults", post(order).delete(clear))
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
enum Order {
    One(Fault),
    Several(Vec<Fault>),
}

/// POST a fault or a list of faults as JSON; `?times=N` repeats it.
async fn order(State(platform): Shared, RawQuery(query): RawQuery, body: Bytes) -> Response {
    let faults = match serde_json::from_slice(&body) {
        Ok(Order::One(fault)) => vec![fault],
        Ok(Order::Several(faults)) => faults,
        Err(_) => return (StatusCode::BAD_REQUEST, "no fault, nor a list of faults, that I know\n").into_response(),
    };
    let Ok(times) = value(query.as_deref(), b"", "times").unwrap_or("1".into()).parse() else {
        return (StatusCode::BAD_REQUEST, "times is no number\n").into_response();
    };
    let mut queue = platform.faults();
    for _ in 0..times {
        queue.extend(faults.iter().cloned());
    }
    Json(json!({ "ordered": queue.len() })).into_response()
}

async fn clear(State(platform): Shared) -> Json<Value> {
    platform.faults().clear();
    Json(json!({ "ordered": 0 }))
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

/// `?access_token=…` or `?refresh_token=…`.
async fn valid(State(platform): Shared, RawQuery(query): RawQuery) -> Json<Value> {
    let value = |name| value(query.as_deref(), b"", name);
    let vault = platform.vault();
    let valid = match (value("access_token"), value("refresh_token")) {
        (Some(token), _) => vault.valid_access_token(&token).is_some(),
        (None, token) => token.is_some_and(|token| vault.is_valid_refresh_token(&token)),
    };
    Json(json!({ "valid": valid }))
}

/// `client_id` and `account`, both optional, in a form or in the query.
async fn seed_refresh_token(State(platform): Shared, RawQuery(query): RawQuery, body: Bytes) -> Response {
    let value = |name, otherwise: &str| value(query.as_deref(), &body, name).unwrap_or(otherwise.to_owned());
    match seed(&platform, &value("client_id", PUBLIC_CLIENT_ID), &value("account", ADA)) {
        Some(token) => Json(json!({ "refresh_token": token })).into_response(),
        None => (StatusCode::BAD_REQUEST, "no such client or account\n").into_response(),
    }
}

/// `aadsts=…`, 700082 if left out.
async fn revoke(State(platform): Shared, RawQuery(query): RawQuery, body: Bytes) -> Response {
    let Ok(aadsts) = value(query.as_deref(), &body, "aadsts").unwrap_or("700082".into()).parse() else {
        return (StatusCode::BAD_REQUEST, "aadsts is no number\n").into_response();
    };
    platform.vault().revoke_all(aadsts);
    Json(json!({ "aadsts": aadsts })).into_response()
}

/// `on=true` or `on=false`.
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
