//! The target `id_token`: the ID token of a token response.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::{assert_explained, assert_one_plain_line, configuration};
use crate::entra::{Account, id_token as id};
use crate::error::ErrorKind;

/// The nonce in the seeds.
pub(super) const NONCE: &str = "ourNonce42";

/// The input as an id_token, and as the claims of an id_token.
pub fn id_token(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(bytes));
    for id_token in [&*text, &token] {
        if validate(id_token, Some(NONCE)).is_ok() {
            assert!(validate(id_token, None).is_ok(), "a refresh requires less");
            assert!(validate(id_token, Some("another")).is_err(), "the nonce of another sign-in");
        }
    }
    // A claim that is not used may contain JSON that `Value` rejects.
    if validate(&token, Some(NONCE)).is_ok()
        && let Ok(claims) = serde_json::from_slice::<Value>(bytes)
    {
        let (issuer, tenant) = (claims["iss"].as_str(), claims["tid"].as_str());
        assert!(issuer.is_none_or(|issuer| issuer.split('/').any(|part| Some(part) == tenant)));
        assert_eq!((&claims["aud"], &claims["nonce"]), (&configuration::CLIENT_ID.into(), &NONCE.into()));
    }
}

fn validate(id_token: &str, nonce: Option<&str>) -> Result<Account, ()> {
    match id::account(Some(id_token), &configuration::profile().client_id, nonce) {
        Ok(account) => {
            let account = account.expect("an accepted id_token identifies an account");
            assert_names_account(&account);
            Ok(account)
        }
        Err(error) => {
            assert_explained(&error, &[ErrorKind::Protocol]);
            let known = ["unexpected response", "the response belongs to another sign-in"];
            assert!(known.iter().any(|start| error.to_string().starts_with(start)), "{error}");
            Err(())
        }
    }
}

/// Both IDs are there, and all texts are safe to show.
pub(super) fn assert_names_account(account: &Account) {
    assert!(!account.tenant_id.is_empty() && !account.object_id.is_empty(), "accounts without IDs would be equal");
    for text in [&account.tenant_id, &account.object_id, &account.name] {
        assert_one_plain_line(text);
    }
}
