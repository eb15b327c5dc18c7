//! The requests, as JSON.

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::BrokerAccount;
use crate::config::Profile;

/// The redirect URI that the app registration must list under "Mobile and desktop applications".
pub(super) const REDIRECT_URI: &str = "https://login.microsoftonline.com/common/oauth2/nativeclient";

/// Whether the broker may open a window.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Interaction {
    None,
    Window,
}

impl Interaction {
    /// Returns the type that fits the method. Brokers after 2.0.1 refuse another one.
    fn authorization_type(self) -> u8 {
        match self {
            Self::None => 1,
            Self::Window => 6,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AuthParameters<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'a str>,
    authority: &'a str,
    authorization_type: u8,
    client_id: &'a str,
    redirect_uri: &'a str,
    requested_scopes: &'a [String],
    additional_query_parameters_for_authorization: Map<String, Value>,
    ux_context_handle: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    decoded_claims: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TokenRequest<'a> {
    auth_parameters: AuthParameters<'a>,
}

pub(super) fn version() -> String {
    json!({ "msalCppVersion": env!("CARGO_PKG_VERSION") }).to_string()
}

pub(super) fn accounts(profile: &Profile) -> String {
    json!({ "clientId": profile.client_id.as_str(), "redirectUri": REDIRECT_URI }).to_string()
}

pub(super) fn token(
    profile: &Profile,
    interaction: Interaction,
    account: Option<&BrokerAccount>,
    claims: Option<&str>,
    scopes: &[String],
) -> String {
    let authority = profile.authority.to_string();
    let auth_parameters = AuthParameters {
        account: account.map(|account| &*account.raw),
        username: account.map(|account| account.account.name.as_str()),
        authority: authority.trim_end_matches('/'),
        authorization_type: interaction.authorization_type(),
        client_id: profile.client_id.as_str(),
        redirect_uri: REDIRECT_URI,
        requested_scopes: scopes,
        additional_query_parameters_for_authorization: Map::new(),
        ux_context_handle: -1, // no window of ours
        decoded_claims: claims,
        prompt: (interaction == Interaction::Window && account.is_none()).then_some("select_account"),
    };
    serde_json::to_string(&TokenRequest { auth_parameters }).expect("texts and numbers are JSON")
}

/// Returns the scopes of the profile's service. The broker adds the scopes of OpenID Connect itself: version 3.0.1 fails
/// if they are requested (abraunegg/onedrive#3685).
pub(super) fn scopes(profile: &Profile) -> Vec<String> {
    profile.own_scopes_in_full().collect()
}

/// Returns a silent request for an account.
#[cfg(any(test, fuzzing))]
pub(crate) fn silent(profile: &Profile, account: &BrokerAccount) -> String {
    token(profile, Interaction::None, Some(account), None, &scopes(profile))
}
