//! GET `/{tenant}/oauth2/v2.0/authorize`, and the decision that the user makes on its page.

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use url::Url;

use crate::page;
use crate::parameters::Parameters;
use crate::platform::{Caller, Platform, Shared};
use crate::random;
use crate::refusal::Refusal;
use crate::scope::Scopes;
use crate::setup::Account;
use crate::vault::Flow;

pub(crate) async fn authorize(
    State(platform): Shared,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
    caller: Caller,
) -> Response {
    let response = Parameters::parse(query.unwrap_or_default().as_bytes())
        .and_then(|parameters| sign_in_page(&platform, &tenant, &parameters, &caller));
    response.unwrap_or_else(|refusal| refusal.html(&caller))
}

fn sign_in_page(
    platform: &Platform,
    tenant: &str,
    parameters: &Parameters,
    caller: &Caller,
) -> Result<Response, Refusal> {
    let flow = validate(platform, tenant, parameters)?;
    let accounts = platform.accounts_in(tenant)?;
    match parameters.get("prompt") {
        None | Some("login" | "select_account" | "consent") => {}
        // The stand-in keeps no browser session, so a silent sign-in always fails.
        Some("none") => return Ok(redirect_error(&flow, Refusal::new(50058), caller)),
        Some(other) => {
            let message = format!("The provided value '{other}' for the input parameter 'prompt' is not valid.");
            return Err(Refusal::with_message(90023, message));
        }
    }
    let name = &platform.app(&flow.client_id, tenant)?.name;
    let id = random::guid();
    platform.vault().flows.insert(id.clone(), flow);
    let buttons = buttons(&accounts, &format!("/{tenant}/login"), &id, parameters.get("login_hint"));
    let page = page::page("Sign in", &format!("<p>{} wants to use your account.</p>\n{buttons}", page::escape(name)));
    Ok((caller.headers(), [(CONTENT_TYPE, page::HTML)], page).into_response())
}

/// Returns a button for each account (the account of the login hint first), and a button to cancel.
pub(crate) fn buttons(accounts: &[&Account], action: &str, flow: &str, login_hint: Option<&str>) -> String {
    let mut accounts = accounts.to_vec();
    accounts.sort_by_key(|account| !login_hint.is_some_and(|hint| account.address.eq_ignore_ascii_case(hint)));
    let mut buttons: Vec<String> = accounts
        .iter()
        .map(|account| {
            let local_part = account.address.split('@').next().unwrap_or_default();
            let fields = [("flow", flow), ("account", account.address.as_str())];
            let label = format!("Continue as {} ({})", account.name, account.address);
            page::button(action, &fields, &format!("approve-{local_part}"), &label)
        })
        .collect();
    buttons.push(page::button(action, &[("flow", flow), ("decline", "yes")], "cancel", "Cancel"));
    buttons.join("\n")
}

/// Validates the request. The client and its redirect URI are checked first, because an error must not be redirected to
/// a URI that is not registered (RFC 6749 §4.1.2.1).
fn validate(platform: &Platform, tenant: &str, parameters: &Parameters) -> Result<Flow, Refusal> {
    platform.tenant(tenant)?;
    let client_id = parameters.required("client_id")?;
    let app = platform.app(client_id, tenant)?;
    let redirect_uri = parameters.required("redirect_uri")?;
    if !app.redirects_to(redirect_uri) {
        let message = format!(
            "The redirect URI '{redirect_uri}' specified in the request does not match the redirect URIs \
             configured for the application '{client_id}'."
        );
        return Err(Refusal::with_message(50011, message));
    }
    match parameters.required("response_type")? {
        "code" => {}
        other => {
            let message = format!("response_type '{other}' is not enabled for the application.");
            return Err(Refusal::with_message(700054, message));
        }
    }
    // Microsoft's other modes, fragment and form_post, do not suit a program that listens on loopback.
    if !matches!(parameters.get("response_mode"), None | Some("query")) {
        let message = "The provided value for the input parameter 'response_mode' is not valid here.";
        return Err(Refusal::with_message(90023, message));
    }
    Ok(Flow {
        tenant: tenant.to_owned(),
        client_id: client_id.to_owned(),
        redirect_uri: redirect_uri.to_owned(),
        scopes: Scopes::parse(parameters.required("scope")?)?,
        state: parameters.get("state").map(ToOwned::to_owned),
        nonce: parameters.get("nonce").map(ToOwned::to_owned),
        code_challenge: code_challenge(platform, parameters)?,
        claims: parameters.get("claims").map(str::to_owned),
    })
}

/// Returns the code challenge (RFC 7636 §4.3). Stricter than Microsoft, which also accepts `plain`.
fn code_challenge(platform: &Platform, parameters: &Parameters) -> Result<Option<String>, Refusal> {
    let Some(challenge) = parameters.get("code_challenge") else {
        return if platform.setup.require_pkce { Err(Refusal::new(9002325)) } else { Ok(None) };
    };
    if parameters.get("code_challenge_method") != Some("S256") {
        return Err(Refusal::new(50149));
    }
    // A SHA-256 digest has 43 characters in base64url.
    if challenge.len() != 43 {
        return Err(Refusal::new(501491));
    }
    Ok(Some(challenge.to_owned()))
}

/// POST `/{tenant}/login`: the user pressed a button.
pub(crate) async fn decide(State(platform): Shared, headers: HeaderMap, caller: Caller, body: Bytes) -> Response {
    let response =
        Parameters::from_form(&headers, &body).and_then(|parameters| apply_decision(&platform, &parameters, &caller));
    response.unwrap_or_else(|refusal| refusal.html(&caller))
}

fn apply_decision(platform: &Platform, parameters: &Parameters, caller: &Caller) -> Result<Response, Refusal> {
    let mut vault = platform.vault();
    let flow = vault.flows.get(parameters.required("flow")?).cloned().ok_or_else(|| Refusal::new(9002313))?;
    if parameters.get("decline").is_some() {
        return Ok(redirect_error(&flow, Refusal::new(65004), caller));
    }
    let account = platform.account_in(&flow.tenant, parameters.required("account")?)?.clone();
    vault.consent(&flow.client_id, &account, flow.scopes.permissions.clone());
    let code = vault.issue_code(&platform.setup, flow.clone(), account);
    Ok(redirect(&flow, &[("code", &code)], Some(&random::guid()), caller))
}

fn redirect_error(flow: &Flow, refusal: Refusal, caller: &Caller) -> Response {
    let declined = refusal.code == 65004;
    let body = refusal.body(caller);
    let mut parameters = vec![
        ("error", body.error.as_str()),
        ("error_description", &body.error_description),
        ("error_uri", &body.error_uri),
    ];
    if declined {
        parameters.push(("error_subcode", "cancel"));
    }
    redirect(flow, &parameters, None, caller)
}

fn redirect(flow: &Flow, parameters: &[(&str, &str)], session_state: Option<&str>, caller: &Caller) -> Response {
    let mut url = Url::parse(&flow.redirect_uri).expect("a registered redirect URI is a valid URL");
    url.query_pairs_mut()
        .extend_pairs(parameters)
        .extend_pairs(flow.state.iter().map(|state| ("state", state)))
        .extend_pairs(session_state.iter().map(|state| ("session_state", state)));
    (StatusCode::FOUND, caller.headers(), [(LOCATION, url.as_str())]).into_response()
}
