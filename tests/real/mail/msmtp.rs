use standin::GRACE;

use super::{MailSetup, block, fails_when_the_server_refuses, shows_our_error};
use crate::document_blocks::Adapt as _;
use crate::support::{Run, finish};

/// Runs msmtp with the document's code block as configuration and the mail on stdin.
pub(super) fn msmtp(setup: &MailSetup) -> Run {
    configure(setup);
    finish(setup.program("msmtp", "msmtp").arg(GRACE).stdin(setup.mail()))
}

pub(super) fn configure(setup: &MailSetup) {
    let block = block("msmtp", "text", 0)
        .with("host smtp.office365.com", "host localhost")
        .with("port 587", &format!("port {}", setup.server.submission_port));
    setup.write(".msmtprc", &block.with_below("tls on", &format!("tls_trust_file {}", setup.ca_file())));
}

#[test]
#[ignore = "tests/run: dovecot's submission service and msmtp"]
fn sends_mail() {
    let setup = MailSetup::new();
    setup.home.store_token("mail");
    let run = msmtp(&setup);
    setup.has_sent_the_mail(&run);
}

#[test]
#[ignore = "tests/run: dovecot's submission service and msmtp"]
fn shows_why_there_is_no_token() {
    shows_our_error(msmtp);
}

#[test]
#[ignore = "tests/run: dovecot's submission service and msmtp"]
fn fails_with_another_users_token() {
    fails_when_the_server_refuses(msmtp);
}
