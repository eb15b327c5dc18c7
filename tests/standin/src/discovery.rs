//! Discovery documents, which name the endpoints.

use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::HOST;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::platform::{Caller, Platform, Shared};

/// GET `/{tenant}/v2.0/.well-known/openid-configuration`.
pub(crate) async fn openid_configuration(
    State(platform): Shared,
    Path(name): Path<String>,
    headers: HeaderMap,
    caller: Caller,
) -> Response {
    if platform.hides_discovery.load(Ordering::Relaxed) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let tenant = match platform.tenant(&name) {
        Ok(tenant) => tenant,
        Err(refusal) => return refusal.json(&caller),
    };
    // For a shared tenant Microsoft's document contains this placeholder.
    let issuer = tenant.map_or("{tenantid}", |tenant| &tenant.id);
    let (origin, tenant) = (origin(&platform, &headers), tenant.map_or(name.as_str(), |tenant| &tenant.id));
    let document = json!({
        "issuer": format!("{}/{issuer}/v2.0", platform.issuer_origin()),
        "authorization_endpoint": format!("{origin}/{tenant}/oauth2/v2.0/authorize"),
        "token_endpoint": format!("{origin}/{tenant}/oauth2/v2.0/token"),
        "device_authorization_endpoint": format!("{origin}/{tenant}/oauth2/v2.0/devicecode"),
        "jwks_uri": format!("{origin}/{tenant}/discovery/v2.0/keys"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "response_modes_supported": ["query"],
        "response_types_supported": ["code"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "claims_supported": ["sub", "iss", "aud", "exp", "iat", "nonce", "preferred_username", "name", "tid", "ver", "email"],
        "tenant_region_scope": null,
    });
    (caller.headers(), Json(document)).into_response()
}

/// GET `/common/discovery/instance`, which MSAL requests if it does not know the host.
pub(crate) async fn instance(State(platform): Shared, headers: HeaderMap) -> Json<Value> {
    let origin = origin(&platform, &headers);
    let host = origin.trim_start_matches("https://");
    Json(json!({
        "tenant_discovery_endpoint": format!("{origin}/common/v2.0/.well-known/openid-configuration"),
        "api-version": "1.1",
        "metadata": [{ "preferred_network": host, "preferred_cache": host, "aliases": [host] }],
    }))
}

/// GET `/{tenant}/discovery/v2.0/keys`. The list is empty, because the stand-in signs nothing.
pub(crate) async fn keys() -> Json<Value> {
    Json(json!({ "keys": [] }))
}

/// Returns the origin that the client used. Behind a relay it differs from the stand-in's own.
fn origin(platform: &Platform, headers: &HeaderMap) -> String {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    host.map_or_else(|| platform.origin.clone(), |host| format!("https://{host}"))
}
