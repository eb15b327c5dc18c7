//! Those to whom access tokens are shown: a mail server (by way of tokeninfo) and Microsoft Graph.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::parameters::Parameters;
use crate::platform::{Platform, Shared};
use crate::random;
use crate::setup::Account;

/// GET `/tokeninfo?access_token=…`, in the words that Dovecot's `passdb oauth2` can be told to look for.
pub(crate) async fn tokeninfo(State(platform): Shared, RawQuery(query): RawQuery) -> Response {
    let parameters = Parameters::parse(query.unwrap_or_default().as_bytes()).unwrap_or_default();
    let token = parameters.get("access_token").unwrap_or_default();
    let vault = platform.vault();
    let Some(token) = vault.valid_access_token(token) else {
        return (StatusCode::UNAUTHORIZED, Json(json!({ "active": false }))).into_response();
    };
    let scope: Vec<String> = token.permissions.iter().map(ToString::to_string).collect();
    let info = json!({ "active": true, "email": token.account.address, "scope": scope.join(" ") });
    Json(info).into_response()
}

/// GET `/v1.0/me` of Graph.
pub(crate) async fn me(State(platform): Shared, headers: HeaderMap) -> Response {
    graph(&platform, &headers, "User.Read").map_or_else(
        |refusal| refusal,
        |account| {
            let user = json!({
                "id": account.object_id,
                "displayName": account.name,
                "mail": account.address,
                "userPrincipalName": account.address,
            });
            Json(user).into_response()
        },
    )
}

/// GET `/v1.0/me/calendar` of Graph.
pub(crate) async fn calendar(State(platform): Shared, headers: HeaderMap) -> Response {
    graph(&platform, &headers, "Calendars.Read").map_or_else(
        |refusal| refusal,
        |account| {
            let calendar = json!({
                "id": format!("calendar-of-{}", account.object_id),
                "name": "Calendar",
                "isDefaultCalendar": true,
                "canEdit": true,
                "owner": { "name": account.name, "address": account.address },
            });
            Json(calendar).into_response()
        },
    )
}

/// The account of a token for Graph with this permission, or one that includes it (`X.Read` in `X.ReadWrite`).
fn graph(platform: &Platform, headers: &HeaderMap, permission: &str) -> Result<Account, Response> {
    let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let vault = platform.vault();
    let Some(token) = bearer.and_then(|token| vault.valid_access_token(token)) else {
        let message = if bearer.is_none() { "Access token is empty." } else { "Access token validation failure." };
        let mut refusal = refuse(StatusCode::UNAUTHORIZED, "InvalidAuthenticationToken", message);
        refusal.headers_mut().insert(WWW_AUTHENTICATE, axum::http::HeaderValue::from_static("Bearer"));
        return Err(refusal);
    };
    let graph = |resource: &str| ["https://graph.", "https://microsoftgraph."].iter().any(|start| resource.starts_with(start));
    if !token.permissions.iter().any(|permission| graph(permission.resource)) {
        let message = "Access token validation failure. Invalid audience.";
        return Err(refuse(StatusCode::UNAUTHORIZED, "InvalidAuthenticationToken", message));
    }
    if !token.permissions.iter().any(|granted| granted.name.starts_with(permission)) {
        let message = "Access is denied. Check credentials and try again.";
        return Err(refuse(StatusCode::FORBIDDEN, "ErrorAccessDenied", message));
    }
    Ok(token.account.clone())
}

fn refuse(status: StatusCode, code: &str, message: &str) -> Response {
    let request_id = random::guid();
    let inner = json!({ "request-id": request_id, "client-request-id": request_id });
    (status, Json(json!({ "error": { "code": code, "message": message, "innerError": inner } }))).into_response()
}
