//! `get-token --check` with a real IMAP server, SMTP server and keyring: everything works, or one check fails.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use standin::{ADA, GRACE};

use crate::dovecot::Dovecot;
use crate::login::{Keyring, Login};
use crate::sink::Sink;
use crate::support::{Home, Run};

/// A signed-in user with a keyring and a mail server, for whom every check passes.
pub struct CheckSetup {
    pub home: Home,
    login: Login,
    pub server: Dovecot,
    sink: Sink,
}

impl CheckSetup {
    fn new() -> Self {
        Self::with(Home::new())
    }

    pub fn with(mut home: Home) -> Self {
        let login = Login::start(&mut home, Keyring::Gnome);
        let sink = Sink::start();
        let server = Dovecot::start(&home, sink.port);
        server.deliver(ADA, "Subject: a message\n\n");
        let setup = Self { home, login, server, sink };
        // One file with both certificate authorities: the stand-in's and the mail server's.
        let both = setup.home.standin.ca_pem() + &fs::read_to_string(setup.server.ca_file()).unwrap();
        fs::write(setup.home.path().join("both.pem"), both).unwrap();
        setup.configure(
            &format!("localhost:{}", setup.server.imaps_port),
            &format!("localhost:{}", setup.server.submission_port),
            ADA,
        );
        setup.home.sign_in().token();
        fs::set_permissions(setup.home.config_file(), fs::Permissions::from_mode(0o600)).unwrap();
        setup
    }

    fn configure(&self, imap: &str, smtp: &str, username: &str) {
        let both = self.home.path().join("both.pem").display().to_string();
        let standin = self.home.standin.ca_file().display().to_string();
        let default = self.home.configuration_with_store("'auto'").replace(&standin, &both);
        self.home.configure(&format!("imap_host = '{imap}'\nsmtp_host = '{smtp}'\nusername = '{username}'\n{default}"));
    }

    pub fn check(&self) -> Run {
        let run = self.home.run("get-token", ["--check"]);
        assert_eq!(run.stderr, "");
        run
    }

    #[track_caller]
    fn check_fails(&self, code: i32, line: &str) {
        let run = self.check();
        assert!(run.stdout.contains(line), "no {line:?} in {}\n{}", run.stdout, self.server.log());
        assert_eq!(run.code, Some(code), "{}", run.stdout);
    }
}

#[test]
#[ignore = "tests/run: Dovecot, gnome-keyring, isync"]
fn every_check_passes_and_no_mail_is_sent() {
    let setup = CheckSetup::new();
    let run = setup.check();
    assert_eq!(run.code, Some(0), "{}\n{}", run.stdout, setup.server.log());
    assert!(!run.stdout.contains('✗'), "{}", run.stdout);
    for passed in
        ["keychain: unlocked", "mbsync's plugin: ", "IMAP: signed in to localhost:", "SMTP: signed in to localhost:"]
    {
        assert!(run.stdout.contains(&format!("✓ {passed}")), "no {passed:?} in {}", run.stdout);
    }
    assert!(setup.sink.is_empty(), "the check sends no mail");
    assert!(setup.home.standin.is_valid_refresh_token(&setup.login.python_reads(&setup.home)));
}

#[test]
#[ignore = "tests/run: Dovecot, gnome-keyring"]
fn the_wrong_mailbox_is_explained() {
    let setup = CheckSetup::new();
    let server = |port: u16| format!("localhost:{port}");
    setup.configure(&server(setup.server.imaps_port), &server(setup.server.submission_port), GRACE);
    // Without a record, any username is accepted.
    fs::remove_file(setup.home.cache().join("records_mail.toml")).unwrap();
    setup.check_fails(77, "✗ IMAP: localhost:");
    setup.check_fails(77, "✗ SMTP: localhost:");
    setup.check_fails(77, "compare username with your mail address");
    setup.check_fails(77, "refused grace@example.com (the token is for ada@example.com): ");
}

/// Exchange can delay a refusal for seconds.
#[test]
#[ignore = "tests/run: Dovecot, gnome-keyring"]
fn a_refusal_that_is_delayed_is_shown() {
    let setup = CheckSetup::new();
    let slow = Dovecot::start_with(&setup.home, setup.sink.port, "auth_failure_delay = 6 secs\n");
    let both = setup.home.standin.ca_pem() + &fs::read_to_string(slow.ca_file()).unwrap();
    fs::write(setup.home.path().join("both.pem"), both).unwrap();
    let server = |port: u16| format!("localhost:{port}");
    setup.configure(&server(slow.imaps_port), &server(slow.submission_port), GRACE);
    fs::remove_file(setup.home.cache().join("records_mail.toml")).unwrap();
    setup.check_fails(77, " refused grace@example.com (the token is for ada@example.com): ");
}

#[test]
#[ignore = "tests/run: Dovecot, gnome-keyring"]
fn no_token_is_sent_to_a_server_without_tls() {
    let setup = CheckSetup::new();
    let plain = format!("localhost:{}", setup.sink.port);
    setup.configure(&format!("localhost:{}", setup.server.imaps_port), &plain, ADA);
    setup.check_fails(77, "does not offer STARTTLS");
    setup.check_fails(77, "check imap_host and smtp_host in ");
}

#[test]
#[ignore = "tests/run: Dovecot, gnome-keyring"]
fn no_token_is_sent_to_a_server_with_an_unknown_certificate_authority() {
    let setup = CheckSetup::new();
    fs::write(setup.home.path().join("both.pem"), setup.home.standin.ca_pem()).unwrap();
    setup.check_fails(75, "✗ IMAP: localhost:");
    setup.check_fails(75, "certificate");
    setup.check_fails(75, "hint: if a proxy of your organisation replaces certificates, set ca_file in ");
}

#[test]
#[ignore = "tests/run: Dovecot, gnome-keyring"]
fn a_locked_keychain_a_writable_configuration_and_an_unreachable_network_are_reported() {
    let setup = CheckSetup::new();
    fs::set_permissions(setup.home.config_file(), fs::Permissions::from_mode(0o664)).unwrap();
    setup.check_fails(74, "hint: run `chmod go-w ");
    fs::set_permissions(setup.home.config_file(), fs::Permissions::from_mode(0o600)).unwrap();
    let unreachable = format!("https://localhost:{}/common/", crate::support::free_port());
    let text = fs::read_to_string(setup.home.config_file()).unwrap();
    setup.home.configure(&text.replace(&setup.home.standin.authority(), &unreachable));
    setup.check_fails(78, "✗ network: localhost:"); // the token was issued by another authority, which matters more
    setup.home.configure(&text);
    setup.login.lock();
    setup.check_fails(69, "✗ keychain: the keychain is locked");
}

#[test]
#[ignore = "tests/run: faketime, Dovecot, gnome-keyring"]
fn a_wrong_clock_is_reported() {
    let setup = CheckSetup::new();
    let mut faketime = crate::login::program("faketime", "faketime");
    setup.home.prepare(&mut faketime);
    let run =
        crate::support::finish(faketime.args(["-f", "+10m"]).arg(crate::support::binary("get-token")).arg("--check"));
    assert_eq!(run.code, Some(78));
    assert!(run.stdout.contains("✗ clock: this machine's clock is "), "{run:?}");
}
