//! The account that signed in, from the id_token. It comes from the token endpoint over TLS, so that its signature need not
//! be verified (OpenID Connect Core 1.0, 3.1.3.7, item 6). Audience, issuer and nonce are verified.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oauth2::ClientId;
use serde::{Deserialize, Serialize};

use super::http::unexpected_response;
use crate::error::{Error, ErrorKind, Result};
use crate::sanitize::for_terminal;

/// A Microsoft account.
///
/// Tenant ID and object ID identify the account (Microsoft: "ID token claims reference"). The name is for display only:
/// it may change, and it may differ from the mail address.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct Account {
    /// The ID of the account's tenant (the claim `tid`).
    pub tenant_id: String,
    /// The ID of the account within its tenant (the claim `oid`).
    pub object_id: String,
    /// The user name, such as `ada@example.com` (the claim `preferred_username`), without control characters.
    pub name: String,
}

impl Account {
    /// Whether both are the same account. Names are not compared, because they may change.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        (&self.tenant_id, &self.object_id) == (&other.tenant_id, &other.object_id)
    }
}

#[derive(Deserialize)]
struct Claims {
    aud: String,
    iss: Option<String>,
    tid: String,
    oid: String,
    preferred_username: Option<String>,
    name: Option<String>,
    nonce: Option<String>,
}

/// Validates the id_token and returns its account, or `None` if there is no id_token. With a nonce, an id_token that
/// contains it is required.
pub(crate) fn account(id_token: Option<&str>, client_id: &ClientId, nonce: Option<&str>) -> Result<Option<Account>> {
    let Some(id_token) = id_token else {
        return match nonce {
            Some(_) => Err(unexpected_response("the token response has no id_token")),
            None => Ok(None),
        };
    };
    let claims = claims(id_token).ok_or_else(|| unexpected_response("the id_token is not valid"))?;
    if nonce.is_some() && claims.nonce.as_deref() != nonce {
        return Err(wrong_sign_in("the nonce of its id_token does not match"));
    }
    if claims.aud != client_id.as_str() {
        return Err(wrong_sign_in(&format!("its id_token was not issued for client {}", client_id.as_str())));
    }
    // The issuer must be of the tenant in `tid` (Microsoft: "Secure applications and APIs by validating claims").
    if claims.iss.as_ref().is_some_and(|issuer| !issuer.split('/').any(|part| part == claims.tid)) {
        return Err(wrong_sign_in("issuer and tenant of its id_token do not match"));
    }
    let (tenant_id, object_id) = (for_terminal(&claims.tid), for_terminal(&claims.oid));
    if tenant_id.is_empty() || object_id.is_empty() {
        return Err(unexpected_response("the id_token does not identify an account"));
    }
    Ok(Some(Account {
        tenant_id,
        object_id,
        name: for_terminal(&claims.preferred_username.or(claims.name).unwrap_or_default()),
    }))
}

fn claims(id_token: &str) -> Option<Claims> {
    let payload = id_token.split('.').nth(1)?;
    let json = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&json).ok()
}

fn wrong_sign_in(why: &str) -> Error {
    Error::new(ErrorKind::Protocol, format!("the response belongs to another sign-in: {why}"))
        .hint("run `get-token` again and complete the sign-in that it opens; nothing was stored")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_token(claims: &str) -> String {
        format!("e30.{}.", URL_SAFE_NO_PAD.encode(claims))
    }

    fn validate(claims: &str, nonce: Option<&str>) -> Result<Option<Account>> {
        account(Some(&id_token(claims)), &ClientId::new("client".to_owned()), nonce)
    }

    const ADA: &str = r#"{"aud":"client","iss":"https://login.example/tenant/v2.0","tid":"tenant","oid":"o","preferred_username":"ada@example.com","nonce":"n"}"#;

    #[test]
    fn the_account_has_tenant_id_object_id_and_name() {
        let account = validate(ADA, Some("n")).expect("good claims").expect("an account");
        assert_eq!((&*account.tenant_id, &*account.object_id, &*account.name), ("tenant", "o", "ada@example.com"));
    }

    #[test]
    fn another_nonce_audience_or_issuer_is_rejected() {
        for (claims, nonce) in [
            (ADA.to_owned(), "other"),
            (ADA.replace("client", "mallory"), "n"),
            (ADA.replace("/tenant/", "/another/"), "n"),
            (ADA.replace("/tenant/", "/tenant-2/"), "n"),
        ] {
            let error = validate(&claims, Some(nonce)).expect_err("must be refused");
            assert_eq!(error.kind(), ErrorKind::Protocol);
        }
    }

    #[test]
    fn a_malformed_id_token_is_rejected() {
        let without_oid = id_token(&ADA.replace(r#""oid":"o""#, r#""oid":"""#));
        for text in ["", ".", "a.b.c", "a.e30.c", "a.\u{fffd}.c", &without_oid] {
            let result = account(Some(text), &ClientId::new("client".to_owned()), None);
            assert_eq!(result.expect_err(text).kind(), ErrorKind::Protocol);
        }
        assert!(account(None, &ClientId::new("client".to_owned()), Some("n")).is_err());
        assert_eq!(account(None, &ClientId::new("client".to_owned()), None).expect("optional in a refresh"), None);
    }
}
