use standin::{ADA, GRACE};

use super::{MailSetup, block, fails_when_the_server_refuses, shows_our_reason};
use crate::document_blocks::Adapt as _;
use crate::support::{Run, finish};

/// By itself a batch shows where an error came from, and half of the error.
const SHOW_ERRORS: &str = r#"
    (condition-case problem
        (progn LISP)
      (error (message "%s" (error-message-string problem))
             (kill-emacs 1)))"#;

/// Runs this in an Emacs whose init file has the document's blocks.
fn emacs(desk: &MailSetup, lisp: &str) -> Run {
    let init = ["Emacs", "smtpmail", "Gnus"].map(|heading| block(heading, "elisp", 0)).concat();
    let init = init
        .with("\"outlook.office365.com\"", "\"localhost\"")
        .with("\"smtp.office365.com\"", "\"localhost\"")
        .with("993", &desk.server.imaps_port.to_string())
        .with("587", &desk.server.submission_port.to_string());
    desk.write(".emacs.d/init.el", &format!("(setq gnutls-trustfiles '(\"{}\"))\n{init}", desk.ca_file()));
    desk.write("test.el", &SHOW_ERRORS.replace("LISP", lisp));
    let mut command = desk.program("emacs", "emacs-nox");
    command.args(["--batch", "--load", ".emacs.d/init.el", "--load", "test.el"]).current_dir(desk.home.path());
    finish(&mut command)
}

fn sends(desk: &MailSetup) -> Run {
    let lisp = r#"
        (with-temp-buffer
          (insert "From: ADA\nTo: GRACE\nSubject: Compilers\n" mail-header-separator "\nA mail for the test.\n")
          (require 'sendmail)
          (mail-send))"#;
    emacs(desk, &lisp.replace("ADA", ADA).replace("GRACE", GRACE))
}

fn reads(desk: &MailSetup) -> Run {
    let lisp = r#"
        (require 'gnus)
        (require 'gnus-int)
        (nnheader-init-server-buffer)
        (unless (gnus-open-server gnus-select-method)
          (error "%s" (gnus-status-message gnus-select-method)))
        (nnimap-request-article 1 "INBOX" "m365")
        (with-current-buffer nntp-server-buffer
          (princ (buffer-string)))"#;
    emacs(desk, lisp)
}

#[test]
#[ignore = "tests/run: dovecot and Emacs"]
fn gnus_shows_mail() {
    let desk = MailSetup::with_mail();
    desk.home.store_token("mail");
    let run = reads(&desk);
    assert_eq!(run.code, Some(0), "{run:?}\n{}", desk.server.log());
    assert!(run.stdout.contains("A mail for the test."), "{run:?}");
}

#[test]
#[ignore = "tests/run: dovecot's submission service and Emacs"]
fn smtpmail_sends_mail() {
    let desk = MailSetup::with_short_tokens();
    desk.home.store_token("mail");
    let run = sends(&desk);
    desk.has_sent_the_mail(&run);
}

#[test]
#[ignore = "tests/run: dovecot and Emacs"]
fn both_show_why_there_is_no_token() {
    shows_our_reason(reads);
    shows_our_reason(sends);
}

#[test]
#[ignore = "tests/run: dovecot and Emacs"]
fn both_fail_with_a_token_of_another_person() {
    fails_when_the_server_refuses(reads);
    fails_when_the_server_refuses(sends);
}
