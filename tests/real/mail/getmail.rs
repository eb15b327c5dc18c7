use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::{MailSetup, TIMED_OUT, block, fails_when_the_server_refuses};
use crate::document_blocks::Adapt as _;
use crate::dovecot::give_to_mail_user;
use crate::support::{Run, finish};
use crate::versions::version;

fn getmail(setup: &MailSetup) -> Run {
    let server = format!("server = localhost\nport = {}", setup.server.imaps_port);
    let mut block = block("getmail6", "ini", 0)
        .with("server = outlook.office365.com", &server)
        .with("ca_certs = /etc/ssl/certs/ca-certificates.crt", &format!("ca_certs = {}", setup.ca_file()));
    let home = setup.home.path();
    for folder in ["INBOX", "INBOX/cur", "INBOX/new", "INBOX/tmp"].map(|folder| home.join("Mail").join(folder)) {
        fs::create_dir_all(&folder).unwrap();
        give_to_mail_user(&folder);
    }
    // As root, getmail delivers mail as another user only.
    if rustix::process::getuid().is_root() {
        fs::set_permissions(home, fs::Permissions::from_mode(0o711)).unwrap();
        block = block.with_below("type = Maildir", "user = nobody");
    }
    setup.write(".config/getmail/getmailrc", &block);
    finish(&mut setup.program("getmail", "getmail6"))
}

#[test]
#[ignore = "tests/run: dovecot and getmail6"]
fn fetches_mail() {
    for attempt in 1.. {
        let setup = MailSetup::with_mail();
        setup.home.store_token("mail");
        let run = getmail(&setup);
        // Before 6.20, getmail6 can miss the end of its own child process, and then waits for a minute
        // (https://github.com/getmail6/getmail6/issues/226).
        let missed_its_child = version("getmail6") < vec![6, 20] && run.code == Some(TIMED_OUT);
        if !missed_its_child || attempt == 4 {
            return setup.has_fetched_the_mail(&run);
        }
    }
}

#[test]
#[ignore = "tests/run: dovecot and getmail6"]
fn shows_the_exit_code_without_a_token() {
    let setup = MailSetup::with_mail();
    let run = getmail(&setup);
    assert_eq!(run.code, Some(127), "{run:?}");
    assert!(run.stderr.contains("refresh-token exited with 77"), "{run:?}");
}

#[test]
#[ignore = "tests/run: dovecot and getmail6"]
fn fails_with_another_users_token() {
    fails_when_the_server_refuses(getmail);
}
