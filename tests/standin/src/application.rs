//! Tokens for an application itself (Microsoft: "client credentials flow").

use std::time::Instant;

use serde_json::json;

use crate::issue::{TokenResponse, encode};
use crate::parameters::Parameters;
use crate::platform::Platform;
use crate::random;
use crate::refusal::Refusal;
use crate::scope::{self, Scopes};
use crate::setup::{Account, App};
use crate::vault::{AccessToken, Vault};

/// What an administrator granted to every application, and what tokeninfo says of it: the mail server accepts the same
/// scopes as for a person.
const MAIL: &str = "https://outlook.office.com/IMAP.AccessAsUser.All https://outlook.office.com/SMTP.Send";

/// Issues a token for the application. It has no refresh token and no id_token.
pub(crate) fn client_credentials(
    platform: &Platform,
    vault: &mut Vault,
    tenant: &str,
    app: &App,
    parameters: &Parameters,
) -> Result<TokenResponse, Refusal> {
    match tenant {
        "common" | "consumers" => return Err(Refusal::new(9001023)),
        "organizations" => return Err(Refusal::new(50059)),
        _ if app.secret.is_none() => return Err(Refusal::new(7000218)),
        _ => {}
    }
    let requested = parameters.required("scope")?;
    if requested.contains(' ') || !requested.ends_with("/.default") {
        return Err(Refusal::new(1002012));
    }
    let scopes = Scopes::parse(requested)?;
    let resource = scopes.resource()?;
    let permissions = if scope::is_graph(resource) { Vec::new() } else { Scopes::parse(MAIL)?.permissions };
    let lifetime = platform.setup.lifetime();
    let claims = json!({
        "aud": resource,
        "appid": app.id,
        "idtyp": "app",
        "roles": ["IMAP.AccessAsApp", "SMTP.SendAsApp"],
        "tid": tenant,
        "uti": random::text(22),
        "ver": "1.0",
    });
    let length = random::number_in(platform.setup.access_token_length.clone());
    let unsigned = encode(&claims, "");
    let signature = random::encoded_bytes(length.saturating_sub(unsigned.len()).max(44) / 4 * 4);
    let token = vault.record_secret(unsigned + &signature);
    // The mail server compares this address with the user that signs in.
    let account = Account {
        address: vault.application_mailbox.clone().unwrap_or_default(),
        name: app.name.clone(),
        object_id: app.id.clone(),
        tenant: tenant.to_owned(),
    };
    vault.access_tokens.insert(token.clone(), AccessToken { account, permissions, expires: Instant::now() + lifetime });
    Ok(TokenResponse {
        token_type: "Bearer".into(),
        scope: String::new(),
        expires_in: Some(lifetime.as_secs().into()),
        ext_expires_in: lifetime.as_secs(),
        refresh_in: platform.setup.refresh_in.clone(),
        access_token: Some(token),
        refresh_token: None,
        id_token: None,
        client_info: None,
    })
}
