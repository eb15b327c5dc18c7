use standin::GRACE;

use super::mbsync::mbsync;
use super::{MailSetup, block, fails_when_the_server_refuses, msmtp, shows_our_error};
use crate::document_blocks::Adapt as _;
use crate::support::{Run, finish};
use crate::tmux::Terminal;

fn configure(setup: &MailSetup) {
    let (imap, smtp) = (setup.server.imaps_port, setup.server.submission_port);
    let block = block("NeoMutt", "text", 0)
        .with("outlook.office365.com", &format!("localhost:{imap}"))
        .with("smtp.office365.com:587", &format!("localhost:{smtp}"));
    let trust = format!("set ssl_ca_certificates_file = \"{}\"", setup.ca_file());
    setup.write(".neomuttrc", &block.with_below("set from", &trust));
}

fn sends(setup: &MailSetup) -> Run {
    configure(setup);
    finish(setup.program("neomutt", "neomutt").args(["-s", "Compilers", GRACE]).stdin(setup.mail()))
}

#[test]
#[ignore = "tests/run: dovecot, NeoMutt and tmux"]
fn shows_mail() {
    let setup = MailSetup::with_mail();
    setup.home.store_token("mail");
    configure(&setup);
    let terminal = Terminal::run(&setup.home, "(neomutt >/dev/tty)");
    terminal.shows("Compilers");
    terminal.types(&["Enter"]);
    terminal.shows("A mail for the test.");
    terminal.types(&["x", "x"]);
    terminal.ends_with(0);
}

#[test]
#[ignore = "tests/run: dovecot's submission service and NeoMutt"]
fn sends_mail() {
    let setup = MailSetup::with_short_tokens();
    setup.home.store_token("mail");
    let run = sends(&setup);
    setup.has_sent_the_mail(&run);
}

#[test]
#[ignore = "tests/run: dovecot's submission service and NeoMutt"]
fn shows_why_there_is_no_token() {
    shows_our_error(sends);
}

#[test]
#[ignore = "tests/run: dovecot's submission service and NeoMutt"]
fn fails_with_another_users_token() {
    fails_when_the_server_refuses(sends);
}

#[test]
#[ignore = "tests/run: dovecot with its submission service, mbsync with its SASL plugin, msmtp, NeoMutt and tmux"]
fn shows_mail_of_mbsync_and_sends_with_msmtp() {
    let setup = MailSetup::with_mail();
    setup.home.store_token("mail");
    setup.has_fetched_the_mail(&mbsync(&setup));
    msmtp::configure(&setup);
    setup.write(".neomuttrc", &block("NeoMutt with mbsync and msmtp", "text", 0));
    let terminal = Terminal::run(&setup.home, "(neomutt >/dev/tty)");
    terminal.shows("Compilers");
    terminal.types(&["x"]);
    terminal.ends_with(0);
    let run = finish(setup.program("neomutt", "neomutt").args(["-s", "Compilers", GRACE]).stdin(setup.mail()));
    setup.has_sent_the_mail(&run);
}
