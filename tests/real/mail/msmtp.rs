use standin::GRACE;

use super::{MailSetup, block, fails_when_the_server_refuses, shows_our_reason};
use crate::document_blocks::Adapt as _;
use crate::support::{Run, finish};

/// With the document's block as the configuration, and the mail on stdin.
fn msmtp(desk: &MailSetup) -> Run {
    configure(desk);
    finish(desk.program("msmtp", "msmtp").arg(GRACE).stdin(desk.mail()))
}

pub(super) fn configure(desk: &MailSetup) {
    let block = block("msmtp", "text", 0)
        .with("host smtp.office365.com", "host localhost")
        .with("port 587", &format!("port {}", desk.server.submission_port));
    desk.write(".msmtprc", &block.with_below("tls on", &format!("tls_trust_file {}", desk.ca_file())));
}

#[test]
#[ignore = "tests/run: dovecot's submission service and msmtp"]
fn sends_mail() {
    let desk = MailSetup::new();
    desk.home.store_token("mail");
    let run = msmtp(&desk);
    desk.has_sent_the_mail(&run);
}

#[test]
#[ignore = "tests/run: dovecot's submission service and msmtp"]
fn shows_why_there_is_no_token() {
    shows_our_reason(msmtp);
}

#[test]
#[ignore = "tests/run: dovecot's submission service and msmtp"]
fn fails_with_a_token_of_another_person() {
    fails_when_the_server_refuses(msmtp);
}
