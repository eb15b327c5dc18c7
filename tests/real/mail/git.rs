use std::process::Command;

use standin::GRACE;

use super::{MailSetup, TIMED_OUT, block, fails_when_the_server_refuses, mbsync, msmtp, shows_our_error};
use crate::document_blocks::Adapt as _;
use crate::login::program;
use crate::support::{Run, finish};
use crate::versions::version;

fn sends_through_msmtp(setup: &MailSetup) -> Run {
    msmtp::configure(setup);
    send_email(setup, &block("git send-email", "ini", 0))
}

fn sends_itself(setup: &MailSetup) -> Run {
    send_email(setup, &smtp(setup))
}

/// Where tests/authen-sasl puts a version that the system does not have.
const PERL_LIBRARY: &str = "/var/tmp/m365auth-authen-sasl/usr/share/perl5";

/// Returns the configuration with which git itself sends mail.
fn smtp(setup: &MailSetup) -> String {
    let user = "[user]\n    name = Ada\n    email = ada@example.com\n";
    let smtp = block("git send-email", "ini", 1)
        .with("smtp.office365.com", "localhost")
        .with("587", &setup.server.submission_port.to_string())
        .with_below("smtpServer = ", &format!("smtpSSLCertPath = {}", setup.ca_file()));
    user.to_owned() + &smtp
}

/// Sends a patch whose commit message is the text of the test mail.
fn send_email(setup: &MailSetup, configuration: &str) -> Run {
    setup.write(".gitconfig", configuration);
    let repository = setup.home.path().join("repository");
    let git = |command: &mut Command, arguments: &[&str]| {
        setup.home.prepare(command);
        let run = finish(command.args(arguments));
        assert_eq!(run.code, Some(0), "{run:?}");
    };
    git(&mut program("git", "git"), &["init", "--quiet", repository.to_str().unwrap()]);
    let commit = ["commit", "--quiet", "--allow-empty", "--message", "A mail for the test."];
    git(program("git", "git").current_dir(&repository), &commit);
    let mut command = setup.program("git", "git git-email");
    command.args(["send-email", "--always", "--to", GRACE, "-1"]);
    finish(command.current_dir(&repository))
}

#[test]
#[ignore = "tests/run: dovecot's submission service, git send-email and msmtp"]
fn sends_a_patch() {
    let setup = MailSetup::new();
    setup.home.store_token("mail");
    let run = sends_through_msmtp(&setup);
    setup.has_sent_the_mail(&run);
}

#[test]
#[ignore = "tests/run: dovecot's submission service, git send-email and msmtp"]
fn shows_why_there_is_no_token() {
    shows_our_error(sends_through_msmtp);
}

#[test]
#[ignore = "tests/run: dovecot's submission service, git send-email and its Perl libraries"]
fn sends_a_patch_itself_with_authen_sasl_2_1800() {
    let setup = MailSetup::with_short_tokens();
    setup.home.store_token("mail");
    let run = sends_itself(&setup);
    if version("Authen::SASL") >= vec![2, 1800] {
        setup.has_sent_the_mail(&run);
        let without_token = MailSetup::new();
        let run = sends_itself(&without_token);
        assert_eq!(run.code, Some(0), "{run:?}");
        assert!(run.stderr.contains("No refresh token found"), "{run:?}");
        assert!(without_token.sink.is_empty());
        return fails_when_the_server_refuses(sends_itself);
    }
    assert!(!matches!(run.code, Some(0 | TIMED_OUT) | None), "{run:?}");
    assert!(run.stderr.contains("No SASL mechanism found"), "{run:?}");
    assert!(setup.sink.is_empty());
}

/// Uses the Authen::SASL of tests/authen-sasl where the system's does not support XOAUTH2.
#[test]
#[ignore = "tests/run: dovecot's submission service, git send-email and tests/authen-sasl"]
fn the_token_reaches_no_other_credential_helper() {
    let mut setup = MailSetup::with_short_tokens();
    setup.home.environment.push(("PERL5LIB".to_owned(), PERL_LIBRARY.to_owned()));
    setup.home.store_token("mail");
    // A helper that stores every password that it is given.
    let run = send_email(&setup, &format!("[credential]\n    helper = store\n{}", smtp(&setup)));
    setup.has_sent_the_mail(&run);
    assert!(!setup.home.path().join(".git-credentials").exists());
}

#[test]
#[ignore = "tests/run: dovecot, git and mbsync with its SASL plugin"]
fn imap_send_stores_a_draft_with_git_2_51() {
    let setup = MailSetup::with_mail_folder();
    setup.home.store_token("mail");
    let server = format!("localhost:{}", setup.server.imaps_port);
    let configuration = block("git imap-send", "ini", 0)
        .with("outlook.office365.com:993", &server)
        .with("outlook.office365.com", "localhost")
        .with("993", &setup.server.imaps_port.to_string())
        .with("Drafts", "INBOX")
        .with_below("authMethod = ", "sslVerify = false"); // git has no setting for another certificate authority here
    setup.write(".gitconfig", &configuration);
    // As git format-patch writes it: git finds a message by its first line, then From, Date and Subject in this order.
    let first_line = "From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001";
    let mail = super::MAIL.replace("\nTo: ", "\nDate: Mon, 17 Sep 2001 00:00:00 +0000\nTo: ");
    let patch = format!("{first_line}\n{mail}");
    setup.write("patch.mbox", &patch);
    let mut command = setup.program("git", "git");
    command.arg("imap-send").stdin(std::fs::File::open(setup.home.path().join("patch.mbox")).unwrap());
    let run = finish(&mut command);
    if version("git") >= vec![2, 51] {
        assert_eq!(run.code, Some(0), "{run:?}\n{}", setup.server.log());
        setup.has_fetched_the_mail(&mbsync::mbsync(&setup));
    } else {
        assert_ne!(run.code, Some(0), "{run:?}");
    }
}
