use super::{MailSetup, block, shows_our_reason};
use crate::document_blocks::Adapt as _;
use crate::support::{Run, finish};

fn mbsync(desk: &MailSetup) -> Run {
    let server = format!("Port {}\nCertificateFile {}", desk.server.imaps_port, desk.ca_file());
    let block = block("mbsync", "text", 0);
    desk.write(".mbsyncrc", &block.with("Host outlook.office365.com", "Host localhost").with_below("Host ", &server));
    finish(desk.program("mbsync", "isync libsasl2-modules-kdexoauth2").arg("m365"))
}

#[test]
#[ignore = "tests/run: dovecot and mbsync with its SASL plugin"]
fn fetches_mail() {
    let desk = MailSetup::with_mail();
    desk.home.store_token("mail");
    let run = mbsync(&desk);
    desk.has_fetched_the_mail(&run);
    assert!(desk.home.standin.is_valid_refresh_token(&desk.home.token_in_file("mail").unwrap()));
}

#[test]
#[ignore = "tests/run: dovecot and mbsync with its SASL plugin"]
fn shows_why_there_is_no_token() {
    shows_our_reason(mbsync);
}
