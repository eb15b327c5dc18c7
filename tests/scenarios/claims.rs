//! Claims challenges: what a refusal demands of the next requests.

use standin::{ADA, Setup, Standin};

use crate::support::Home;

/// What Microsoft demands of the next token (Microsoft: "Claims challenges").
const CLAIMS: &str = r#"{"access_token":{"acrs":{"essential":true,"value":"c1"}}}"#;

#[test]
fn claims_of_a_refusal_are_sent_until_a_sign_in_succeeds() {
    let home = Home::new();
    home.sign_in().token();
    home.standin.demand_claims(Some(CLAIMS));
    home.refresh().fails_with(77);
    home.refresh().token();
    home.sign_in().token();
    let sent = |path: &str| {
        let requests = home.standin.requests();
        let mut sent = requests.into_iter().filter(|request| request.path.ends_with(path));
        sent.next_back().and_then(|request| request.parameters.get("claims").cloned())
    };
    assert_eq!(sent("/authorize").as_deref(), Some(CLAIMS));
    assert_eq!(sent("/token").as_deref(), Some(CLAIMS));
    home.standin.demand_claims(None);
    home.refresh().token();
    assert_eq!(sent("/token"), None);
}

#[test]
fn claims_are_sent_with_a_device_code_request() {
    let setup = Setup { device_code_interval: std::time::Duration::from_secs(1), ..Setup::default() };
    let home = Home::with(Standin::start_with(setup));
    home.sign_in().token();
    home.standin.demand_claims(Some(CLAIMS));
    home.refresh().fails_with(77);
    let run = crate::sign_in_elsewhere::with_device_code(&home, &[], |origin, code| {
        standin::Browser::enter_device_code(origin, code, ADA, true).unwrap();
    });
    run.token();
}

#[test]
fn claims_that_are_not_json_or_too_long_are_ignored() {
    for claims in ["not json".to_owned(), format!("{{\"access_token\":\"{}\"}}", "x".repeat(4096))] {
        let home = Home::new();
        home.sign_in().token();
        home.standin.demand_claims(Some(&claims));
        home.refresh().fails_with(77);
        let record = std::fs::read_to_string(home.cache().join("records_mail.toml")).unwrap();
        assert!(!record.contains("claims"), "{record}");
    }
}

#[test]
fn claims_of_a_refused_sign_in_are_sent_by_the_next_one_even_if_a_token_is_stored() {
    let home = Home::new();
    home.sign_in().token();
    home.standin.demand_claims(Some(CLAIMS));
    let sign_in = home.begin_sign_in(&[]);
    sign_in.approve(ADA);
    sign_in.finish().fails_with(77);
    home.sign_in().token();
}

#[test]
fn claims_of_a_refused_sign_in_are_kept_beside_a_token_of_another_program() {
    let home = Home::new();
    home.store_token("mail"); // without a record, as the Python tool stores it
    home.standin.demand_claims(Some(CLAIMS));
    let sign_in = home.begin_sign_in(&[]);
    sign_in.approve(ADA);
    sign_in.finish().fails_with(77);
    home.sign_in().token();
}
