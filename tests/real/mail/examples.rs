//! The examples of the crate's documentation.

use std::process::Command;

use standin::GRACE;

use super::MailSetup;
use crate::support::{Run, binary, finish};

/// Runs an example, as `cargo test` has built it.
fn example(setup: &MailSetup, name: &str, arguments: &[&str]) -> Run {
    setup.home.configure_with(&format!(
        "imap_host = 'localhost:{}'\nsmtp_host = 'localhost:{}'",
        setup.server.imaps_port, setup.server.submission_port
    ));
    let mut command = Command::new(binary("get-token").with_file_name("examples").join(name));
    setup.home.prepare(&mut command);
    finish(command.args(arguments).env("SSL_CERT_FILE", setup.ca_file()))
}

#[test]
#[ignore = "tests/run: dovecot"]
fn counts_mails_with_async_imap() {
    let setup = MailSetup::with_mail();
    setup.home.store_token("mail");
    let run = example(&setup, "imap", &[]);
    assert_eq!(run.stdout, "mails in INBOX: 1\n", "{run:?}\n{}", setup.server.log());
    setup.home.standin.revoke_all(50173);
    assert!(example(&setup, "imap", &[]).stderr.contains("AADSTS50173"));
}

#[test]
#[ignore = "tests/run: dovecot's submission service"]
fn sends_a_mail_with_lettre() {
    let setup = MailSetup::with_short_tokens(); // lettre sends the token within the command AUTH
    setup.home.store_token("mail");
    let run = example(&setup, "smtp", &[GRACE]);
    setup.has_sent_the_mail(&run);
}
