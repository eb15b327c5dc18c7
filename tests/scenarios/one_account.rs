//! One account for each profile: only a token of the account that signed in last is used.

use standin::{ADA, GRACE, PUBLIC_CLIENT_ID};

use crate::support::Home;

/// Replaces the stored token with one of this account, as a restore or the Python tool does.
fn plant_token(home: &Home, account: &str) -> String {
    let token = home.standin.seed_refresh_token(PUBLIC_CLIENT_ID, account);
    home.put_token("mail", &token);
    token
}

#[test]
fn a_planted_token_of_another_account_is_77_and_nothing_is_stored() {
    let home = Home::new();
    home.sign_in().token();
    let records = std::fs::read_to_string(home.cache().join("records_mail.toml")).unwrap();
    let planted = plant_token(&home, GRACE);
    for _ in 0..2 {
        let run = home.refresh();
        let stderr = run.fails_with(77);
        assert!(stderr.contains(ADA) && stderr.contains(GRACE), "{stderr}");
        assert!(stderr.contains("`get-token --profile mail`"), "{stderr}");
    }
    assert_eq!(home.token_in_file("mail"), Some(planted), "a token without a record is not deleted");
    let now = std::fs::read_to_string(home.cache().join("records_mail.toml")).unwrap();
    let (tokens, refusal) = now.split_once("\n[refusal]").expect("the refusal is recorded, for --status");
    assert_eq!(tokens, records, "and no token");
    assert!(refusal.contains("exit = 77"), "{refusal}");
}

#[test]
fn a_token_without_a_record_is_used_if_it_belongs_to_the_account() {
    let home = Home::new();
    home.sign_in().token();
    plant_token(&home, ADA);
    home.refresh().token();
}

#[test]
fn without_any_record_the_first_refresh_decides_whose_profile_it_is() {
    let home = Home::new();
    plant_token(&home, ADA);
    home.refresh().token();
    plant_token(&home, GRACE);
    assert!(home.refresh().fails_with(77).contains(GRACE));
}

#[test]
fn a_token_whose_account_is_unknown_is_not_printed() {
    let home = Home::new();
    home.store_token("mail");
    home.standin.inject(standin::Fault::NoIdToken);
    let run = home.refresh();
    assert!(run.fails_with(77).contains("did not say which account"), "{run:?}");
    home.refresh().token();
    home.standin.inject(standin::Fault::NoIdToken);
    home.refresh().token(); // the account is recorded now
}

#[test]
fn a_copy_that_is_recorded_for_another_account_is_never_sent_and_is_removed() {
    let home = Home::new();
    home.sign_in().token();
    // The state after a sign-in as Grace that could not reach the store with Ada's token.
    let file = home.cache().join("records_mail.toml");
    let records: toml::Table = std::fs::read_to_string(&file).unwrap().parse().unwrap();
    let mut owner = records["owner"].clone();
    owner["account"]["object_id"] = "another-object-id".into();
    owner["account"]["name"] = GRACE.into();
    let records = records.into_iter().chain([("owner".to_owned(), owner)]).collect::<toml::Table>();
    std::fs::write(&file, records.to_string()).unwrap();
    let requests = home.standin.token_requests();
    home.run("get-refresh-token", [""; 0]).fails_with(77);
    assert!(home.token_in_file("mail").is_some(), "a command that only reads does not remove the copy");
    let run = home.refresh();
    assert!(run.fails_with(77).contains("No refresh token found"), "{run:?}");
    assert!(run.stderr.contains("removed the refresh token of another account"), "{run:?}");
    assert_eq!(home.standin.token_requests(), requests, "it was never sent");
    assert_eq!(home.token_in_file("mail"), None);
    // Grace still signed in last.
    plant_token(&home, ADA);
    assert!(home.refresh().fails_with(77).contains(GRACE));
    assert_eq!(home.run("get-token", ["--sign-out"]).code, Some(0));
    plant_token(&home, ADA);
    home.refresh().token();
}

#[test]
fn a_first_sign_in_with_another_name_than_username_is_77_without_a_terminal() {
    let home = Home::new();
    home.configure_with("username = 'grace@example.com'");
    let sign_in = home.begin_sign_in(&[]);
    sign_in.approve(ADA);
    let run = sign_in.finish();
    let stderr = run.fails_with(77);
    assert!(stderr.contains(ADA) && stderr.contains("grace@example.com"), "{stderr}");
    assert_eq!(home.token_in_file("mail"), None);
}

#[test]
fn letter_case_of_username_does_not_matter() {
    let home = Home::new();
    home.configure_with("username = 'ADA@Example.COM'");
    home.sign_in().token();
    home.configure_with("username = 'ada@example.com'");
    home.refresh().token();
}

#[test]
fn a_changed_username_counts_as_another_account() {
    let home = Home::new();
    home.configure_with("username = 'ada@example.com'");
    home.sign_in().token();
    home.configure_with("username = 'grace@example.com'");
    for command in ["refresh-token", "get-refresh-token"] {
        let run = home.run(command, [""; 0]);
        let stderr = run.fails_with(77);
        assert!(stderr.contains(ADA) && stderr.contains("grace@example.com"), "{stderr}");
    }
    home.configure(&home.configuration());
    home.refresh().token();
}

#[test]
fn a_confirmed_username_stays_confirmed_while_none_is_configured() {
    let home = Home::new();
    plant_token(&home, ADA);
    let with_username = |username: &str| {
        home.configure_with(&format!("username = '{username}'"));
        home.refresh()
    };
    with_username("a.lovelace@example.com").token();
    home.configure(&home.configuration());
    home.refresh().token();
    with_username("a.lovelace@example.com").token();
    home.configure(&home.configuration());
    home.refresh().token();
    with_username("grace@example.com").fails_with(77);
}

#[test]
fn two_configuration_files_with_the_same_profile_do_not_share_an_account() {
    let home = Home::new();
    let other = home.path().join("grace.toml");
    std::fs::write(&other, format!("username = 'grace@example.com'\n{}", home.configuration())).unwrap();
    home.configure_with("username = 'ada@example.com'");
    home.sign_in().token();
    let run = home.run("refresh-token", ["--config", other.to_str().unwrap()]);
    assert!(run.fails_with(77).contains("if two configuration files have this profile, rename it"), "{run:?}");
    home.refresh().token();
}

/// The records of version 0.1 contain neither an owner nor a username. Users need not sign in again.
#[test]
fn records_of_version_0_1_work_with_any_username() {
    let home = Home::new();
    home.sign_in().token();
    let file = home.cache().join("records_mail.toml");
    let mut records: toml::Table = std::fs::read_to_string(&file).unwrap().parse().unwrap();
    records.remove("owner").expect("an owner is recorded");
    std::fs::write(&file, records.to_string()).unwrap();
    home.configure_with("username = 'a.lovelace@example.com'");
    home.refresh().token();
    // From now on that username is the confirmed one.
    home.configure_with("username = 'grace@example.com'");
    home.refresh().fails_with(77);
    home.configure_with("username = 'a.lovelace@example.com'");
    home.refresh().token();
}
