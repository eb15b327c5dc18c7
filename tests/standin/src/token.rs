//! POST `/{tenant}/oauth2/v2.0/token`.

use std::time::Instant;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::issue::{Grant, TokenResponse};
use crate::parameters::Parameters;
use crate::platform::{Caller, Platform, Shared};
use crate::refusal::Refusal;
use crate::scope::Scopes;
use crate::setup::App;
use crate::vault::{Decision, Vault};
use crate::{application, client};

const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

pub(crate) async fn token(
    State(platform): Shared,
    Path(tenant): Path<String>,
    headers: HeaderMap,
    caller: Caller,
    body: Bytes,
) -> Response {
    let fault = platform.faults().pop_front();
    if let Some(fault) = &fault
        && let Some(response) = fault.replacement(&caller).await
    {
        return response;
    }
    let response = Parameters::from_form(&headers, &body)
        .and_then(|parameters| exchange(&platform, &tenant, &headers, &parameters));
    match (response, fault) {
        (Ok(response), Some(fault)) => fault.corrupt(response, &caller).await,
        (Ok(response), None) => response.json(&caller),
        (Err(refusal), _) => refusal.json(&caller),
    }
}

/// GET of the same URL, which Microsoft refuses.
pub(crate) async fn get(caller: Caller) -> Response {
    Refusal::new(900561).json(&caller)
}

fn exchange(
    platform: &Platform,
    tenant: &str,
    headers: &HeaderMap,
    parameters: &Parameters,
) -> Result<TokenResponse, Refusal> {
    let grant_type = parameters.required("grant_type")?;
    platform.tenant(tenant)?;
    let app = client::authenticate(platform, tenant, headers, parameters)?;
    let mut vault = platform.vault();
    if grant_type == "client_credentials" {
        return application::client_credentials(platform, &mut vault, tenant, app, parameters);
    }
    let grant = match grant_type {
        "authorization_code" => authorization_code(platform, &mut vault, tenant, app, parameters),
        "refresh_token" => refresh_token(platform, &mut vault, tenant, app, parameters),
        DEVICE_CODE => device_code(&mut vault, tenant, app, parameters),
        other => {
            let message = format!("The app requested an unsupported grant type '{other}'.");
            Err(Refusal::with_message(70003, message))
        }
    }?;
    let wants_client_info = parameters.get("client_info") == Some("1");
    grant.issue(platform, &mut vault, wants_client_info)
}

fn authorization_code(
    platform: &Platform,
    vault: &mut Vault,
    tenant: &str,
    app: &App,
    parameters: &Parameters,
) -> Result<Grant, Refusal> {
    let presented = parameters.required("code")?;
    let redirect_uri = parameters.required("redirect_uri")?;
    let verifier = parameters.get("code_verifier").filter(|verifier| !verifier.is_empty());
    if let Some(verifier) = verifier {
        vault.record_secret(verifier.to_owned());
    }
    let code = vault.codes.get_mut(presented).filter(|code| code.flow.client_id == app.id);
    let code = code.ok_or_else(|| unknown_grant(presented))?;
    if code.redeemed {
        return Err(Refusal::new(54005));
    }
    if code.issued.elapsed() > platform.setup.code_lifetime {
        return Err(Refusal::new(70008));
    }
    platform.account_in(tenant, &code.account.address).map_err(|_| Refusal::new(700005))?;
    if code.flow.redirect_uri != redirect_uri {
        let message = format!(
            "The reply address '{redirect_uri}' does not match the reply address '{}' provided when requesting \
             Authorization code.",
            code.flow.redirect_uri
        );
        return Err(Refusal::with_message(500112, message));
    }
    verify(verifier, code.flow.code_challenge.as_deref())?;
    let claims = code.flow.claims.clone();
    vault.check_claims(claims.as_deref())?;
    let code = vault.codes.get_mut(presented).ok_or_else(|| unknown_grant(presented))?;
    let scopes = requested_scopes(parameters, &code.flow.scopes)?;
    code.redeemed = true;
    Ok(Grant {
        client_id: app.id.clone(),
        account: code.account.clone(),
        offline_access: scopes.offline_access && code.flow.scopes.offline_access,
        scopes,
        signed_in: code.flow.scopes.clone(),
        nonce: code.flow.nonce.clone(),
    })
}

/// Checks the code verifier against the challenge (RFC 7636 §4.6).
fn verify(verifier: Option<&str>, challenge: Option<&str>) -> Result<(), Refusal> {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    match (verifier, challenge) {
        (None, None) => Ok(()),
        (None, Some(_)) => Err(Refusal::new(50148)),
        (Some(verifier), Some(challenge))
            if (43..=128).contains(&verifier.len())
                && verifier.bytes().all(unreserved)
                && URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)) == challenge =>
        {
            Ok(())
        }
        _ => Err(Refusal::new(501481)),
    }
}

fn refresh_token(
    platform: &Platform,
    vault: &mut Vault,
    tenant: &str,
    app: &App,
    parameters: &Parameters,
) -> Result<Grant, Refusal> {
    let presented = parameters.required("refresh_token")?;
    let single_use = vault.single_use_refresh_tokens;
    let token = vault.refresh_tokens.get_mut(presented).ok_or_else(|| unknown_grant(presented))?;
    if token.client_id != app.id {
        return Err(Refusal { suberror: Some("client_mismatch".into()), ..Refusal::new(70000) });
    }
    if let Some(aadsts) = token.refused_with {
        return Err(Refusal::new(aadsts));
    }
    platform.account_in(tenant, &token.account.address)?;
    let scopes = requested_scopes(parameters, &token.scopes)?;
    let (account, signed_in) = (token.account.clone(), token.scopes.clone());
    vault.consented(&app.id, &account, &scopes.permissions)?;
    vault.check_claims(parameters.get("claims"))?;
    if single_use && let Some(token) = vault.refresh_tokens.get_mut(presented) {
        token.refused_with = Some(70000);
    }
    Ok(Grant {
        client_id: app.id.clone(),
        account,
        offline_access: scopes.offline_access,
        scopes,
        signed_in,
        nonce: None,
    })
}

fn device_code(vault: &mut Vault, tenant: &str, app: &App, parameters: &Parameters) -> Result<Grant, Refusal> {
    let presented = parameters.required("device_code")?;
    let device =
        vault.devices.get_mut(presented).filter(|device| device.client_id == app.id && device.tenant == tenant);
    let device = device.ok_or_else(|| Refusal::new(70018))?;
    let now = Instant::now();
    let early = device.not_before.is_some_and(|not_before| now < not_before);
    if early {
        // RFC 8628 §3.5: the interval grows by 5 seconds for this and all later requests.
        device.interval += std::time::Duration::from_secs(5);
    }
    device.not_before = Some(now + device.interval);
    if early {
        return Err(Refusal::slow_down());
    }
    let account = match &device.decision {
        Decision::Redeemed => return Err(Refusal::new(54005)),
        Decision::Declined => return Err(Refusal::new(65004).with_error("authorization_declined")),
        Decision::Pending if device.expires <= now => return Err(Refusal::new(70020)),
        Decision::Pending => return Err(Refusal::new(70016)),
        Decision::Approved(account) => account.clone(),
    };
    // A device code's token request has no scope (RFC 8628 §3.4), so the sign-in's scopes count: they must be for one
    // resource (azure-docs#42565).
    device.scopes.resource()?;
    let claims = device.claims.clone();
    vault.check_claims(claims.as_deref())?;
    let device = vault.devices.get_mut(presented).ok_or_else(|| Refusal::new(70018))?;
    device.decision = Decision::Redeemed;
    let scopes = device.scopes.clone();
    Ok(Grant {
        client_id: app.id.clone(),
        account,
        offline_access: scopes.offline_access,
        scopes,
        signed_in: device.scopes.clone(),
        nonce: None,
    })
}

/// Returns the request's scopes; without a `scope`, those of the sign-in's first resource.
fn requested_scopes(parameters: &Parameters, signed_in: &Scopes) -> Result<Scopes, Refusal> {
    let scopes = match parameters.get("scope") {
        Some(scope) => parse(scope)?,
        None => signed_in.clone().first_resource_only(),
    };
    scopes.resource()?;
    Ok(scopes)
}

fn parse(scope: &str) -> Result<Scopes, Refusal> {
    if scope.trim().is_empty() { Err(Refusal::new(28003)) } else { Scopes::parse(scope) }
}

/// Returns the refusal for an unknown token, or for a code that this client does not have. Text that does not look like
/// one is malformed.
fn unknown_grant(presented: &str) -> Refusal {
    let looks_genuine = presented.starts_with("1.") && presented.len() > 100;
    if looks_genuine { Refusal::new(70000) } else { Refusal::new(9002313).with_error("invalid_grant") }
}
