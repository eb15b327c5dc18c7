//! What the double answers.

use std::sync::atomic::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::bus::Reply;
use super::request::{self, Refused, TokenRequest};
use super::{BrokerVersion, Shared};
use crate::issue::{Grant, unix_time};
use crate::random;
use crate::scope::Scopes;
use crate::setup::Account;

const SILENT: u64 = 1;
const INTERACTIVE: u64 = 6;
const COOKIE: u64 = 8;
const INTERACTION_REQUIRED: u8 = 2;

/// Answers a call of one of the broker's methods.
pub(super) fn of(method: &str, correlation_id: &str, request: &Value, shared: &Shared) -> Reply {
    let answer = match method {
        "getLinuxBrokerVersion" => Ok(json!({ "linuxBrokerVersion": number(shared.version) })),
        "getAccounts" => accounts(request, shared),
        "removeAccount" => remove_account(request, shared),
        "acquirePrtSsoCookie" => cookie(request, shared),
        "acquireTokenSilently" => silent_token(request, correlation_id, shared),
        _ => interactive_token(request, shared),
    };
    match answer {
        Ok(answer) => Ok(answer.to_string()),
        Err((_, text)) if shared.version == BrokerVersion::Himmelblau => {
            Err(("org.freedesktop.DBus.Error.Failed", text))
        }
        Err((_, text)) if method == "getAccounts" => Ok(json!({ "error": { "context": text } }).to_string()),
        Err((status, text)) => Ok(failure(status, &text)),
    }
}

fn number(version: BrokerVersion) -> &'static str {
    match version {
        BrokerVersion::V2_0_1 => "2.0.1",
        BrokerVersion::V2_5 => "2.5.0",
        BrokerVersion::V3_0_1 => "3.0.1",
        BrokerVersion::Himmelblau => "2.0.0",
    }
}

fn failure(status: u8, context: &str) -> String {
    let error = json!({
        "context": context,
        "diagnostics": null,
        "errorCode": 0,
        "status": status,
        "subStatus": 0,
        "tag": 595_719_680,
    });
    json!({ "brokerTokenResponse": { "error": error, "subError": "" }, "telemetry": {} }).to_string()
}

/// Returns an account as the broker describes it.
pub(super) fn account(account: &Account, shared: &Shared) -> Value {
    let (given_name, family_name) = account.name.split_once(' ').unwrap_or((&account.name, ""));
    let client_info = json!({ "uid": account.object_id, "utid": account.tenant });
    let mut described = json!({
        "environment": "login.windows.net",
        "givenName": given_name,
        "name": account.name,
        "homeAccountId": format!("{}.{}", account.object_id, account.tenant),
        "localAccountId": account.object_id,
        "realm": account.tenant,
        "username": account.address,
        "passwordExpiry": 0,
    });
    if shared.version != BrokerVersion::Himmelblau {
        described["familyName"] = family_name.into();
        described["clientInfo"] = URL_SAFE_NO_PAD.encode(client_info.to_string()).into();
    }
    if shared.adds_field.load(Ordering::Relaxed) {
        described["tags"] = json!({ "kept": [1, null] });
    }
    described
}

fn accounts(request: &Value, shared: &Shared) -> Result<Value, Refused> {
    let text = |name: &str| request[name].as_str().unwrap_or_default();
    request::check_client(text("clientId"), text("redirectUri"), shared)?;
    let accounts: Vec<Value> = shared.state().accounts.iter().map(|known| account(known, shared)).collect();
    Ok(json!({ "accounts": accounts }))
}

fn remove_account(request: &Value, shared: &Shared) -> Result<Value, Refused> {
    let username = &request["account"]["username"];
    shared.state().accounts.retain(|known| *username != *known.address);
    Ok(json!({}))
}

fn cookie(request: &Value, shared: &Shared) -> Result<Value, Refused> {
    TokenRequest::parse(request, COOKIE, shared)?;
    let cookie = json!({ "cookieName": "x-ms-RefreshTokenCredential", "cookieContent": random::text(200) });
    Ok(match shared.version {
        BrokerVersion::V2_0_1 | BrokerVersion::Himmelblau => cookie,
        BrokerVersion::V2_5 | BrokerVersion::V3_0_1 => json!({ "cookieItems": [cookie] }),
    })
}

fn silent_token(request: &Value, correlation_id: &str, shared: &Shared) -> Result<Value, Refused> {
    let request = TokenRequest::parse(request, SILENT, shared)?;
    let Some(account) = request.account.clone() else {
        return Err((request::API_CONTRACT_VIOLATION, "account is missing".to_owned()));
    };
    if shared.state().needs_interaction {
        let context = format!(
            "Recieved an error from AAD. Code: 'invalid_grant' description: '(pii)' correlation id: '{correlation_id}' \
             suberror: 'token_expired'"
        );
        return Err((INTERACTION_REQUIRED, context));
    }
    token(request, account, shared)
}

/// A person signs in at once, with the account of the request, or else with their own.
fn interactive_token(request: &Value, shared: &Shared) -> Result<Value, Refused> {
    let prompt = request["authParameters"]["prompt"].as_str();
    let request = TokenRequest::parse(request, INTERACTIVE, shared)?;
    let account = match (&request.account, prompt) {
        (Some(account), prompt) if prompt != Some("select_account") => account.clone(),
        (None, _) if shared.version == BrokerVersion::Himmelblau => {
            return Err((request::API_CONTRACT_VIOLATION, "account.username is missing".to_owned()));
        }
        (None, Some("select_account")) => shared.state().person.clone(),
        _ => return Err((request::API_CONTRACT_VIOLATION, "either select_account or an account".to_owned())),
    };
    {
        let mut state = shared.state();
        state.needs_interaction = false;
        if !state.accounts.iter().any(|known| known.address == account.address) {
            state.accounts.push(account.clone());
        }
    }
    token(request, account, shared)
}

fn token(request: TokenRequest, signed_in: Account, shared: &Shared) -> Result<Value, Refused> {
    let platform = &shared.platform;
    let of_aad = |refusal: crate::refusal::Refusal| {
        let context = format!("Recieved an error from AAD. Code: 'invalid_grant' description: '{}'", refusal.message);
        (INTERACTION_REQUIRED, context)
    };
    platform.account_in(&request.tenant, &signed_in.address).map_err(of_aad)?;
    let scopes = format!("{} openid profile", request.scopes.join(" "));
    let scopes = Scopes::parse(&scopes).map_err(of_aad)?;
    let grant = Grant {
        client_id: request.client_id,
        account: signed_in.clone(),
        signed_in: scopes.clone(),
        scopes,
        offline_access: matches!(shared.version, BrokerVersion::V2_0_1 | BrokerVersion::V2_5),
        nonce: None,
    };
    let issued = grant.issue(platform, &mut platform.vault(), true).map_err(of_aad)?;
    let expires_in = issued.expires_in.as_ref().and_then(Value::as_u64).unwrap_or_default();
    let mut response = json!({
        "accessToken": issued.access_token,
        "accessTokenType": 0,
        "expiresOn": (unix_time() + expires_in) * 1000,
        "extendedExpiresOn": (unix_time() + expires_in) * 1000,
        "grantedScopes": issued.scope,
        "idToken": issued.id_token,
        "clientInfo": issued.client_info,
    });
    match shared.version {
        BrokerVersion::V2_0_1 | BrokerVersion::V2_5 => {
            response["account"] = account(&signed_in, shared);
            response["refreshToken"] = issued.refresh_token.into();
        }
        BrokerVersion::V3_0_1 => {}
        // Its old versions add seconds to milliseconds.
        BrokerVersion::Himmelblau => response["expiresOn"] = (unix_time() * 1000 + expires_in).into(),
    }
    Ok(json!({ "brokerTokenResponse": response, "telemetry": {} }))
}
