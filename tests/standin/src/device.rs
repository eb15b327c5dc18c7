//! The device authorization grant (RFC 8628): POST `/{tenant}/oauth2/v2.0/devicecode`, and the page where the user
//! enters the code.

use std::time::{Duration, Instant};

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{Html, IntoResponse, Response};
use serde_json::json;

use crate::authorize::buttons;
use crate::page;
use crate::parameters::Parameters;
use crate::platform::{Caller, Platform, Shared};
use crate::random;
use crate::refusal::Refusal;
use crate::scope::Scopes;
use crate::vault::{Decision, Device, Vault};

const PAGE: &str = "/devicelogin";
const DECISION: &str = "/devicelogin/decision";

pub(crate) async fn device_code(
    State(platform): Shared,
    Path(tenant): Path<String>,
    headers: HeaderMap,
    caller: Caller,
    body: Bytes,
) -> Response {
    let response =
        Parameters::from_form(&headers, &body).and_then(|parameters| issue(&platform, &tenant, &parameters, &caller));
    response.unwrap_or_else(|refusal| refusal.json(&caller))
}

fn issue(platform: &Platform, tenant: &str, parameters: &Parameters, caller: &Caller) -> Result<Response, Refusal> {
    platform.tenant(tenant)?;
    let app = platform.app(parameters.required("client_id")?, tenant)?;
    let scopes = Scopes::parse(parameters.required("scope")?)?;
    let setup = &platform.setup;
    let interval = Duration::from_secs(setup.device_code_interval.as_secs());
    let user_code = random::user_code();
    let mut vault = platform.vault();
    let device_code = vault.record_secret(format!("{}{}", &user_code[..1], random::text(120)));
    let device = Device {
        tenant: tenant.to_owned(),
        client_id: app.id.clone(),
        user_code: user_code.clone(),
        scopes,
        expires: Instant::now() + setup.device_code_lifetime,
        not_before: None,
        interval,
        decision: Decision::Pending,
        claims: parameters.get("claims").map(str::to_owned),
    };
    vault.devices.insert(device_code.clone(), device);
    let verification_uri = format!("{}{PAGE}", platform.origin);
    let message = format!(
        "To sign in, use a web browser to open the page {verification_uri} and enter the code {user_code} to authenticate."
    );
    let response = json!({
        "user_code": user_code,
        "device_code": device_code,
        "verification_uri": verification_uri,
        "expires_in": setup.device_code_lifetime.as_secs(),
        "interval": interval.as_secs(),
        "message": message,
    });
    Ok((caller.headers(), Json(response)).into_response())
}

/// GET `/devicelogin`.
pub(crate) async fn page() -> Html<String> {
    let form = format!(
        "<form method=\"post\" action=\"{PAGE}\"><input id=\"code\" name=\"code\" autocomplete=\"off\">\
         <button id=\"next\">Next</button></form>"
    );
    Html(page::page("Enter code", &form))
}

/// POST `/devicelogin`: the user entered a code.
pub(crate) async fn enter(State(platform): Shared, headers: HeaderMap, caller: Caller, body: Bytes) -> Response {
    let response = Parameters::from_form(&headers, &body).and_then(|parameters| {
        let user_code = parameters.required("code")?.trim().to_uppercase();
        let tenant = pending(&mut platform.vault(), &user_code)?.tenant.clone();
        let accounts = platform.accounts_in(&tenant)?;
        Ok(Html(page::page("Sign in", &buttons(&accounts, DECISION, &user_code, None))).into_response())
    });
    response.unwrap_or_else(|refusal| refusal.html(&caller))
}

/// POST `/devicelogin/decision`: the user pressed a button.
pub(crate) async fn decide(State(platform): Shared, headers: HeaderMap, caller: Caller, body: Bytes) -> Response {
    let page = Parameters::from_form(&headers, &body).and_then(|parameters| apply_decision(&platform, &parameters));
    page.map(IntoResponse::into_response).unwrap_or_else(|refusal| refusal.html(&caller))
}

fn apply_decision(platform: &Platform, parameters: &Parameters) -> Result<Html<String>, Refusal> {
    let mut vault = platform.vault();
    let device = pending(&mut vault, parameters.required("flow")?)?;
    if parameters.get("decline").is_some() {
        device.decision = Decision::Declined;
        return Ok(Html(page::page("Sign-in declined", "<p>You can close this window.</p>")));
    }
    let account = platform.account_in(&device.tenant, parameters.required("account")?)?.clone();
    device.decision = Decision::Approved(account.clone());
    let (client_id, permissions) = (device.client_id.clone(), device.scopes.permissions.clone());
    vault.consent(&client_id, &account, permissions);
    Ok(Html(page::page("Signed in", "<p>You have signed in on your device. You can close this window.</p>")))
}

fn pending<'vault>(vault: &'vault mut Vault, user_code: &str) -> Result<&'vault mut Device, Refusal> {
    let is_pending = |device: &&mut Device| {
        device.user_code == user_code && device.expires > Instant::now() && matches!(device.decision, Decision::Pending)
    };
    vault.devices.values_mut().find(is_pending).ok_or_else(|| Refusal::new(70018))
}
