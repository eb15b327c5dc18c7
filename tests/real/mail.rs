//! The mail programs in docs/mail-programs.md, configured with its code blocks and that of README.md, with a real mail
//! server. One file for each program.

mod aerc;
mod application;
mod curl;
mod emacs;
mod examples;
mod getmail;
mod git;
mod mbsync;
mod msmtp;
mod neomutt;
mod offlineimap;
mod outage;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use standin::{ADA, GRACE, PUBLIC_CLIENT_ID, Setup, Standin};

use crate::document_blocks;
use crate::dovecot::Dovecot;
use crate::login::program;
use crate::sink::Sink;
use crate::support::{Home, Run};

const MAIL: &str = "From: grace@example.com\nTo: ada@example.com\nSubject: Compilers\n\nA mail for the test.\n";

/// Seconds until `timeout` ends a mail program. None may hang when our command fails.
const TIME_LIMIT: &str = "20";
/// Exit code of `timeout` after the time limit.
const TIMED_OUT: i32 = 124;
/// Exit code of curl (CURLE_LOGIN_DENIED).
const LOGIN_DENIED: i32 = 67;

/// A home, and a mail server with the accounts of the stand-in.
struct MailSetup {
    home: Home,
    sink: Sink,
    server: Dovecot,
}

impl MailSetup {
    fn new() -> Self {
        Self::with(Setup::default())
    }

    /// Creates a setup for programs that send the token within the command `AUTH`. RFC 4954, section 4, limits it
    /// to 512 characters, and Dovecot's submission service to 1,024.
    fn with_short_tokens() -> Self {
        Self::with(Setup { access_token_length: 540..=600, ..Setup::default() })
    }

    fn with(setup: Setup) -> Self {
        let (home, sink) = (Home::with(Standin::start_with(setup)), Sink::start());
        let server = Dovecot::start(&home, sink.port);
        Self { home, sink, server }
    }

    /// Creates a setup with a mail in Ada's INBOX, and a local folder for it.
    fn with_mail() -> Self {
        Self::new().receive_mail()
    }

    /// Creates a setup with a local folder for mails.
    fn with_mail_folder() -> Self {
        let setup = Self::new();
        fs::create_dir(setup.home.path().join("Mail")).unwrap();
        setup
    }

    fn receive_mail(self) -> Self {
        self.server.deliver(ADA, MAIL);
        fs::create_dir(self.home.path().join("Mail")).unwrap();
        self
    }

    fn ca_file(&self) -> String {
        self.server.ca_file().display().to_string()
    }

    fn write(&self, name: &str, text: &str) {
        let file = self.home.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
        fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Returns a mail program with this home and a time limit.
    fn program(&self, name: &str, package: &str) -> Command {
        let mut command = program("timeout", "coreutils");
        self.home.prepare(&mut command);
        command.arg(TIME_LIMIT).arg(program(name, package).get_program());
        command
    }

    /// Writes the mail to send into the home folder and opens it.
    fn mail(&self) -> fs::File {
        self.write("mail", MAIL);
        fs::File::open(self.home.path().join("mail")).unwrap()
    }

    /// Returns the mails in the local INBOX.
    fn fetched(&self) -> Vec<String> {
        let inbox = self.home.path().join("Mail/INBOX");
        let mails = |folder| fs::read_dir(inbox.join(folder)).into_iter().flatten().map(|file| file.unwrap().path());
        mails("new").chain(mails("cur")).map(|file: PathBuf| fs::read_to_string(file).unwrap()).collect()
    }

    #[track_caller]
    fn has_fetched_the_mail(&self, run: &Run) {
        let fetched = self.fetched();
        assert_eq!(run.code, Some(0), "{run:?}\n{}", self.server.log());
        assert_eq!(fetched.len(), 1, "{run:?}\n{}", self.server.log());
        assert!(fetched[0].contains("A mail for the test."), "{}", fetched[0]);
    }

    #[track_caller]
    fn has_sent_the_mail(&self, run: &Run) {
        assert_eq!(run.code, Some(0), "{run:?}\n{}", self.server.log());
        self.mail_arrived();
    }

    #[track_caller]
    fn mail_arrived(&self) {
        let message = self.sink.message();
        assert!(message.contains(&format!("MAIL FROM:<{ADA}>")), "{message}");
        assert!(message.contains(&format!("RCPT TO:<{GRACE}>")), "{message}");
        assert!(message.contains("A mail for the test."), "{message}");
    }
}

/// Returns a code block from docs/mail-programs.md.
#[track_caller]
fn block(heading: &str, language: &str, index: usize) -> String {
    document_blocks::block("docs/mail-programs.md", heading, language, index)
}

/// Asserts that a mail program shows our error in the two most common cases: no token is stored, and Microsoft refuses
/// the token. The program must also fail before the time limit.
#[track_caller]
fn shows_our_error(run_program: impl Fn(&MailSetup) -> Run) {
    let setup = MailSetup::with_mail();
    let shows = |run: &Run, error: &str| {
        assert!(!matches!(run.code, Some(0 | TIMED_OUT) | None), "{run:?}");
        assert!(run.stdout.contains(error) || run.stderr.contains(error), "no {error:?} in {run:?}");
        assert!(run.stdout.contains("get-token") || run.stderr.contains("get-token"), "no hint: {run:?}");
    };
    shows(&run_program(&setup), "No refresh token found");
    setup.home.store_token("mail");
    setup.home.standin.revoke_all(700_082);
    shows(&run_program(&setup), "AADSTS700082");
    assert!(setup.fetched().is_empty() && setup.sink.is_empty());
}

/// Runs a mail program with a token that the server refuses, here one of another user.
#[track_caller]
fn run_with_refused_token(run_program: impl Fn(&MailSetup) -> Run) -> Run {
    let setup = MailSetup::with_short_tokens().receive_mail();
    setup.home.put_token("mail", &setup.home.standin.seed_refresh_token(PUBLIC_CLIENT_ID, GRACE));
    let run = run_program(&setup);
    assert!(setup.fetched().is_empty() && setup.sink.is_empty());
    run
}

/// Asserts that a mail program fails before the time limit if the server refuses the token.
#[track_caller]
fn fails_when_the_server_refuses(run_program: impl Fn(&MailSetup) -> Run) {
    let run = run_with_refused_token(run_program);
    assert!(!matches!(run.code, Some(0 | TIMED_OUT) | None), "{run:?}");
}

#[test]
#[ignore = "tests/run: dovecot and curl"]
fn the_mail_server_accepts_only_this_users_token_with_the_mail_scope() {
    let MailSetup { home, server, .. } = MailSetup::new();
    home.store_token("mail");
    home.store_token("calendar");
    home.put_token("grace", &home.standin.seed_refresh_token(PUBLIC_CLIENT_ID, GRACE));
    let scope = "https://outlook.office.com/IMAP.AccessAsUser.All";
    home.configure(&format!("{}[profiles.grace]\nscopes = ['{scope}']\n", home.configuration()));
    let token = |profile| home.run("refresh-token", ["--profile", profile]).token().to_owned();
    let (mail, calendar, graces) = (token("mail"), token("calendar"), token("grace"));

    for (user, token, accepted) in [
        (ADA, &mail, true),
        (GRACE, &graces, true),
        (ADA, &graces, false),
        (GRACE, &mail, false),
        (ADA, &calendar, false),
    ] {
        let run = server.log_in(user, token);
        let expected = if accepted { 0 } else { LOGIN_DENIED };
        assert_eq!(run.code, Some(expected), "{user}: {run:?}\n{}", server.log());
    }
}

#[test]
#[ignore = "tests/run: dovecot and curl"]
fn twenty_concurrent_logins_succeed_with_single_use_refresh_tokens() {
    let MailSetup { home, server, .. } = MailSetup::new();
    home.standin.set_single_use_refresh_tokens(true);
    home.store_token("mail");
    let log_in = || {
        let run = server.log_in(ADA, home.refresh().token());
        assert_eq!(run.code, Some(0), "{run:?}\n{}", server.log());
    };
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(log_in);
        }
    });
    assert!(home.standin.is_valid_refresh_token(&home.token_in_file("mail").unwrap()));
    log_in();
}
