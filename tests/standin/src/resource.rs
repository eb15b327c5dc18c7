//! Endpoints that accept access tokens: tokeninfo for a mail server, and Microsoft Graph.

use axum::Json;
use axum::extract::{RawQuery, Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::parameters::Parameters;
use crate::platform::{Caller, Platform, Shared};
use crate::random;
use crate::scope;
use crate::setup::Account;

/// GET `/tokeninfo?access_token=…`, with fields that Dovecot's `passdb oauth2` can be configured for.
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

/// Answers a request to Graph with the next fault, if there is one.
pub(crate) async fn fault_or_response(
    State(platform): Shared,
    caller: Caller,
    request: Request,
    next: Next,
) -> Response {
    let fault = platform.graph_faults().pop_front();
    if let Some(fault) = fault
        && let Some(response) = fault.replacement(&caller).await
    {
        return response;
    }
    next.run(request).await
}

/// GET `/v1.0/me` of Graph.
pub(crate) async fn me(State(platform): Shared, headers: HeaderMap) -> Response {
    let account = match graph_account(&platform, &headers, "User.Read") {
        Ok(account) => account,
        Err(refusal) => return refusal.into_response(),
    };
    let user = json!({
        "id": account.object_id,
        "displayName": account.name,
        "mail": account.address,
        "userPrincipalName": account.address,
    });
    Json(user).into_response()
}

/// GET `/v1.0/me/calendar` of Graph.
pub(crate) async fn calendar(State(platform): Shared, headers: HeaderMap) -> Response {
    let account = match graph_account(&platform, &headers, "Calendars.Read") {
        Ok(account) => account,
        Err(refusal) => return refusal.into_response(),
    };
    let calendar = json!({
        "id": format!("calendar-of-{}", account.object_id),
        "name": "Calendar",
        "isDefaultCalendar": true,
        "canEdit": true,
        "owner": { "name": account.name, "address": account.address },
    });
    Json(calendar).into_response()
}

/// GET `/v1.0/me/mailFolders/inbox` of Graph.
pub(crate) async fn inbox(State(platform): Shared, headers: HeaderMap) -> Response {
    match graph_account(&platform, &headers, "Mail.Read") {
        Ok(account) => {
            Json(json!({ "id": format!("inbox-of-{}", account.object_id), "displayName": "Inbox" })).into_response()
        }
        Err(refusal) => refusal.into_response(),
    }
}

/// Returns the account of a Graph token with this permission, or with one that includes it (`X.ReadWrite` includes
/// `X.Read`).
pub(crate) fn graph_account(
    platform: &Platform,
    headers: &HeaderMap,
    permission: &str,
) -> Result<Account, GraphRefusal> {
    let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let bearer = bearer.ok_or(GraphRefusal::unauthenticated("Access token is empty."))?;
    let vault = platform.vault();
    let invalid = GraphRefusal::unauthenticated("Access token validation failure.");
    let token = vault.valid_access_token(bearer).ok_or(invalid)?;
    if !token.permissions.iter().any(|granted| scope::is_graph(granted.resource)) {
        return Err(GraphRefusal::unauthenticated("Access token validation failure. Invalid audience."));
    }
    if !token.permissions.iter().any(|granted| granted.name.starts_with(permission)) {
        let message = "Access is denied. Check credentials and try again.";
        return Err(GraphRefusal { status: StatusCode::FORBIDDEN, code: "ErrorAccessDenied", message });
    }
    Ok(token.account.clone())
}

pub(crate) struct GraphRefusal {
    pub status: StatusCode,
    pub code: &'static str,
    pub message: &'static str,
}

impl GraphRefusal {
    fn unauthenticated(message: &'static str) -> GraphRefusal {
        GraphRefusal { status: StatusCode::UNAUTHORIZED, code: "InvalidAuthenticationToken", message }
    }
}

impl IntoResponse for GraphRefusal {
    fn into_response(self) -> Response {
        let request_id = random::guid();
        let inner = json!({ "request-id": request_id, "client-request-id": request_id });
        let body = json!({ "error": { "code": self.code, "message": self.message, "innerError": inner } });
        // RFC 9110 §15.5.2 requires this header with every 401; with a 403 it does no harm.
        (self.status, [(WWW_AUTHENTICATE, "Bearer")], Json(body)).into_response()
    }
}
