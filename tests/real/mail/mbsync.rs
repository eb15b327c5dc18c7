use super::{MailSetup, block, shows_our_error};
use crate::document_blocks::Adapt as _;
use crate::support::{Run, finish};

pub(super) fn mbsync(setup: &MailSetup) -> Run {
    let server = format!("Port {}\nCertificateFile {}", setup.server.imaps_port, setup.ca_file());
    let block = block("mbsync", "text", 0);
    setup.write(".mbsyncrc", &block.with("Host outlook.office365.com", "Host localhost").with_below("Host ", &server));
    finish(setup.program("mbsync", "isync libsasl2-modules-kdexoauth2").arg("m365"))
}

#[test]
#[ignore = "tests/run: dovecot and mbsync with its SASL plugin"]
fn fetches_mail() {
    let setup = MailSetup::with_mail();
    setup.home.store_token("mail");
    let run = mbsync(&setup);
    setup.has_fetched_the_mail(&run);
    assert!(setup.home.standin.is_valid_refresh_token(&setup.home.token_in_file("mail").unwrap()));
}

#[test]
#[ignore = "tests/run: dovecot and mbsync with its SASL plugin"]
fn shows_why_there_is_no_token() {
    shows_our_error(mbsync);
}
