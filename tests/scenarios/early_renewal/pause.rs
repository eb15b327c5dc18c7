//! The pause after an attempt that failed.

use std::time::{Duration, Instant};

use standin::{ADA, CLIENT_SECRET, CONFIDENTIAL_CLIENT_ID, Fault, Outage, PUBLIC_CLIENT_ID};

use super::{assert_hands_out, due_token, fifty_callers, home_with_due_token, home_with_lifetime};
use crate::support::eventually;

#[test]
fn after_the_pause_another_attempt_is_made() {
    let home = home_with_lifetime(60); // a pause of 3 s
    home.store_token("mail");
    let due = due_token(&home);
    home.standin.inject(Fault::aadsts(50_196));
    assert_hands_out(&home, &due);
    assert_hands_out(&home, &due);
    assert_eq!(home.standin.token_requests(), 2);
    eventually("the token is renewed", || home.refresh().token() != due);
}

#[test]
fn no_attempt_is_repeated_in_the_pause_if_one_was_killed() {
    let (home, due) = home_with_due_token();
    home.standin.set_outage(Some(Outage::Silent));
    let before = home.standin.connections();
    let mut killed = home.command("refresh-token").stdout(std::process::Stdio::null()).spawn().unwrap();
    eventually("the attempt has begun", || home.standin.connections() == before + 1);
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert_hands_out(&home, &due);
    assert_eq!(home.standin.connections(), before + 1);
}

#[test]
fn a_call_in_the_pause_does_not_open_the_lock() {
    let (home, due) = home_with_due_token();
    home.standin.inject(Fault::aadsts(50_196));
    assert_hands_out(&home, &due);
    let lock = home.cache().join("lock_mail");
    std::fs::remove_file(&lock).unwrap();
    assert_hands_out(&home, &due);
    assert!(!lock.exists());
}

#[test]
fn a_refusal_alarms_at_once_and_stops_attempts_until_the_configuration_changes() {
    let home = home_with_lifetime(60); // a pause of 3 s after other failures
    let hook = home.path().join("hook");
    let script =
        "echo \"$M365AUTH_EXIT|$M365AUTH_REFERENCE|$M365AUTH_HINT\" >$HOME/said.new; mv $HOME/said.new $HOME/said";
    std::fs::write(&hook, format!("#!/bin/sh\n{script}\n")).unwrap();
    let configure = |secret: &str| {
        let configuration = home.configuration_with_memory().replace(PUBLIC_CLIENT_ID, CONFIDENTIAL_CLIENT_ID);
        let hook = hook.display();
        home.configure(&format!("client_secret = '{secret}'\non_sign_in_needed = ['sh', '{hook}']\n{configuration}"));
    };
    configure(CLIENT_SECRET);
    home.put_token("mail", &home.standin.seed_refresh_token(CONFIDENTIAL_CLIENT_ID, ADA));
    let due = due_token(&home);

    configure("an-old-secret");
    assert_hands_out(&home, &due);
    let said = home.path().join("said");
    eventually("the program has run", || said.exists());
    let said = std::fs::read_to_string(said).unwrap();
    assert!(said.starts_with("78|AADSTS7000215, trace ") && said.contains("create a client secret"), "{said}");
    let status = home.run("get-token", ["--status", "--profile", "mail"]);
    assert_eq!(status.code, Some(78), "{status:?}");
    assert!(
        status.stdout.contains("mail: configuration change needed since ") && status.stdout.contains("(AADSTS7000215)")
    );

    let requests = home.standin.token_requests();
    let after_the_usual_pause = Instant::now() + Duration::from_secs(4);
    eventually("the usual pause is over", || Instant::now() > after_the_usual_pause);
    assert_hands_out(&home, &due);
    assert_eq!(home.standin.token_requests(), requests);

    configure(CLIENT_SECRET);
    assert_ne!(home.refresh().token(), due);
    assert_eq!(home.run("get-token", ["--status", "--profile", "mail"]).code, Some(0));
}

#[test]
fn a_sign_in_ends_the_pause_after_a_refusal() {
    let (home, due) = home_with_due_token();
    home.standin.revoke_all(50_173);
    assert_hands_out(&home, &due);
    let new = home.sign_in().token().to_owned();
    assert_ne!(new, due);
    eventually("the new token is renewed once it is due", || home.refresh().token() != new);
    assert_eq!(home.run("get-token", ["--status", "--profile", "mail"]).code, Some(0));
}

#[test]
fn throttling_pauses_the_attempts_of_all_callers_for_the_requested_time() {
    for status in [429, 503] {
        let home = home_with_lifetime(60); // a pause of 3 s after other failures
        home.store_token("mail");
        let due = due_token(&home);
        home.standin.inject(Fault::Status { status, retry_after: Some("6".to_owned()) });
        let begun = Instant::now();
        assert!(fifty_callers(&home).iter().all(|token| *token == due));
        eventually("the token is renewed", || home.refresh().token() != due);
        assert!(begun.elapsed() >= Duration::from_secs(5), "{:?}", begun.elapsed());
        assert_eq!(home.standin.token_requests(), 3);
    }
}

#[test]
fn throttling_pauses_the_attempts_until_the_floor_at_the_latest() {
    let home = home_with_lifetime(8);
    home.store_token("mail");
    let due = due_token(&home);
    home.standin.inject(Fault::Status { status: 429, retry_after: Some("3600".to_owned()) });
    assert_hands_out(&home, &due);
    eventually("the token is renewed", || home.refresh().token() != due);
    assert_eq!(home.standin.token_requests(), 3);
}
