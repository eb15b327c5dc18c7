//! The target `id_token`: the ID token of a token response.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::{assert_one_plain_line, configuration};
use crate::entra::{Account, id_token as id};

/// The nonce in the seeds.
pub(super) const NONCE: &str = "ourNonce42";
/// The server's time in the seeds, in seconds since 1970.
pub(super) const NOW: u64 = 1_767_323_045;

/// The input as an id_token, and as the claims of an id_token.
pub fn id_token(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(bytes));
    for id_token in [&*text, &token] {
        if is_valid(id_token, Some(NONCE)) {
            assert!(is_valid(id_token, None), "a refresh requires less");
            assert!(!is_valid(id_token, Some("another")), "the nonce of another sign-in");
        }
    }
    if is_valid(&token, Some(NONCE)) {
        let claims: Value = serde_json::from_slice(bytes).expect("the claims are JSON");
        let (issuer, tenant) = (claims["iss"].as_str().expect("an issuer"), claims["tid"].as_str().expect("a tenant"));
        assert!(issuer.starts_with("https://") && issuer.contains(&format!("/{tenant}")), "{issuer}");
        assert_eq!(claims["nonce"], NONCE);
        assert!(claims["aud"].to_string().to_lowercase().contains(configuration::CLIENT_ID), "{claims}");
        assert!(claims["exp"].as_f64().is_some_and(|expires| expires > 1.7e9), "{claims}");
    }
}

/// Returns whether the id_token is accepted. An accepted one names an account. A fault is one plain line.
fn is_valid(id_token: &str, nonce: Option<&str>) -> bool {
    let parsed = id::parse(id_token, configuration::profile(), nonce, NOW);
    parsed.account.iter().for_each(assert_names_account);
    match parsed.fault {
        None => assert!(parsed.account.is_some(), "an accepted id_token names an account"),
        Some(ref fault) => assert_one_plain_line(fault),
    }
    parsed.fault.is_none()
}

/// Both IDs are there, and all texts are safe to show.
pub(super) fn assert_names_account(account: &Account) {
    assert!(!account.tenant_id.is_empty() && !account.object_id.is_empty(), "accounts without IDs would be equal");
    for text in [&account.tenant_id, &account.object_id, &account.name] {
        assert_one_plain_line(text);
    }
}
