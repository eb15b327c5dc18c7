//! The target `broker_answer`: answers of the identity broker to each of its methods.

use super::id_token::assert_names_account;
use super::{assert_explained, assert_not_leaked, assert_one_plain_line, configuration};
use crate::broker::{parse_accounts, parse_token, parse_version, silent_request, usernames, with_username};
use crate::entra::{Access, Flow};
use crate::error::{Error, ErrorKind};
use crate::sanitize::is_well_formed_token;

/// The time of the answer, in seconds since 1970.
const NOW: u64 = 1_795_668_245;
/// The start of every access token in the seeds.
const SECRET: &str = "eyJ0eXAi";
/// An account that was sent with the request.
const SENT: &str =
    r#"{"accounts":[{"username":"ada@example.com","homeAccountId":"1.2","localAccountId":"1","realm":"2"}]}"#;

/// An answer, as if it came from `getLinuxBrokerVersion`, `getAccounts` and both methods that return tokens.
pub fn broker_answer(bytes: &[u8]) {
    let answer = &*String::from_utf8_lossy(bytes); // D-Bus transports UTF-8 only
    match parse_version(answer) {
        Ok(version) => assert_one_plain_line(&version),
        Err(error) => assert_failed(&error),
    }
    check_accounts(answer);
    let sent = parse_accounts(SENT, configuration::profile()).expect("accounts");
    for (sent, flow) in
        [(sent.first(), Flow::Refresh), (sent.first(), Flow::AuthorizationCode), (None, Flow::AuthorizationCode)]
    {
        match parse_token(answer, sent, configuration::profile(), flow, NOW) {
            Ok(access) => {
                assert_valid(&access);
                let names_sent = sent.is_none_or(|sent| access.account.as_ref().is_some_and(|other| sent.is(other)));
                assert!(names_sent, "a token belongs to the account of the request");
            }
            Err(error) => assert_failed(&error),
        }
    }
}

/// Each account is sent back as it was received, and each user name chooses an account.
fn check_accounts(answer: &str) {
    let profile = configuration::profile();
    let accounts = match parse_accounts(answer, profile) {
        Ok(accounts) => accounts,
        Err(error) => return assert_failed(&error),
    };
    for known in &accounts {
        assert_names_account(&known.account);
        let request = silent_request(profile, known);
        assert!(answer.contains(known.raw.get()) && request.contains(known.raw.get()));
        assert!(serde_json::from_str::<serde_json::Value>(&request).is_ok());
    }
    for name in usernames(&accounts) {
        assert!(with_username(&accounts, name, profile).is_some());
    }
}

fn assert_valid(access: &Access) {
    assert!(is_well_formed_token(access.token.secret()));
    access.account.iter().for_each(assert_names_account);
    if let Some(lifetime) = access.lifetime {
        assert!(lifetime.expires >= NOW + 60);
    }
    access.scopes.iter().for_each(|scope| assert_one_plain_line(scope.as_str()));
}

/// The error is explained, and repeats nothing of the answer except the texts of the broker's errors.
fn assert_failed(error: &Error) {
    use ErrorKind::{Configuration, Protocol, SignIn, TryLater};
    assert_explained(error, &[Configuration, Protocol, SignIn, TryLater]);
    // A text of an error may contain anything.
    if !error.refusal().is_some_and(|refusal| format!("{refusal:?}").contains(SECRET)) {
        assert_not_leaked(error, SECRET);
    }
}
