//! Problems that `get-token` finds before the person signs in.

use std::time::{Duration, Instant};

use standin::{ADA, Outage, Setup, Standin};

use crate::support::{Home, Run};

/// Runs a `get-token` that ends before it waits for a browser.
fn get_token(home: &Home) -> Run {
    let run = home.run("get-token", ["--browser", "never", "--timeout", "3"]);
    assert!(!run.stderr.contains("Sign in with your browser"), "{run:?}");
    run
}

#[test]
fn a_tenant_that_does_not_exist_is_78() {
    let home = Home::new();
    let missing = home.standin.authority_for("missing.example.com");
    home.configure(&home.configuration().replace(&home.standin.authority(), &missing));
    let run = get_token(&home);
    assert!(run.fails_with(78).contains("(AADSTS90002)"), "{run:?}");
}

#[test]
fn a_network_that_is_down_is_75() {
    let home = Home::new();
    home.standin.set_outage(Some(Outage::Refused));
    let run = get_token(&home);
    assert!(run.fails_with(75).contains("cannot be reached"), "{run:?}");
}

#[test]
fn a_login_host_that_does_not_respond_is_a_warning() {
    let home = Home::new();
    home.standin.set_outage(Some(Outage::Silent));
    let begun = Instant::now();
    let sign_in = home.begin_sign_in(&[]);
    assert!(begun.elapsed() < Duration::from_secs(20), "the usual limit is 30 s");
    home.standin.set_outage(None);
    sign_in.approve(ADA);
    let run = sign_in.finish();
    run.token();
    assert!(run.stderr.contains("warning: ") && run.stderr.contains(" did not respond within 2 s\n"), "{}", run.stderr);
}

#[test]
fn a_missing_discovery_document_is_a_warning() {
    let home = Home::new();
    // As behind a proxy server that forwards only the requests of a sign-in.
    home.standin.hide_discovery();
    let run = home.sign_in();
    run.token();
    assert!(run.stderr.contains("warning: unexpected response"), "{}", run.stderr);
}

#[test]
fn a_clock_that_is_off_is_a_warning() {
    let setup = Setup { clock_behind: Duration::from_secs(10 * 60), ..Setup::default() };
    let run = Home::with(Standin::start_with(setup)).sign_in();
    run.token();
    assert!(
        run.stderr.contains("warning: this machine's clock is ") && run.stderr.contains("set the clock"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_certificate_authority_that_is_not_trusted_is_78() {
    let home = Home::new();
    home.configure(&home.configuration_without("ca_file"));
    let run = get_token(&home);
    assert!(run.fails_with(78).contains("set ca_file in"), "{run:?}");
}

#[test]
fn scopes_that_cannot_work_stop_a_sign_in_but_not_the_mail() {
    let home = Home::new();
    home.configure(&(home.configuration() + "[profiles.mail]\nscopes = ['IMAP.AccessAsUser.All']\n"));
    let run = get_token(&home);
    assert!(run.fails_with(78).contains("did you mean https://outlook.office.com/IMAP.AccessAsUser.All?"), "{run:?}");
    let check = home.run("get-token", ["--check"]);
    assert_eq!(check.code, Some(78), "{check:?}");
    assert!(check.stdout.contains("✗ configuration: ") && check.stdout.contains("did you mean"), "{check:?}");

    home.store_token("mail");
    let run = home.refresh();
    run.token();
    assert_eq!(run.stderr, "");
    let run = home.run("refresh-token", ["--verbose"]);
    run.token();
    assert!(run.stderr.contains("warning: ") && run.stderr.contains("does not name its service"), "{run:?}");
}

#[test]
fn the_id_of_a_secret_in_place_of_its_value_is_78() {
    let home = Home::new();
    home.configure_with("client_secret = '00001111-aaaa-2222-bbbb-3333cccc4444'");
    let run = get_token(&home);
    assert!(run.fails_with(78).contains("the ID of the secret") && !run.stderr.contains("00001111"), "{run:?}");
}
