//! What the double demands of a request for a token.

use serde_json::Value;

use super::{BrokerVersion, Shared, response};
use crate::setup::Account;

pub(super) const REDIRECT_URI: &str = "https://login.microsoftonline.com/common/oauth2/nativeclient";
const OPENID: [&str; 4] = ["openid", "profile", "offline_access", "email"];

/// A request that passed.
pub(super) struct TokenRequest {
    pub client_id: String,
    pub tenant: String,
    /// The account, if the request names one.
    pub account: Option<Account>,
    pub scopes: Vec<String>,
}

/// Why a request is refused: a value of the broker's `status`, and a text.
pub(super) type Refused = (u8, String);

pub(super) const UNEXPECTED: u8 = 0;
pub(super) const API_CONTRACT_VIOLATION: u8 = 6;
pub(super) const INCORRECT_CONFIGURATION: u8 = 9;
pub(super) const ACCOUNT_NOT_FOUND: u8 = 16;

impl TokenRequest {
    /// Parses a request. `authorization_type` is the one that fits the method.
    pub fn parse(request: &Value, authorization_type: u64, shared: &Shared) -> Result<TokenRequest, Refused> {
        let parameters = &request["authParameters"];
        let violation = |what: String| (API_CONTRACT_VIOLATION, what);
        let text = |name: &str| {
            let value = parameters[name].as_str().filter(|value| !value.is_empty());
            value.map(ToOwned::to_owned).ok_or_else(|| violation(format!("{name} is missing")))
        };
        if shared.version != BrokerVersion::V2_0_1
            && parameters["authorizationType"].as_u64() != Some(authorization_type)
        {
            return Err(violation(format!("authorizationType is not {authorization_type}")));
        }
        let client_id = text("clientId")?;
        check_client(&client_id, &text("redirectUri")?, shared)?;
        let authority = text("authority")?;
        let tenant = authority.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned();
        if !authority.starts_with("https://") || shared.platform.tenant(&tenant).is_err() {
            return Err((INCORRECT_CONFIGURATION, format!("no such authority: {authority}")));
        }
        Ok(TokenRequest {
            client_id,
            tenant,
            account: account(parameters, shared)?,
            scopes: scopes(&parameters["requestedScopes"], shared.version)?,
        })
    }
}

/// Refuses a client that is not registered, or one with another redirect URI.
pub(super) fn check_client(client_id: &str, redirect_uri: &str, shared: &Shared) -> Result<(), Refused> {
    let is_registered = shared.platform.setup.apps.iter().any(|app| app.id == client_id && app.secret.is_none());
    if !is_registered || redirect_uri != REDIRECT_URI {
        return Err((INCORRECT_CONFIGURATION, format!("client {client_id} does not have {redirect_uri}")));
    }
    Ok(())
}

/// Returns the account that the request names. It must be what `getAccounts` returned.
fn account(parameters: &Value, shared: &Shared) -> Result<Option<Account>, Refused> {
    let Some(sent) = parameters.get("account") else {
        return match parameters.get("username") {
            None => Ok(None),
            Some(_) => Err((API_CONTRACT_VIOLATION, "username without account".to_owned())),
        };
    };
    let state = shared.state();
    let known = state.accounts.iter().find(|known| sent["username"] == *known.address);
    let known = known.ok_or_else(|| (ACCOUNT_NOT_FOUND, "no such account".to_owned()))?;
    if *sent != response::account(known, shared) {
        return Err((API_CONTRACT_VIOLATION, format!("the account was altered: {sent}")));
    }
    if parameters["username"] != *known.address {
        return Err((API_CONTRACT_VIOLATION, "username is not that of the account".to_owned()));
    }
    Ok(Some(known.clone()))
}

fn scopes(requested: &Value, version: BrokerVersion) -> Result<Vec<String>, Refused> {
    let scopes: Option<Vec<String>> =
        requested.as_array().and_then(|list| list.iter().map(|scope| scope.as_str().map(ToOwned::to_owned)).collect());
    let scopes = scopes.unwrap_or_default();
    let is_openid = |scope: &String| OPENID.contains(&scope.as_str());
    if version == BrokerVersion::V3_0_1 && scopes.iter().any(is_openid) {
        return Err((UNEXPECTED, "declined scopes are present".to_owned()));
    }
    let resource: Vec<String> = scopes.into_iter().filter(|scope| !is_openid(scope)).collect();
    if resource.is_empty() || resource.iter().any(|scope| !scope.starts_with("https://")) {
        return Err((API_CONTRACT_VIOLATION, format!("requestedScopes are not in full: {requested}")));
    }
    Ok(resource)
}
