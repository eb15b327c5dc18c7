//! The account that signed in, from the id_token. It comes from the token endpoint over TLS, so its signature need not
//! be verified (OpenID Connect Core 1.0, 3.1.3.7, item 6). Nonce, audience, issuer, tenant and expiry are verified.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::{self, Authority, Profile};
use crate::sanitize::for_terminal;

/// The names of the login host of each cloud, as MSAL lists them (the "aliases" of its instance discovery).
const ALIASES: [&[&str]; 3] = [
    &["login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"],
    &["login.microsoftonline.us", "login.usgovcloudapi.net"],
    &["login.partner.microsoftonline.cn", "login.chinacloudapi.cn"],
];

/// In seconds. The usual tolerance for clocks that differ.
pub(crate) const CLOCK_TOLERANCE: u64 = 5 * 60;

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

/// What an id_token says.
pub(crate) struct IdToken {
    /// The account, if the id_token names one. It is not verified if there is a fault.
    pub(crate) account: Option<Account>,
    /// Why the id_token is not valid.
    pub(crate) fault: Option<String>,
}

/// Parses and validates an id_token. With a nonce, the id_token must contain it. `now` is the server's time in seconds
/// since 1970: the clock of this machine may be wrong.
pub(crate) fn parse(id_token: &str, profile: &Profile, nonce: Option<&str>, now: u64) -> IdToken {
    let Some(claims) = claims(id_token) else {
        return IdToken { account: None, fault: Some("it is not a JSON Web Token".to_owned()) };
    };
    let account = account(&claims);
    let fault = match &account {
        None => Some("it does not name an account".to_owned()),
        Some(account) => fault(&claims, account, profile, nonce, now),
    };
    IdToken { account, fault }
}

fn claims(id_token: &str) -> Option<Value> {
    let payload = id_token.split('.').nth(1)?;
    let json = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&json).ok()
}

fn account(claims: &Value) -> Option<Account> {
    let text = |claim: &str| claims[claim].as_str().map(for_terminal).filter(|text| !text.is_empty());
    Some(Account {
        tenant_id: text("tid")?,
        object_id: text("oid")?,
        name: text("preferred_username").or_else(|| text("name")).unwrap_or_default(),
    })
}

fn fault(claims: &Value, account: &Account, profile: &Profile, nonce: Option<&str>, now: u64) -> Option<String> {
    let (client_id, tenant_id) = (profile.client_id.as_str(), &account.tenant_id);
    if nonce.is_some() && claims["nonce"].as_str() != nonce {
        return Some("its nonce does not belong to this sign-in".to_owned());
    }
    if !audiences(claims).iter().any(|audience| audience.eq_ignore_ascii_case(client_id)) {
        return Some(format!("it was not issued for client {client_id}"));
    }
    let issuer = claims["iss"].as_str().unwrap_or_default();
    if !is_issuer(issuer, &profile.authority, tenant_id) {
        return Some(format!(
            "its issuer is \"{}\", not tenant {tenant_id} of {}",
            for_terminal(issuer),
            profile.authority.host()
        ));
    }
    let tenant = profile.authority.tenant();
    // A tenant ID has the form of a client ID. The tenant ID of a domain or of `common` is not known here.
    if config::client_id(tenant).is_ok() && !tenant.eq_ignore_ascii_case(tenant_id) {
        return Some(format!("it was issued for tenant {tenant_id}, not {tenant}"));
    }
    match claims["exp"].as_f64() {
        Some(expires) if expires + CLOCK_TOLERANCE as f64 >= now as f64 => None,
        _ => Some("it has expired".to_owned()),
    }
}

/// Returns the claim `aud`: a text or a list (RFC 7519, 4.1.3).
fn audiences(claims: &Value) -> Vec<&str> {
    match &claims["aud"] {
        Value::Array(audiences) => audiences.iter().filter_map(Value::as_str).collect(),
        audience => audience.as_str().into_iter().collect(),
    }
}

/// Returns whether the issuer is this tenant, at the authority's host or at another name of it. Version 2.0 issuers are
/// `https://HOST/TENANT-ID/v2.0` (Microsoft: "Secure applications and APIs by validating claims").
fn is_issuer(issuer: &str, authority: &Authority, tenant_id: &str) -> bool {
    let Some((server, path)) = issuer.strip_prefix("https://").and_then(|rest| rest.split_once('/')) else {
        return false;
    };
    // Microsoft's issuers have no port, whatever the port of the authority.
    let (host, expected) = (server.split(':').next().unwrap_or_default(), authority.host());
    let is_alias = || ALIASES.iter().any(|names| names.contains(&host) && names.contains(&expected));
    (host == expected || is_alias()) && path.split('/').next() == Some(tenant_id)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Config;

    const CLIENT_ID: &str = "9e5f94bc-e8a4-4e73-b8be-63364c29d753";
    const TENANT_ID: &str = "3e6f0c9a-41d7-4b82-9a5e-7c0b2d8f1e64";
    /// The tenant of all personal accounts.
    const PERSONAL: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";
    const NOW: u64 = 1_800_000_000;

    fn profile(lines: &str) -> Profile {
        let config = Config::parse(Path::new("config.toml"), format!("client_id = '{CLIENT_ID}'\n{lines}"));
        config.expect("a configuration").profile(&"mail".parse().expect("a name")).expect("a profile")
    }

    fn claims(issuer: &str, tenant_id: &str) -> Value {
        serde_json::json!({
            "aud": CLIENT_ID, "iss": issuer, "exp": NOW + 3_900, "tid": tenant_id, "oid": "o",
            "preferred_username": "ada@example.com", "nonce": "n",
        })
    }

    fn ada() -> Value {
        claims(&format!("https://login.microsoftonline.com/{TENANT_ID}/v2.0"), TENANT_ID)
    }

    fn parse_claims(claims: &Value, lines: &str) -> IdToken {
        let text = format!("e30.{}.", URL_SAFE_NO_PAD.encode(claims.to_string()));
        parse(&text, &profile(lines), Some("n"), NOW)
    }

    #[track_caller]
    fn assert_valid(claims: &Value, lines: &str) {
        let id_token = parse_claims(claims, lines);
        assert_eq!((id_token.fault, id_token.account.is_some()), (None, true), "{claims} {lines}");
    }

    /// The account is readable, whatever else is wrong.
    #[track_caller]
    fn assert_fault(claims: &Value, lines: &str, fault: &str) {
        let id_token = parse_claims(claims, lines);
        assert!(id_token.fault.as_ref().is_some_and(|text| text.contains(fault)), "{:?} {claims}", id_token.fault);
        assert!(id_token.account.is_some(), "{claims}");
    }

    fn with(claim: &str, value: impl Into<Value>) -> Value {
        let mut claims = ada();
        claims[claim] = value.into();
        claims
    }

    #[test]
    fn the_account_has_tenant_id_object_id_and_name() {
        let account = parse_claims(&ada(), "").account.expect("an account");
        assert_eq!((&*account.tenant_id, &*account.object_id, &*account.name), (TENANT_ID, "o", "ada@example.com"));
    }

    #[test]
    fn the_nonce_must_be_that_of_the_sign_in() {
        assert_fault(&with("nonce", "another"), "", "nonce");
        assert_fault(&with("nonce", Value::Null), "", "nonce");
    }

    #[test]
    fn the_audience_is_a_text_or_a_list_with_the_client_id() {
        assert_valid(&with("aud", CLIENT_ID.to_uppercase()), "");
        assert_valid(&with("aud", vec!["another", CLIENT_ID]), "");
        for wrong in [Value::Null, "another".into(), vec!["another"].into(), Value::Array(Vec::new())] {
            assert_fault(&with("aud", wrong), "", CLIENT_ID);
        }
    }

    #[test]
    fn the_issuer_is_the_authority_or_another_name_of_its_cloud() {
        for (host, lines) in [
            ("login.windows.net", ""),
            ("sts.windows.net", ""),
            ("login.microsoft.com", "tenant = 'example.com'"),
            ("login.microsoftonline.com", "authority = 'https://login.windows.net/common/'"),
            ("login.microsoftonline.us", "cloud = 'us-gov'"),
            ("login.usgovcloudapi.net", "cloud = 'us-gov'"),
            ("login.partner.microsoftonline.cn", "cloud = 'china'"),
            ("login.chinacloudapi.cn", "cloud = 'china'"),
            ("login.example.com", "authority = 'https://login.example.com:8443/common/'"),
        ] {
            assert_valid(&with("iss", format!("https://{host}/{TENANT_ID}/v2.0")), lines);
        }
        let issuer = |issuer: &str| with("iss", issuer.replace("ID", TENANT_ID));
        for wrong in [
            "",
            "https://login.microsoftonline.com/",
            "https://login.microsoftonline.com/v2.0/ID",
            "https://login.microsoftonline.com/ID-2/v2.0",
            "https://login.microsoftonline.us/ID/v2.0",
            "https://login.example.net/ID/v2.0",
            "http://login.microsoftonline.com/ID/v2.0",
        ] {
            assert_fault(&issuer(wrong), "", "issuer");
        }
        assert_fault(&with("iss", Value::Null), "", "issuer");
        let custom = "authority = 'https://login.example.com/common/'";
        assert_fault(&ada(), custom, "issuer");
        assert_fault(&issuer("https://login.microsoftonline.com/ID/v2.0"), "cloud = 'china'", "issuer");
    }

    #[test]
    fn the_tenant_is_the_configured_one() {
        assert_valid(&ada(), &format!("tenant = '{}'", TENANT_ID.to_uppercase()));
        assert_fault(&ada(), &format!("tenant = '{CLIENT_ID}'"), "tenant");
    }

    #[test]
    fn a_personal_account_is_accepted() {
        let personal = claims(&format!("https://login.microsoftonline.com/{PERSONAL}/v2.0"), PERSONAL);
        for tenant in ["common", "consumers", PERSONAL] {
            assert_valid(&personal, &format!("tenant = '{tenant}'"));
        }
    }

    #[test]
    fn an_id_token_expires_with_five_minutes_of_leeway() {
        assert_valid(&with("exp", NOW - 299), "");
        for wrong in [Value::Null, 0.into(), (NOW - 301).into(), "tomorrow".into()] {
            assert_fault(&with("exp", wrong), "", "expired");
        }
    }

    #[test]
    fn a_malformed_id_token_does_not_name_an_account() {
        let without_oid = format!("e30.{}.", URL_SAFE_NO_PAD.encode(with("oid", "").to_string()));
        for text in ["", ".", "a.b.c", "a.e30.c", "a.\u{fffd}.c", &without_oid] {
            let id_token = parse(text, &profile(""), None, NOW);
            assert!(id_token.account.is_none() && id_token.fault.is_some(), "{text}");
        }
    }
}
