use standin::GRACE;

use super::{MailSetup, block, fails_when_the_server_refuses, shows_our_reason};
use crate::document_blocks::Adapt as _;
use crate::support::{Run, finish};
use crate::tmux::Terminal;

fn configure(desk: &MailSetup) {
    let (imap, smtp) = (desk.server.imaps_port, desk.server.submission_port);
    let block = block("NeoMutt", "text", 0)
        .with("outlook.office365.com", &format!("localhost:{imap}"))
        .with("smtp.office365.com:587", &format!("localhost:{smtp}"));
    let trust = format!("set ssl_ca_certificates_file = \"{}\"", desk.ca_file());
    desk.write(".neomuttrc", &block.with_below("set from", &trust));
}

fn sends(desk: &MailSetup) -> Run {
    configure(desk);
    finish(desk.program("neomutt", "neomutt").args(["-s", "Compilers", GRACE]).stdin(desk.mail()))
}

#[test]
#[ignore = "tests/run: dovecot, NeoMutt and tmux"]
fn shows_mail() {
    let desk = MailSetup::with_mail();
    desk.home.store_token("mail");
    configure(&desk);
    let terminal = Terminal::run(&desk.home, "(neomutt >/dev/tty)");
    terminal.shows("Compilers");
    terminal.types(&["Enter"]);
    terminal.shows("A mail for the test.");
    terminal.types(&["x", "x"]);
    terminal.ends_with(0);
}

#[test]
#[ignore = "tests/run: dovecot's submission service and NeoMutt"]
fn sends_mail() {
    let desk = MailSetup::with_short_tokens();
    desk.home.store_token("mail");
    let run = sends(&desk);
    desk.has_sent_the_mail(&run);
}

#[test]
#[ignore = "tests/run: dovecot's submission service and NeoMutt"]
fn shows_why_there_is_no_token() {
    shows_our_reason(sends);
}

#[test]
#[ignore = "tests/run: dovecot's submission service and NeoMutt"]
fn fails_with_a_token_of_another_person() {
    fails_when_the_server_refuses(sends);
}
