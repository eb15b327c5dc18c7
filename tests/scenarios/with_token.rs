//! `get-token --with-token`: a refresh token of another program, from stdin.

use std::io::Write as _;
use std::process::Stdio;

use standin::{ADA, CONFIDENTIAL_CLIENT_ID, GRACE, PUBLIC_CLIENT_ID};

use crate::support::{Home, Run};

fn with_token(home: &Home, arguments: &[&str], stdin: &str) -> Run {
    let mut command = home.command("get-token");
    command.arg("--with-token").args(arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A command that reads nothing closes the pipe.
    _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

#[test]
fn a_token_is_redeemed_once_and_its_successor_is_stored() {
    let home = Home::new();
    home.standin.set_single_use_refresh_tokens(true);
    let token = home.standin.seed_refresh_token(PUBLIC_CLIENT_ID, ADA);
    let run = with_token(&home, &[], &format!("  {token}\n"));
    assert!(home.standin.is_valid_access_token(run.token()));
    assert!(run.stderr.contains("Signed in as ada@example.com") && !run.stderr.contains(&token), "{}", run.stderr);
    assert_eq!(home.standin.token_requests(), 1);
    assert!(home.standin.is_valid_refresh_token(&home.token_in_file("mail").unwrap()));
    home.refresh().token();
}

#[test]
fn one_token_serves_several_profiles() {
    let home = Home::new();
    let token = home.standin.seed_refresh_token(PUBLIC_CLIENT_ID, ADA);
    with_token(&home, &["-p", "mail", "-p", "calendar"], &token).token();
    home.refresh().token();
    home.run("refresh-token", ["-p", "calendar"]).token();
}

#[test]
fn a_token_of_another_account_is_77_and_nothing_is_stored() {
    let graces = |home: &Home| home.standin.seed_refresh_token(PUBLIC_CLIENT_ID, GRACE);
    let home = Home::new();
    home.configure_with("username = 'ada@example.com'");
    let run = with_token(&home, &[], &graces(&home));
    assert!(run.fails_with(77).contains(GRACE), "{run:?}");
    assert_eq!(home.token_in_file("mail"), None);

    let home = Home::new();
    home.sign_in().token();
    let stored = home.token_in_file("mail");
    let run = with_token(&home, &[], &graces(&home));
    assert!(run.fails_with(77).contains(GRACE), "{run:?}");
    assert_eq!(home.token_in_file("mail"), stored);
}

#[test]
fn a_token_of_another_client_is_78() {
    let home = Home::new();
    let run = with_token(&home, &[], &home.standin.seed_refresh_token(CONFIDENTIAL_CLIENT_ID, ADA));
    assert!(run.fails_with(78).contains("was issued to a client other than"), "{run:?}");
    assert_eq!(home.token_in_file("mail"), None);
}

#[test]
fn a_refused_token_is_77_and_nothing_is_stored() {
    let home = Home::new();
    let token = home.standin.seed_refresh_token(PUBLIC_CLIENT_ID, ADA);
    home.standin.revoke_all(700_082);
    with_token(&home, &[], &token).fails_with(77);
    assert_eq!(home.token_in_file("mail"), None);
}

#[test]
fn anything_but_one_token_is_65_and_sends_no_request() {
    let home = Home::new();
    let long = "x".repeat(70_000) + " y";
    for stdin in ["", " \n", "two tokens", "{\"refresh_token\": \"1.A\"}", "1.A\u{1b}[2J", &long] {
        with_token(&home, &[], stdin).fails_with(65);
    }
    assert_eq!(home.standin.requests().len(), 0);
}

#[test]
fn with_token_excludes_the_other_flows() {
    let home = Home::new();
    for other in ["--device", "--server", "--check", "--status", "--sign-out"] {
        let run = with_token(&home, &[other], "token");
        assert_eq!((run.code, run.stdout.as_str()), (Some(64), ""));
    }
}
