//! The user's own programs as store: the documentation's recipes with the real `pass`, `gpg` and `age`.

use std::process::Command;

use standin::ADA;

use crate::document_blocks::block;
use crate::login::program;
use crate::support::{Home, finish};

/// Returns one of the recipes: 0 is pass, 1 GnuPG, 2 age.
fn recipe(index: usize) -> String {
    block("docs/token-storage.md", "Programs of your own as a store", "toml", index)
}

/// Returns a home whose configuration has these lines.
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

/// Signs in, refreshes, reads the token, shows the status and signs out. The token must be only in the store.
fn run_every_command(home: &Home, location: &str) {
    home.refresh().fails_with(69);
    let signed_in = home.sign_in();
    signed_in.token();
    assert!(signed_in.stderr.contains(location) && !signed_in.stderr.contains("not encrypted"), "{}", signed_in.stderr);
    let first = home.run("get-refresh-token", [""; 0]).token().to_owned();
    home.standin.set_single_use_refresh_tokens(true);
    for _ in 0..2 {
        assert!(home.standin.is_valid_access_token(home.refresh().token()));
    }
    let last = home.run("get-refresh-token", [""; 0]).token().to_owned();
    assert!(first != last && home.standin.is_valid_refresh_token(&last));
    assert_eq!(home.token_in_file("mail"), None);
    assert!(home.run("get-token", ["--status", "-p", "mail"]).stdout.contains(location));
    let signed_out = home.run("get-token", ["--sign-out"]);
    assert_eq!(signed_out.code, Some(0), "{signed_out:?}");
    home.refresh().fails_with(69);
}

#[test]
#[ignore = "tests/run: pass and gnupg"]
fn pass_stores_the_token() {
    let home = home(&recipe(0));
    make_gpg_key(&home);
    let mut init = program("pass", "pass");
    init.args(["init", ADA]);
    run(&home, init);
    run_every_command(&home, "pass show m365/mail");
    end_agent(&home);
}

#[test]
#[ignore = "tests/run: gnupg"]
fn gpg_stores_the_token() {
    let home = home(&recipe(1));
    make_gpg_key(&home);
    run_every_command(&home, "gpg --quiet --decrypt");
    end_agent(&home);
}

#[test]
#[ignore = "tests/run: age"]
fn age_stores_the_token() {
    let home = home(&recipe(2));
    let mut keygen = program("age-keygen", "age");
    keygen.arg("-o").arg(home.path().join(".m365-key.txt"));
    run(&home, keygen);
    run_every_command(&home, "age --decrypt");
}

/// Ends gpg's agent, which gpg starts and leaves running.
fn end_agent(home: &Home) {
    let mut gpgconf = program("gpgconf", "gpgconf");
    gpgconf.args(["--kill", "all"]);
    run(home, gpgconf);
}
