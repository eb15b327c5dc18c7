//! Programs of the person's own as a store: the recipes of the documentation, with the real `pass`, `gpg` and `age`.

use std::process::Command;

use standin::ADA;

use crate::document_blocks::block;
use crate::login::program;
use crate::support::{Home, finish};

/// One of the recipes: pass, GnuPG, age.
fn recipe(index: usize) -> String {
    block("docs/sign-in-and-accounts.md", "Programs of your own as a store", "toml", index)
}

/// A home with these lines in its configuration, in which gpg has a key without a passphrase.
fn home(lines: &str) -> Home {
    let home = Home::new();
    home.configure(&home.configuration().replace("store = 'file'\n", lines));
    home
}

fn run(home: &Home, mut command: Command) {
    home.prepare(&mut command);
    let run = finish(&mut command);
    assert_eq!(run.code, Some(0), "{run:?}");
}

fn make_gpg_key(home: &Home) {
    let mut gpg = program("gpg", "gnupg");
    gpg.args([
        "--batch",
        "--pinentry-mode",
        "loopback",
        "--passphrase",
        "",
        "--quick-generate-key",
        ADA,
        "default",
        "default",
        "never",
    ]);
    std::fs::create_dir_all(home.path().join(".gnupg")).unwrap();
    std::fs::set_permissions(home.path().join(".gnupg"), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    run(home, gpg);
}

/// Signs in, refreshes, hands out, shows and forgets, with the token nowhere but in the store.
fn the_whole_way(home: &Home, place: &str) {
    home.refresh().fails_with(69);
    let signed_in = home.sign_in();
    signed_in.token();
    assert!(signed_in.stderr.contains(place) && !signed_in.stderr.contains("not encrypted"), "{}", signed_in.stderr);
    let first = home.run("get-refresh-token", [""; 0]).token().to_owned();
    home.standin.set_single_use_refresh_tokens(true);
    for _ in 0..2 {
        assert!(home.standin.is_valid_access_token(home.refresh().token()));
    }
    let last = home.run("get-refresh-token", [""; 0]).token().to_owned();
    assert!(first != last && home.standin.is_valid_refresh_token(&last));
    assert_eq!(home.token_in_file("mail"), None);
    assert!(home.run("get-token", ["--status", "-p", "mail"]).stdout.contains(place));
    let out = home.run("get-token", ["--sign-out"]);
    assert_eq!(out.code, Some(0), "{out:?}");
    home.refresh().fails_with(69);
}

#[test]
#[ignore = "tests/run: pass and gnupg"]
fn pass_keeps_the_token() {
    let home = home(&recipe(0));
    make_gpg_key(&home);
    let mut init = program("pass", "pass");
    init.args(["init", ADA]);
    run(&home, init);
    the_whole_way(&home, "pass show m365/mail");
    end_agent(&home);
}

#[test]
#[ignore = "tests/run: gnupg"]
fn gpg_keeps_the_token() {
    let home = home(&recipe(1));
    make_gpg_key(&home);
    the_whole_way(&home, "gpg --quiet --decrypt");
    end_agent(&home);
}

#[test]
#[ignore = "tests/run: age"]
fn age_keeps_the_token() {
    let home = home(&recipe(2));
    let mut keygen = program("age-keygen", "age");
    keygen.arg("-o").arg(home.path().join(".m365-key.txt"));
    run(&home, keygen);
    the_whole_way(&home, "age --decrypt");
}

/// gpg starts an agent that outlives it.
fn end_agent(home: &Home) {
    let mut gpgconf = program("gpgconf", "gpgconf");
    gpgconf.args(["--kill", "all"]);
    run(home, gpgconf);
}
