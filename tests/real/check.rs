//! `get-token --check` against a real IMAP and a real SMTP server and a real keyring: healthy, and broken in each line.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use standin::{ADA, GRACE};

use crate::dovecot::Dovecot;
use crate::login::{Keyring, Login};
use crate::sink::Sink;
use crate::support::{Home, Run};

/// A person for whom everything works.
pub struct MailSetup {
    pub home: Home,
    login: Login,
    pub server: Dovecot,
    sink: Sink,
}

impl MailSetup {
    fn new() -> Self {
        Self::with(Home::new())
    }

    pub fn with(mut home: Home) -> Self {
        let login = Login::start(&mut home, Keyring::Unlocked);
        let sink = Sink::start();
        let server = Dovecot::start(&home, sink.port);
        server.deliver(ADA, "Subject: a mail\n\n");
        let desk = Self { home, login, server, sink };
        // One file with both authorities: the stand-in's and the mail server's.
        let both = desk.home.standin.ca_pem() + &fs::read_to_string(desk.server.ca_file()).unwrap();
        fs::write(desk.home.path().join("both.pem"), both).unwrap();
        desk.configure(
            &format!("localhost:{}", desk.server.imaps_port),
            &format!("localhost:{}", desk.server.submission_port),
            ADA,
        );
        desk.home.sign_in().token();
        fs::set_permissions(desk.home.config_file(), fs::Permissions::from_mode(0o600)).unwrap();
        desk
    }

    fn configure(&self, imap: &str, smtp: &str, username: &str) {
        let both = self.home.path().join("both.pem").display().to_string();
        let standin = self.home.standin.ca_file().display().to_string();
        let usual = self.home.configuration().replace(&standin, &both);
        self.home.configure(&format!("imap_host = '{imap}'\nsmtp_host = '{smtp}'\nusername = '{username}'\n{usual}"));
    }

    pub fn check(&self) -> Run {
        let run = self.home.run("get-token", ["--check"]);
        assert_eq!(run.stdout, "");
        run
    }

    #[track_caller]
    fn finds(&self, code: i32, line: &str) {
        let run = self.check();
        assert!(run.stderr.contains(line), "{line} in {}\n{}", run.stderr, self.server.log());
        run.fails_with(code);
    }
}

#[test]
#[ignore = "tests/run: Dovecot, gnome-keyring, isync"]
fn where_everything_works_every_line_is_good_and_no_mail_is_sent() {
    let desk = MailSetup::new();
    let run = desk.check();
    assert_eq!(run.code, Some(0), "{}\n{}", run.stderr, desk.server.log());
    assert!(!run.stderr.contains('✗'), "{}", run.stderr);
    for good in
        ["keychain: unlocked", "mbsync's plugin: ", "IMAP: signed in to localhost:", "SMTP: signed in to localhost:"]
    {
        assert!(run.stderr.contains(&format!("✓ {good}")), "{good} in {}", run.stderr);
    }
    assert!(desk.sink.is_empty(), "the check sends no mail");
    assert!(desk.home.standin.is_valid_refresh_token(&desk.login.python_reads(&desk.home)));
}

#[test]
#[ignore = "tests/run: Dovecot, gnome-keyring"]
fn the_wrong_mailbox_is_explained() {
    let desk = MailSetup::new();
    let server = |port: u16| format!("localhost:{port}");
    desk.configure(&server(desk.server.imaps_port), &server(desk.server.submission_port), GRACE);
    desk.finds(77, "✗ IMAP: localhost:");
    desk.finds(77, "✗ SMTP: localhost:");
    desk.finds(77, "compare username with your mail address");
}

#[test]
#[ignore = "tests/run: Dovecot, gnome-keyring"]
fn a_server_without_tls_gets_no_token() {
    let desk = MailSetup::new();
    let plain = format!("localhost:{}", desk.sink.port);
    desk.configure(&format!("localhost:{}", desk.server.imaps_port), &plain, ADA);
    desk.finds(77, "does not offer STARTTLS");
}

#[test]
#[ignore = "tests/run: Dovecot, gnome-keyring"]
fn a_server_whose_certificate_nobody_vouches_for_gets_no_token() {
    let desk = MailSetup::new();
    fs::write(desk.home.path().join("both.pem"), desk.home.standin.ca_pem()).unwrap();
    desk.finds(75, "✗ IMAP: localhost:");
    desk.finds(75, "certificate");
}

#[test]
#[ignore = "tests/run: Dovecot, gnome-keyring"]
fn a_locked_keychain_wide_modes_and_a_dead_network_have_a_line_each() {
    let desk = MailSetup::new();
    fs::set_permissions(desk.home.config_file(), fs::Permissions::from_mode(0o664)).unwrap();
    desk.finds(74, "hint: run `chmod go-w ");
    fs::set_permissions(desk.home.config_file(), fs::Permissions::from_mode(0o600)).unwrap();
    let nobody = format!("https://localhost:{}/common/", crate::support::free_port());
    let text = fs::read_to_string(desk.home.config_file()).unwrap();
    desk.home.configure(&text.replace(&desk.home.standin.authority(), &nobody));
    desk.finds(75, "✗ network: Microsoft cannot be reached");
    desk.home.configure(&text);
    desk.login.lock();
    desk.finds(69, "✗ keychain: the keychain is locked");
}

#[test]
#[ignore = "tests/run: faketime, Dovecot, gnome-keyring"]
fn a_clock_that_is_off_is_named() {
    let desk = MailSetup::new();
    let mut faketime = crate::login::program("faketime", "faketime");
    desk.home.prepare(&mut faketime);
    let run =
        crate::support::finish(faketime.args(["-f", "+10m"]).arg(crate::support::binary("get-token")).arg("--check"));
    assert!(run.fails_with(78).contains("✗ clock: this machine's clock is "), "{run:?}");
}
