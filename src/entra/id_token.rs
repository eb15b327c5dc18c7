//! Who signed in. The id_token came over TLS from the token endpoint itself, so that its signature need not be checked
//! (OpenID Connect Core 1.0, 3.1.3.7, item 6); its audience and nonce are.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oauth2::ClientId;
use serde::{Deserialize, Serialize};

use super::http::unexpected_response;
use crate::error::{Error, ErrorKind, Result};
use crate::sanitize::for_terminal;

/// A Microsoft account. Tenant and object ID identify it (Microsoft: "ID token claims reference"); the name is for
/// display, may change, and need not be the mail address.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct Account {
    /// `tid`
    pub tenant_id: String,
    /// `oid`
    pub object_id: String,
    /// `preferred_username`, without anything that could steer a terminal.
    pub name: String,
}

impl Account {
    /// Whether the two are one account, whatever it is called.
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

/// The account that the id_token names, if there is one. With a nonce there must be one that repeats it.
pub(crate) fn account(id_token: Option<&str>, client_id: &ClientId, nonce: Option<&str>) -> Result<Option<Account>> {
    let Some(id_token) = id_token else {
        return match nonce {
            Some(_) => Err(unexpected_response("it has no id_token")),
            None => Ok(None),
        };
    };
    let claims = claims(id_token).ok_or_else(|| unexpected_response("the id_token in it is none"))?;
    if nonce.is_some() && claims.nonce.as_deref() != nonce {
        return Err(wrong_sign_in("its nonce is not ours"));
    }
    if claims.aud != client_id.as_str() {
        return Err(wrong_sign_in("it was issued to another client"));
    }
    // "The issuer's tenant must be the token's" (Microsoft: "Secure applications and APIs by validating claims").
    if claims.iss.as_ref().is_some_and(|issuer| !issuer.split('/').any(|part| part == claims.tid)) {
        return Err(wrong_sign_in("its issuer is of another tenant"));
    }
    let (tenant_id, object_id) = (for_terminal(&claims.tid), for_terminal(&claims.oid));
    if tenant_id.is_empty() || object_id.is_empty() {
        return Err(unexpected_response("the id_token in it names no account"));
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
    Error::new(ErrorKind::Protocol, format!("the answer belongs to another sign-in: {why}"))
        .hint("nothing was stored; run `get-token` again, and finish the sign-in that it opens")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_token(claims: &str) -> String {
        format!("e30.{}.", URL_SAFE_NO_PAD.encode(claims))
    }

    fn read(claims: &str, nonce: Option<&str>) -> Result<Option<Account>> {
        account(Some(&id_token(claims)), &ClientId::new("client".to_owned()), nonce)
    }

    const ADA: &str = r#"{"aud":"client","iss":"https://login.example/tenant/v2.0","tid":"tenant","oid":"o","preferred_username":"ada@example.com","nonce":"n"}"#;

    #[test]
    fn the_account_is_tenant_and_object_with_a_name_for_display() {
        let account = read(ADA, Some("n")).expect("good claims").expect("an account");
        assert_eq!((&*account.tenant_id, &*account.object_id, &*account.name), ("tenant", "o", "ada@example.com"));
    }

    #[test]
    fn another_nonce_or_audience_is_another_sign_in() {
        for (claims, nonce) in [
            (ADA.to_owned(), "other"),
            (ADA.replace("client", "mallory"), "n"),
            (ADA.replace("/tenant/", "/another/"), "n"),
            (ADA.replace("/tenant/", "/tenant-2/"), "n"),
        ] {
            let error = read(&claims, Some(nonce)).expect_err("must be refused");
            assert_eq!(error.kind(), ErrorKind::Protocol);
        }
    }

    #[test]
    fn what_is_no_id_token_is_no_answer() {
        let nobody = id_token(&ADA.replace(r#""oid":"o""#, r#""oid":"""#));
        for text in ["", ".", "a.b.c", "a.e30.c", "a.\u{fffd}.c", &nobody] {
            let read = account(Some(text), &ClientId::new("client".to_owned()), None);
            assert_eq!(read.expect_err(text).kind(), ErrorKind::Protocol);
        }
        assert!(account(None, &ClientId::new("client".to_owned()), Some("n")).is_err());
        assert_eq!(account(None, &ClientId::new("client".to_owned()), None).expect("a refresh may lack it"), None);
    }
}
