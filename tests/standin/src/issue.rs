//! The successful response of `/token`.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::{Value, json};

use crate::platform::{Caller, Platform};
use crate::random;
use crate::refusal::Refusal;
use crate::scope::{self, Permission, Scopes};
use crate::setup::Account;
use crate::vault::{AccessToken, Vault};

/// What an authorization code, a refresh token or a device code grants.
pub(crate) struct Grant {
    pub client_id: String,
    pub account: Account,
    /// Scopes of this token request.
    pub scopes: Scopes,
    /// Scopes of the sign-in, which the next refresh token inherits.
    pub signed_in: Scopes,
    pub offline_access: bool,
    pub nonce: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct TokenResponse {
    pub token_type: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<Value>,
    pub ext_expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_in: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_info: Option<String>,
}

impl TokenResponse {
    pub fn json(self, caller: &Caller) -> Response {
        (caller.headers(), Json(self)).into_response()
    }
}

impl Grant {
    pub fn issue(
        self,
        platform: &Platform,
        vault: &mut Vault,
        wants_client_info: bool,
    ) -> Result<TokenResponse, Refusal> {
        let resource = self.scopes.resource()?;
        let permissions = vault.consented(&self.client_id, &self.account, &self.scopes.permissions)?;
        let lifetime = platform.setup.lifetime();
        let access_token = vault.record_secret(self.access_token(platform, resource, &permissions));
        let entry = AccessToken {
            account: self.account.clone(),
            permissions: permissions.clone(),
            expires: Instant::now() + lifetime,
        };
        vault.access_tokens.insert(access_token.clone(), entry);
        let refresh_token = self.offline_access.then(|| {
            vault.issue_refresh_token(&platform.setup, &self.client_id, &self.account, self.signed_in.clone())
        });
        Ok(TokenResponse {
            token_type: "Bearer".into(),
            scope: self.scope(resource, &permissions),
            expires_in: Some(lifetime.as_secs().into()),
            ext_expires_in: lifetime.as_secs(),
            refresh_in: platform.setup.refresh_in.clone(),
            access_token: Some(access_token),
            refresh_token,
            id_token: self.scopes.openid.then(|| encode(&self.id_token_claims(platform), &random::text(342))),
            client_info: wants_client_info.then(|| {
                let client_info = json!({ "uid": self.account.object_id, "utid": self.account.tenant });
                URL_SAFE_NO_PAD.encode(client_info.to_string())
            }),
        })
    }

    /// Returns the `scope` of the response. Microsoft includes the OpenID Connect scopes for Graph only.
    fn scope(&self, resource: &str, permissions: &[Permission]) -> String {
        let openid = [("profile", self.scopes.profile), ("openid", self.scopes.openid), ("email", self.scopes.email)];
        let is_graph = scope::is_graph(resource);
        let openid = openid.iter().filter(|(_, requested)| *requested && is_graph).map(|(name, _)| (*name).to_owned());
        openid.chain(permissions.iter().map(ToString::to_string)).collect::<Vec<_>>().join(" ")
    }

    fn access_token(&self, platform: &Platform, resource: &str, permissions: &[Permission]) -> String {
        let names: Vec<&str> = permissions.iter().map(|permission| permission.name.as_str()).collect();
        let length = random::number_in(platform.setup.access_token_length.clone());
        let unsigned = |id_length: usize| {
            let claims = json!({
                "aud": resource,
                "iss": format!("https://sts.windows.net/{}/", self.account.tenant),
                "appid": self.client_id,
                "oid": self.account.object_id,
                "scp": names.join(" "),
                "tid": self.account.tenant,
                "uti": random::text(id_length),
                "ver": "1.0",
            });
            encode(&claims, "")
        };
        // Base64url never has a length of 4n + 1 characters.
        let unsigned = [22, 23].map(unsigned);
        let unsigned = unsigned.into_iter().find(|text| length.saturating_sub(text.len()) % 4 != 1).unwrap_or_default();
        // Random bytes instead of a signature fill the token up to the chosen length.
        let signature = random::encoded_bytes(length.saturating_sub(unsigned.len()).max(43));
        unsigned + &signature
    }

    fn id_token_claims(&self, platform: &Platform) -> Value {
        let now = unix_time() - platform.setup.clock_behind.as_secs();
        let account = &self.account;
        let mut claims = json!({
            "aud": self.client_id,
            "iss": format!("{}/{}/v2.0", platform.issuer_origin(), account.tenant),
            "iat": now,
            "nbf": now,
            "exp": now + 3_900,
            "oid": account.object_id,
            "sub": subject(&self.client_id, account),
            "tid": account.tenant,
            "uti": random::text(22),
            "ver": "2.0",
        });
        if self.scopes.profile {
            claims["name"] = account.name.clone().into();
            claims["preferred_username"] = account.address.clone().into();
        }
        if self.scopes.email {
            claims["email"] = account.address.clone().into();
        }
        if let Some(nonce) = &self.nonce {
            claims["nonce"] = nonce.clone().into();
        }
        claims
    }
}

/// Encodes claims as a JWT. `signature` is arbitrary text: clients receive an ID token over TLS and need not verify its
/// signature (OpenID Connect Core §3.1.3.7).
pub(crate) fn encode(claims: &Value, signature: &str) -> String {
    let header = json!({ "typ": "JWT", "alg": "RS256", "kid": "standin" });
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{signature}", part(&header), part(claims))
}

pub(crate) fn unix_time() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is set after 1970").as_secs()
}

/// Returns a pairwise subject identifier, which differs from client to client.
fn subject(client_id: &str, account: &Account) -> String {
    use sha2::{Digest, Sha256};
    URL_SAFE_NO_PAD.encode(Sha256::digest(format!("{client_id} {}", account.object_id)))
}
