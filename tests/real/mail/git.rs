use std::process::Command;

use standin::GRACE;

use super::{MailSetup, block, msmtp, shows_our_error};
use crate::login::program;
use crate::support::{Run, finish};

/// Sends a patch whose commit message is the text of the test mail.
fn send_email(setup: &MailSetup) -> Run {
    msmtp::configure(setup);
    setup.write(".gitconfig", &block("git send-email", "ini", 0));
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
    let run = send_email(&setup);
    setup.has_sent_the_mail(&run);
}

#[test]
#[ignore = "tests/run: dovecot's submission service, git send-email and msmtp"]
fn shows_why_there_is_no_token() {
    shows_our_error(send_email);
}
