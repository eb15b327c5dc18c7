use standin::{ADA, GRACE};

use super::{MailSetup, block, fails_when_the_server_refuses, shows_our_error};
use crate::document_blocks::Adapt as _;
use crate::support::{Run, finish};

/// Prints an error's full message. By default a batch prints a backtrace and a shortened message.
const SHOW_ERRORS: &str = r#"
    (condition-case problem
        (progn LISP)
      (error (message "%s" (error-message-string problem))
             (kill-emacs 1)))"#;

/// Runs Lisp code in an Emacs whose init file consists of the document's code blocks.
fn emacs(setup: &MailSetup, lisp: &str) -> Run {
    let init = ["Emacs", "smtpmail", "Gnus"].map(|heading| block(heading, "elisp", 0)).concat();
    let init = init
        .with("\"outlook.office365.com\"", "\"localhost\"")
        .with("\"smtp.office365.com\"", "\"localhost\"")
        .with("993", &setup.server.imaps_port.to_string())
        .with("587", &setup.server.submission_port.to_string());
    setup.write(".emacs.d/init.el", &format!("(setq gnutls-trustfiles '(\"{}\"))\n{init}", setup.ca_file()));
    setup.write("test.el", &SHOW_ERRORS.replace("LISP", lisp));
    let mut command = setup.program("emacs", "emacs-nox");
    command.args(["--batch", "--load", ".emacs.d/init.el", "--load", "test.el"]).current_dir(setup.home.path());
    finish(&mut command)
}

fn sends(setup: &MailSetup) -> Run {
    let lisp = r#"
        (with-temp-buffer
          (insert "From: ADA\nTo: GRACE\nSubject: Compilers\n" mail-header-separator "\nA mail for the test.\n")
          (require 'sendmail)
          (mail-send))"#;
    emacs(setup, &lisp.replace("ADA", ADA).replace("GRACE", GRACE))
}

const READ_ARTICLE: &str = r#"
    (require 'gnus)
    (require 'gnus-int)
    (nnheader-init-server-buffer)
    (unless (gnus-open-server gnus-select-method)
      (error "%s" (gnus-status-message gnus-select-method)))
    (nnimap-request-article 1 "INBOX" "m365")
    (with-current-buffer nntp-server-buffer
      (princ (buffer-string)))"#;

fn reads(setup: &MailSetup) -> Run {
    emacs(setup, READ_ARTICLE)
}

/// nnimap waits only for the first line of the answer to CAPABILITY. The next line can arrive during AUTHENTICATE.
fn reads_with_a_late_line(setup: &MailSetup) -> Run {
    let late_line = r#"
        (define-advice nnimap-send-command (:before (&rest _) late-line)
          (insert "1 OK Pre-login capabilities listed.\r\n")
          (set-marker (process-mark (get-buffer-process (current-buffer))) (point)))"#;
    emacs(setup, &format!("(require 'nnimap) {late_line} {READ_ARTICLE}"))
}

#[test]
#[ignore = "tests/run: dovecot and Emacs"]
fn gnus_shows_mail() {
    let setup = MailSetup::with_mail();
    setup.home.store_token("mail");
    let run = reads(&setup);
    assert_eq!(run.code, Some(0), "{run:?}\n{}", setup.server.log());
    assert!(run.stdout.contains("A mail for the test."), "{run:?}");
}

#[test]
#[ignore = "tests/run: dovecot's submission service and Emacs"]
fn smtpmail_sends_mail() {
    let setup = MailSetup::with_short_tokens();
    setup.home.store_token("mail");
    let run = sends(&setup);
    setup.has_sent_the_mail(&run);
}

#[test]
#[ignore = "tests/run: dovecot and Emacs"]
fn both_show_why_there_is_no_token() {
    shows_our_error(reads);
    shows_our_error(sends);
}

#[test]
#[ignore = "tests/run: dovecot and Emacs"]
fn both_fail_with_another_users_token() {
    fails_when_the_server_refuses(reads);
    fails_when_the_server_refuses(reads_with_a_late_line);
    fails_when_the_server_refuses(sends);
}
