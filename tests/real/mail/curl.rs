use super::{MailSetup, block, fails_when_the_server_refuses, shows_our_error};
use crate::document_blocks::Adapt as _;
use crate::support::{Run, finish};

/// Runs the code block as a script.
fn curl(setup: &MailSetup, index: usize, host: &str, port: u16) -> Run {
    let options = format!("curl --silent --show-error --noproxy '*' --cacert {} ", setup.ca_file());
    let script = block("curl", "sh", index).with(host, &format!("localhost:{port}")).with("curl ", &options);
    setup.mail(); // the script reads it
    setup.write("script", &script);
    let mut command = setup.program("sh", "dash");
    finish(command.current_dir(setup.home.path()).arg("script"))
}

fn lists(setup: &MailSetup) -> Run {
    curl(setup, 0, "outlook.office365.com", setup.server.imaps_port)
}

fn sends(setup: &MailSetup) -> Run {
    curl(setup, 1, "smtp.office365.com:587", setup.server.submission_port)
}

#[test]
#[ignore = "tests/run: dovecot and curl"]
fn shows_the_newest_mail() {
    let setup = MailSetup::with_mail();
    setup.home.store_token("mail");
    let run = lists(&setup);
    assert_eq!(run.code, Some(0), "{run:?}\n{}", setup.server.log());
    assert!(run.stdout.contains("A mail for the test."), "{run:?}");
}

#[test]
#[ignore = "tests/run: dovecot's submission service and curl"]
fn sends_mail() {
    let setup = MailSetup::new();
    setup.home.store_token("mail");
    let run = sends(&setup);
    setup.has_sent_the_mail(&run);
}

#[test]
#[ignore = "tests/run: dovecot and curl"]
fn shows_why_there_is_no_token() {
    shows_our_error(lists);
    shows_our_error(sends);
}

#[test]
#[ignore = "tests/run: dovecot and curl"]
fn fails_with_another_users_token() {
    fails_when_the_server_refuses(lists);
    fails_when_the_server_refuses(sends);
}
