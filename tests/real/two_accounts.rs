//! Two accounts and one profile, with a real keychain and a user at a terminal.

use standin::{ADA, Browser, Fault, GRACE};

use crate::login::{Keyring, Login};
use crate::support::Home;
use crate::tmux::Terminal;

/// Signs in at a terminal, and answers the question that contains `question`.
#[track_caller]
fn sign_in_and_answer(home: &Home, account: &str, question: &str, answer: &str, code: i32) {
    let terminal = Terminal::run(home, "get-token --browser never");
    let url = terminal.url();
    std::thread::scope(|scope| {
        let browser = scope.spawn(|| Browser::approve(&url, account, None).unwrap());
        terminal.shows(question);
        terminal.types(&[answer, "Enter"]);
        browser.join().unwrap();
    });
    terminal.ends_with(code);
}

#[test]
#[ignore = "tests/run: tmux, gnome-keyring and Python's keyring"]
fn a_token_of_another_account_in_the_keychain_is_never_used_and_is_removed() {
    let mut home = Home::new();
    let login = Login::start(&mut home, Keyring::Gnome);
    home.sign_in().token();
    // Over SSH, the keychain with Ada's token cannot be reached.
    let desktop = std::mem::replace(&mut home.environment, Home::new().environment.clone());
    sign_in_and_answer(&home, GRACE, "belongs to", "y", 0);
    assert!(home.token_in_file("mail").is_some());
    // Later, at the desktop, Microsoft refuses Grace's token.
    home.environment = desktop;
    home.standin.inject(Fault::aadsts(50_173));
    let requests = home.standin.token_requests();
    let run = home.refresh();
    assert!(run.fails_with(77).contains("AADSTS50173"), "{run:?}");
    assert_eq!(home.standin.token_requests(), requests + 1, "Ada's token was not sent");
    assert!(home.token_in_file("mail").is_some(), "Grace's token is kept");
    assert_eq!(login.python_reads(&home), "None", "Ada's token is removed");
}

#[test]
#[ignore = "tests/run: tmux"]
fn several_profiles_with_one_username_ask_once() {
    let home = Home::new();
    home.configure_with("username = 'a.lovelace@example.com'");
    let terminal = Terminal::run(&home, "get-token --browser never -p mail -p calendar -p send");
    let url = terminal.url();
    std::thread::scope(|scope| {
        let browser = scope.spawn(|| Browser::approve(&url, ADA, None).unwrap());
        terminal.shows("Is this the right account?");
        terminal.types(&["y", "Enter"]);
        browser.join().unwrap();
    });
    terminal.ends_with(0);
    assert_eq!(terminal.text().matches("Is this the right account?").count(), 1, "{}", terminal.text());
    for profile in ["mail", "calendar", "send"] {
        home.run("refresh-token", ["-p", profile]).token();
    }
}

#[test]
#[ignore = "tests/run: tmux"]
fn a_sign_in_name_that_differs_from_username_is_confirmed_once() {
    let home = Home::new();
    home.configure_with("username = 'a.lovelace@example.com'");
    sign_in_and_answer(&home, ADA, "Is this the right account?", "n", 77);
    assert_eq!(home.token_in_file("mail"), None);
    sign_in_and_answer(&home, ADA, "Is this the right account?", "y", 0);
    home.refresh().token();
    home.sign_in().token(); // without a terminal: nothing is asked
    sign_in_and_answer(&home, GRACE, "belongs to", "n", 77);
    home.refresh().token();
}
