use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::{MailSetup, block, fails_when_the_server_refuses};
use crate::document_blocks::Adapt as _;
use crate::dovecot::give_to_mail_user;
use crate::support::{Run, finish};

fn getmail(desk: &MailSetup) -> Run {
    let server = format!("server = localhost\nport = {}", desk.server.imaps_port);
    let mut block = block("getmail6", "ini", 0)
        .with("server = outlook.office365.com", &server)
        .with("ca_certs = /etc/ssl/certs/ca-certificates.crt", &format!("ca_certs = {}", desk.ca_file()));
    let home = desk.home.path();
    for folder in ["INBOX", "INBOX/cur", "INBOX/new", "INBOX/tmp"].map(|folder| home.join("Mail").join(folder)) {
        fs::create_dir_all(&folder).unwrap();
        give_to_mail_user(&folder);
    }
    // It delivers no mail as root, and becomes the one who is to have it.
    if rustix::process::getuid().is_root() {
        fs::set_permissions(home, fs::Permissions::from_mode(0o711)).unwrap();
        block = block.with_below("type = Maildir", "user = nobody");
    }
    desk.write(".config/getmail/getmailrc", &block);
    finish(&mut desk.program("getmail", "getmail6"))
}

#[test]
#[ignore = "tests/run: dovecot and getmail6"]
fn fetches_mail() {
    let desk = MailSetup::with_mail();
    desk.home.store_token("mail");
    let run = getmail(&desk);
    desk.has_fetched_the_mail(&run);
}

#[test]
#[ignore = "tests/run: dovecot and getmail6"]
fn shows_the_exit_code_where_there_is_no_token() {
    let desk = MailSetup::with_mail();
    let run = getmail(&desk);
    assert_eq!(run.code, Some(127), "{run:?}");
    assert!(run.stderr.contains("refresh-token exited with 77"), "{run:?}");
}

#[test]
#[ignore = "tests/run: dovecot and getmail6"]
fn fails_with_a_token_of_another_person() {
    fails_when_the_server_refuses(getmail);
}
