use super::{MailSetup, block};
use crate::document_blocks::Adapt as _;
use crate::tmux::Terminal;

/// In a terminal, since it has no other way.
fn aerc<'a>(desk: &'a mut MailSetup, argument: &str) -> Terminal<'a> {
    let block = block("aerc", "ini", 0)
        .with("outlook.office365.com", &format!("localhost:{}", desk.server.imaps_port))
        .with("smtp.office365.com:587", &format!("localhost:{}", desk.server.submission_port));
    desk.write(".config/aerc/accounts.conf", &block);
    desk.write(".config/aerc/aerc.conf", "[compose]\neditor = true\n[filters]\ntext/plain = cat\n");
    let runtime = desk.home.path().display().to_string();
    // Go's, in place of the system's authorities; and where aerc listens for further calls of itself.
    for (name, value) in [("SSL_CERT_FILE", desk.ca_file()), ("XDG_RUNTIME_DIR", runtime)] {
        desk.home.environment.push((name.to_owned(), value));
    }
    Terminal::run(&desk.home, &format!("(aerc {argument} >/dev/tty)"))
}

#[test]
#[ignore = "tests/run: dovecot, aerc and tmux"]
fn shows_mail() {
    let mut desk = MailSetup::with_mail();
    desk.home.store_token("mail");
    let terminal = aerc(&mut desk, "");
    terminal.shows("Compilers");
    terminal.types(&["Enter"]);
    terminal.shows("A mail for the test.");
}

#[test]
#[ignore = "tests/run: dovecot's submission service, aerc and tmux"]
fn sends_mail() {
    let mut desk = MailSetup::with_short_tokens();
    desk.home.store_token("mail");
    let terminal = aerc(&mut desk, "'mailto:grace@example.com?subject=Compilers&body=A%20mail%20for%20the%20test.'");
    terminal.shows("Send this email?");
    terminal.types(&["y"]);
    terminal.shows("Message sent");
    drop(terminal);
    desk.mail_arrived();
}

#[test]
#[ignore = "tests/run: aerc and tmux"]
fn shows_the_exit_code_where_there_is_no_token() {
    let mut desk = MailSetup::new();
    aerc(&mut desk, "").shows("exit status 77");
}
