//! Reading the broker's answers. Parsing is lenient: versions differ, and fields are added.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oauth2::Scope;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{BrokerAccount, failure};
use crate::config::Profile;
use crate::entra::{Access, Account, Flow, Lifetime, id_token};
use crate::error::{Error, ErrorKind, Result};
use crate::sanitize::{for_terminal, is_well_formed_token};
use crate::token::AccessToken;

/// A time below this is in seconds, not in milliseconds: in milliseconds it would be before 1974.
const FIRST_MILLISECONDS: u64 = 100_000_000_000;
/// In seconds. A shorter lifetime is a mistake of the broker: old versions of himmelblau add seconds to milliseconds.
const SHORTEST_LIFETIME: u64 = 60;

/// Returns the version in an answer to `getLinuxBrokerVersion`.
pub(crate) fn version(answer: &str) -> Result<String> {
    let answer: Value = serde_json::from_str(answer).map_err(|_| not_json())?;
    let version = answer["linuxBrokerVersion"].as_str().map(for_terminal).filter(|version| !version.is_empty());
    version.ok_or_else(|| failure::unexpected("its answer contains no version"))
}

#[derive(Deserialize)]
struct Accounts {
    accounts: Option<Vec<Box<RawValue>>>,
    error: Option<Value>,
}

/// Returns the accounts in an answer to `getAccounts`.
pub(crate) fn accounts(answer: &str, profile: &Profile) -> Result<Vec<BrokerAccount>> {
    let answer: Accounts = serde_json::from_str(answer).map_err(|_| not_json())?;
    if let Some(error) = answer.error {
        return Err(failure::into_error(failure::parse(&error, &Value::Null), profile, Flow::Refresh));
    }
    let accounts = answer.accounts.ok_or_else(|| failure::unexpected("its answer contains no accounts"))?;
    Ok(accounts.iter().filter_map(|raw| BrokerAccount::parse(raw)).collect())
}

/// Returns the access token in an answer to a request for a token. `sent` is the account of the request.
pub(crate) fn token(
    answer: &str,
    sent: Option<&BrokerAccount>,
    profile: &Profile,
    flow: Flow,
    now: u64,
) -> Result<Access> {
    let answer: Value = serde_json::from_str(answer).map_err(|_| not_json())?;
    let response = answer.get("brokerTokenResponse").unwrap_or(&answer);
    let error = [response, &answer].into_iter().find_map(|part| part.get("error").filter(|error| !error.is_null()));
    if let Some(error) = error {
        return Err(failure::into_error(failure::parse(error, response), profile, flow));
    }
    let token = response["accessToken"].as_str().filter(|token| is_well_formed_token(token));
    let token = token.ok_or_else(|| failure::unexpected("its answer contains no valid access token"))?;
    let account = account(response, sent, profile, now)?;
    let lifetime = expires_in(&response["expiresOn"], now).map(|seconds| Lifetime::new(now, seconds, None));
    Ok(Access {
        token: AccessToken::new(token.to_owned()),
        lifetime,
        scopes: scopes(&response["grantedScopes"]),
        account: Some(account),
    })
}

/// Returns the account of the token. Version 3.0.1 and himmelblau do not name it: it is then the account of the
/// request.
fn account(response: &Value, sent: Option<&BrokerAccount>, profile: &Profile, now: u64) -> Result<Account> {
    let of_answer = serde_json::value::to_raw_value(&response["account"]).ok();
    let of_answer = of_answer.and_then(|raw| BrokerAccount::parse(&raw)).map(|known| known.account);
    let id_token = response["idToken"].as_str().map(|id_token| id_token::parse(id_token, profile, None, now));
    let Some(sent) = sent else {
        let of_id_token = id_token.filter(|id_token| id_token.fault.is_none()).and_then(|id_token| id_token.account);
        return of_answer
            .or(of_id_token)
            .ok_or_else(|| failure::unexpected("its answer does not say which account signed in"));
    };
    // In the tenant of another organisation the account has another object ID; `clientInfo` names its home.
    let is_home = client_info(response).is_some_and(|home| home == sent.home_account_id);
    let named = of_answer.or(id_token.and_then(|id_token| id_token.account));
    match named.filter(|named| !is_home && !sent.is(named)) {
        None => Ok(sent.account.clone()),
        Some(other) => Err(Error::new(
            ErrorKind::Protocol,
            format!("the identity broker returned a token for {}, not for {}", other.name, sent.account.name),
        )
        .hint(format!("run `get-token --profile {:#}` to choose the account again", profile.name))),
    }
}

/// Returns the object ID and the tenant ID of the home tenant, with a dot between them.
fn client_info(response: &Value) -> Option<String> {
    let text = response["clientInfo"].as_str()?.trim_end_matches('=');
    let info: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
    Some(format!("{}.{}", info["uid"].as_str()?, info["utid"].as_str()?).to_lowercase())
}

/// Returns in how many seconds a token expires, if the answer is plausible.
fn expires_in(expires_on: &Value, now: u64) -> Option<u64> {
    let number = expires_on.as_u64().or_else(|| expires_on.as_str()?.parse().ok())?;
    let seconds = if number < FIRST_MILLISECONDS { number } else { number / 1000 };
    seconds.checked_sub(now).filter(|seconds| *seconds >= SHORTEST_LIFETIME)
}

/// Returns the scopes of a text or of a list.
fn scopes(granted: &Value) -> Vec<Scope> {
    let texts: Vec<&str> = match granted {
        Value::Array(scopes) => scopes.iter().filter_map(Value::as_str).collect(),
        scopes => scopes.as_str().into_iter().collect(),
    };
    let scopes = texts.iter().flat_map(|text| text.split_whitespace());
    scopes.map(|scope| Scope::new(for_terminal(scope))).collect()
}

fn not_json() -> Error {
    failure::unexpected("its answer is not JSON")
}

#[cfg(test)]
mod tests {
    use super::super::tests::profile;
    use super::*;

    const NOW: u64 = 1_795_668_245;

    fn sent() -> BrokerAccount {
        let raw = r#"{"username":"ada@example.com","homeAccountId":"o.home","localAccountId":"guest","realm":"t"}"#;
        BrokerAccount::parse(&RawValue::from_string(raw.to_owned()).expect("JSON")).expect("an account")
    }

    fn read(fields: &str, sent: Option<&BrokerAccount>) -> Result<Access> {
        let answer = format!(r#"{{"brokerTokenResponse":{{"accessToken":"a.b.c",{fields}}}}}"#);
        token(&answer, sent, &profile(), Flow::Refresh, NOW)
    }

    #[test]
    fn an_expiry_is_in_milliseconds_or_seconds_and_an_implausible_one_is_unknown() {
        for (expires_on, seconds) in [
            ("1795671845629", Some(3600)),
            ("1795671845", Some(3600)),
            ("\"1795671845629\"", Some(3600)),
            ("1795668305000", Some(60)),
            ("1795668304999", None),
            ("3599", None),
            ("0", None),
            ("-1", None),
            ("null", None),
            ("\"soon\"", None),
        ] {
            let access = read(&format!("\"expiresOn\":{expires_on}"), Some(&sent())).expect("a token");
            let expires = access.lifetime.map(|lifetime| lifetime.expires);
            assert_eq!(expires, seconds.map(|seconds| NOW + seconds), "{expires_on}");
        }
    }

    #[test]
    fn granted_scopes_are_a_text_or_a_list() {
        for granted in [r#""a b""#, r#"["a","b"]"#] {
            let access = read(&format!("\"grantedScopes\":{granted}"), Some(&sent())).expect("a token");
            assert_eq!(access.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        }
    }

    #[test]
    fn the_token_belongs_to_the_account_of_the_request_at_home_or_as_a_guest() {
        let account = |name: &str, home: &str, local: &str, realm: &str| {
            format!(
                r#""account":{{"username":"{name}","homeAccountId":"{home}","localAccountId":"{local}","realm":"{realm}"}}"#
            )
        };
        let home = URL_SAFE_NO_PAD.encode(r#"{"uid":"O","utid":"home"}"#);
        for (fields, is_accepted) in [
            ("\"accessTokenType\":7".to_owned(), true),
            (account("ada@example.com", "o.home", "guest", "t"), true),
            (account("ada@example.com", "o.home", "o", "home"), true),
            (account("ada@example.com", "o.home", "another", "tenant"), false),
            (format!("\"clientInfo\":\"{home}\",{}", account("ada@example.com", "o.home", "another", "tenant")), true),
            (account("grace@example.com", "p.home", "p", "home"), false),
        ] {
            let read = read(&fields, Some(&sent()));
            assert_eq!(read.is_ok(), is_accepted, "{fields}: {read:?}");
        }
        let chosen = read(&account("grace@example.com", "p.home", "p", "home"), None).expect("a token");
        assert_eq!(chosen.account.expect("an account").name, "grace@example.com");
        assert_eq!(read("\"idToken\":\"a.b.c\"", None).expect_err("no account").kind(), ErrorKind::Protocol);
    }
}
