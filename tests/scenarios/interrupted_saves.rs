//! A refresh token whose save failed, or was interrupted before its record was complete.
#![cfg(unix)]

use standin::{ADA, Browser, GRACE};

use crate::support::Home;

const SAVE: &str = "cat >$HOME/new && mv $HOME/new $HOME/kept";

fn configure(home: &Home, save: &str) {
    let programs = format!("store.load = ['sh', '-c', 'cat $HOME/kept']\nstore.save = ['sh', '-c', '{save}']\n");
    home.configure(&(home.configuration_without("store") + &programs));
}

#[test]
fn the_origin_of_a_token_is_known_even_if_its_save_was_interrupted() {
    let home = Home::new();
    configure(&home, &format!("{SAVE}; kill -9 $PPID"));
    let sign_in = home.begin_sign_in(&[]);
    _ = Browser::approve(&sign_in.url, ADA, None);
    assert_eq!(sign_in.finish().code, None, "get-token is killed before it completes the record");
    let stored = std::fs::read_to_string(home.path().join("kept")).unwrap();
    assert!(home.standin.is_valid_refresh_token(stored.trim()));
    let requests = home.standin.requests().len();
    configure(&home, SAVE);
    assert_not_sent_to_another_authority(&home);
    assert_eq!(home.standin.requests().len(), requests);
}

/// Fails unless the origin of the stored token is known.
#[track_caller]
fn assert_not_sent_to_another_authority(home: &Home) {
    let configuration = std::fs::read_to_string(home.config_file()).unwrap();
    home.configure(&configuration.replace(&home.standin.authority(), "https://login.invalid/common/"));
    let run = home.refresh();
    assert!(run.fails_with(78).contains("was issued for the authority"), "{run:?}");
}

#[test]
fn the_origin_stays_known_if_the_save_after_an_interrupted_one_fails() {
    let home = Home::new();
    configure(&home, &format!("{SAVE}; kill -9 $PPID"));
    let sign_in = home.begin_sign_in(&[]);
    _ = Browser::approve(&sign_in.url, ADA, None);
    assert_eq!(sign_in.finish().code, None, "get-token is killed before it completes the record");
    configure(&home, "exit 1");
    let run = home.refresh();
    run.token();
    assert!(run.stderr.contains("could not store the new refresh token"), "{run:?}");
    assert_not_sent_to_another_authority(&home);
}

#[test]
fn a_sign_in_whose_token_was_not_stored_does_not_decide_the_account() {
    let home = Home::new();
    configure(&home, "exit 1");
    let sign_in = home.begin_sign_in(&[]);
    sign_in.approve(GRACE);
    sign_in.finish().fails_with(74);
    configure(&home, SAVE);
    home.sign_in().token(); // as Ada, without a question
}
