use standin::BrokerVersion;

use super::{MailSetup, TIMED_OUT, run_with_refused_token, shows_our_error};
use crate::broker::manage;
use crate::document_blocks::{self, Adapt as _};
use crate::support::{Run, finish};
use crate::versions::version;

pub(super) fn mbsync(setup: &MailSetup) -> Run {
    let server = format!("Port {}\nCertificateFile {}", setup.server.imaps_port, setup.ca_file());
    let mut block = document_blocks::block("README.md", "Four commands to working mail", "text", 0);
    if version("mbsync") >= vec![1, 5] {
        block = block.with("SSLType", "TLSType");
    }
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
#[ignore = "tests/run: dovecot, D-Bus and mbsync with its SASL plugin"]
fn fetches_mail_on_a_managed_device() {
    let mut setup = MailSetup::with_mail();
    let (_login, broker) = manage(&mut setup.home, BrokerVersion::V3_0_1);
    setup.home.run("get-token", [""; 0]).token();
    let run = mbsync(&setup);
    setup.has_fetched_the_mail(&run);
    assert_eq!((broker.count("acquireTokenSilently"), setup.home.standin.token_requests()), (1, 0));
}

#[test]
#[ignore = "tests/run: dovecot and mbsync with its SASL plugin"]
fn shows_why_there_is_no_token() {
    shows_our_error(mbsync);
}

#[test]
#[ignore = "tests/run: dovecot and mbsync with its SASL plugin"]
fn with_another_users_token_version_1_4_hangs_and_1_5_prints_the_token_or_aborts() {
    let run = run_with_refused_token(mbsync);
    if version("mbsync") < vec![1, 5] {
        return assert_eq!(run.code, Some(TIMED_OUT), "{run:?}");
    }
    match run.code {
        Some(1) => assert!(run.stderr.contains("AUTHENTICATE XOAUTH2 "), "{run:?}"),
        // The server sent a reason before its refusal. The assertion ends mbsync by SIGABRT.
        None => assert!(run.stderr.contains("IMAP wants more steps"), "{run:?}"),
        _ => panic!("{run:?}"),
    }
}
