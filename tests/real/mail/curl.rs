use super::{MailSetup, block, fails_when_the_server_refuses, shows_our_reason};
use crate::document_blocks::Adapt as _;
use crate::support::{Run, finish};

/// The block, as a script.
fn curl(desk: &MailSetup, index: usize, host: &str, port: u16) -> Run {
    let options = format!("curl --silent --show-error --noproxy '*' --cacert {} ", desk.ca_file());
    let script = block("curl", "sh", index).with(host, &format!("localhost:{port}")).with("curl ", &options);
    desk.mail(); // lies in the home
    desk.write("script", &script);
    let mut command = desk.program("sh", "dash");
    finish(command.current_dir(desk.home.path()).arg("script"))
}

fn lists(desk: &MailSetup) -> Run {
    curl(desk, 0, "outlook.office365.com", desk.server.imaps_port)
}

fn sends(desk: &MailSetup) -> Run {
    curl(desk, 1, "smtp.office365.com:587", desk.server.submission_port)
}

#[test]
#[ignore = "tests/run: dovecot and curl"]
fn shows_the_newest_mail() {
    let desk = MailSetup::with_mail();
    desk.home.store_token("mail");
    let run = lists(&desk);
    assert_eq!(run.code, Some(0), "{run:?}\n{}", desk.server.log());
    assert!(run.stdout.contains("A mail for the test."), "{run:?}");
}

#[test]
#[ignore = "tests/run: dovecot's submission service and curl"]
fn sends_mail() {
    let desk = MailSetup::new();
    desk.home.store_token("mail");
    let run = sends(&desk);
    desk.has_sent_the_mail(&run);
}

#[test]
#[ignore = "tests/run: dovecot and curl"]
fn shows_why_there_is_no_token() {
    shows_our_reason(lists);
    shows_our_reason(sends);
}

#[test]
#[ignore = "tests/run: dovecot and curl"]
fn fails_with_a_token_of_another_person() {
    fails_when_the_server_refuses(lists);
    fails_when_the_server_refuses(sends);
}
