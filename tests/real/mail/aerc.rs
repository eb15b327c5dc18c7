use super::{MailSetup, block};
use crate::document_blocks::Adapt as _;
use crate::tmux::Terminal;
use crate::versions::version;

/// Runs aerc in a terminal, because it has no batch mode.
fn aerc<'a>(setup: &'a mut MailSetup, argument: &str) -> Terminal<'a> {
    let mut block = block("aerc", "ini", 0)
        .with("outlook.office365.com", &format!("localhost:{}", setup.server.imaps_port))
        .with("smtp.office365.com:587", &format!("localhost:{}", setup.server.submission_port));
    if version("aerc") >= vec![0, 15] {
        block = block.with("smtp-starttls = yes\n", "");
    }
    setup.write(".config/aerc/accounts.conf", &block);
    setup.write(".config/aerc/aerc.conf", "[compose]\neditor = true\n[filters]\ntext/plain = cat\n");
    let runtime = setup.home.path().display().to_string();
    // SSL_CERT_FILE replaces Go's certificate authorities. aerc creates a socket in XDG_RUNTIME_DIR.
    for (name, value) in [("SSL_CERT_FILE", setup.ca_file()), ("XDG_RUNTIME_DIR", runtime)] {
        setup.home.environment.push((name.to_owned(), value));
    }
    Terminal::run(&setup.home, &format!("(aerc {argument} >/dev/tty)"))
}

#[test]
#[ignore = "tests/run: dovecot, aerc and tmux"]
fn shows_mail() {
    let mut setup = MailSetup::with_mail();
    setup.home.store_token("mail");
    let terminal = aerc(&mut setup, "");
    terminal.shows("Compilers");
    terminal.types(&["Enter"]);
    terminal.shows("A mail for the test.");
}

#[test]
#[ignore = "tests/run: dovecot's submission service, aerc and tmux"]
fn sends_mail() {
    let mut setup = MailSetup::with_short_tokens();
    setup.home.store_token("mail");
    let terminal = aerc(&mut setup, "'mailto:grace@example.com?subject=Compilers&body=A%20mail%20for%20the%20test.'");
    terminal.shows("Send this email?");
    terminal.types(&["y"]);
    terminal.shows("Message sent");
    drop(terminal);
    setup.mail_arrived();
}

#[test]
#[ignore = "tests/run: aerc and tmux"]
fn shows_the_exit_code_without_a_token() {
    let mut setup = MailSetup::new();
    aerc(&mut setup, "").shows("exit status 77");
}
