//! The mail programs of the README, with the README's own blocks, against a real mail server.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use standin::{ADA, CLIENT_SECRET, CONFIDENTIAL_CLIENT_ID, GRACE, PUBLIC_CLIENT_ID};

use crate::dovecot::Dovecot;
use crate::login::program;
use crate::readme::{Adapt as _, readme_block};
use crate::sink::Sink;
use crate::support::{Home, Run, finish};

const MAIL: &str = "From: grace@example.com\nTo: ada@example.com\nSubject: Compilers\n\nA mail for the test.\n";

/// No mail program may hang when our command fails; `timeout` ends one that does with this exit code.
const TIME_LIMIT: &str = "20";
const TIMED_OUT: i32 = 124;
/// The exit code of curl.
const LOGIN_DENIED: i32 = 67;

/// A home, and a mail server whose users are Microsoft's.
struct Desk {
    home: Home,
    sink: Sink,
    server: Dovecot,
}

impl Desk {
    fn new() -> Self {
        let (home, sink) = (Home::new(), Sink::start());
        let server = Dovecot::start(&home, sink.port);
        Self { home, sink, server }
    }

    /// One with a mail in Ada's INBOX, and a folder for it at home.
    fn with_mail() -> Self {
        let desk = Self::new();
        desk.server.deliver(ADA, MAIL);
        fs::create_dir(desk.home.path().join("Mail")).unwrap();
        desk
    }

    fn certificate(&self) -> String {
        self.server.certificate().display().to_string()
    }

    fn write(&self, name: &str, text: &str) {
        let file = self.home.path().join(name);
        fs::write(&file, text).unwrap();
        fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// A mail program with this home and a time limit.
    fn program(&self, name: &str, package: &str) -> Command {
        let mut command = program("timeout", "coreutils");
        self.home.prepare(&mut command);
        command.arg(TIME_LIMIT).arg(program(name, package).get_program());
        command
    }

    fn mbsync(&self) -> Run {
        let server = format!("Port {}\nCertificateFile {}", self.server.imaps_port, self.certificate());
        let block = readme_block("mbsync", "text", 0);
        self.write(
            ".mbsyncrc",
            &block.with("Host outlook.office365.com", "Host localhost").with_below("Host ", &server),
        );
        finish(self.program("mbsync", "isync libsasl2-modules-kdexoauth2").arg("m365"))
    }

    fn msmtp(&self) -> Run {
        let block = readme_block("msmtp", "text", 0)
            .with("host smtp.office365.com", "host localhost")
            .with("port 587", &format!("port {}", self.server.submission_port));
        self.write(".msmtprc", &block.with_below("tls on", &format!("tls_trust_file {}", self.certificate())));
        self.write("mail", MAIL);
        let mail = fs::File::open(self.home.path().join("mail")).unwrap();
        finish(self.program("msmtp", "msmtp").arg(GRACE).stdin(mail))
    }

    /// With the lines that the README has for those who want OfflineIMAP to refresh by itself, or without.
    fn offlineimap(&self, instead: Option<&str>) -> Run {
        let server = format!("remotehost = localhost\nremoteport = {}", self.server.imaps_port);
        let mut block = readme_block("OfflineIMAP", "ini", 0)
            .with("remotehost = outlook.office365.com", &server)
            .with("sslcacertfile = OS-DEFAULT", &format!("sslcacertfile = {}", self.certificate()));
        if let Some(instead) = instead {
            let line = block.lines().find(|line| line.starts_with("oauth2_access_token_eval")).unwrap().to_owned();
            block = block.with(&line, instead);
        }
        self.write(".offlineimaprc", &block);
        self.write(".offlineimap.py", &readme_block("OfflineIMAP", "python", 0));
        let mut command = self.program("offlineimap", "offlineimap3");
        // Python's, for its own talk with Microsoft; our commands must not need it.
        command.env("SSL_CERT_FILE", self.home.standin.ca_file());
        finish(command.args(["-o", "-u", "basic"]))
    }

    /// The mails that came into the INBOX at home.
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
}

/// The two ways in which our command fails most: nobody has signed in, and Microsoft does not take the token any more.
/// The program must fail in time, and its user must see our reason.
#[track_caller]
fn shows_our_reason(run_program: impl Fn(&Desk) -> Run) {
    let desk = Desk::with_mail();
    let shows = |run: &Run, reason: &str| {
        assert!(!matches!(run.code, Some(0 | TIMED_OUT) | None), "{run:?}");
        assert!(run.stdout.contains(reason) || run.stderr.contains(reason), "{reason}: {run:?}");
        assert!(run.stdout.contains("get-token") || run.stderr.contains("get-token"), "what to do: {run:?}");
    };
    shows(&run_program(&desk), "No refresh token found");
    desk.home.store_token("mail");
    desk.home.standin.revoke_all(700_082);
    shows(&run_program(&desk), "AADSTS700082");
    assert!(desk.fetched().is_empty() && desk.sink.is_empty());
}

#[test]
#[ignore = "tests/run: dovecot and mbsync with its SASL plugin"]
fn mbsync_fetches_mail() {
    let desk = Desk::with_mail();
    desk.home.store_token("mail");
    let run = desk.mbsync();
    desk.has_fetched_the_mail(&run);
    assert!(desk.home.standin.is_valid_refresh_token(&desk.home.token_in_file("mail").unwrap()));
}

#[test]
#[ignore = "tests/run: dovecot and mbsync with its SASL plugin"]
fn mbsync_shows_why_there_is_no_token() {
    shows_our_reason(Desk::mbsync);
}

#[test]
#[ignore = "tests/run: dovecot's submission service and msmtp"]
fn msmtp_sends_mail() {
    let desk = Desk::new();
    desk.home.store_token("mail");
    let run = desk.msmtp();
    assert_eq!(run.code, Some(0), "{run:?}\n{}", desk.server.log());
    let message = desk.sink.message();
    assert!(message.contains(&format!("MAIL FROM:<{ADA}>")), "{message}");
    assert!(message.contains(&format!("RCPT TO:<{GRACE}>")), "{message}");
    assert!(message.contains("A mail for the test."), "{message}");
}

#[test]
#[ignore = "tests/run: dovecot's submission service and msmtp"]
fn msmtp_shows_why_there_is_no_token() {
    shows_our_reason(Desk::msmtp);
}

#[test]
#[ignore = "tests/run: dovecot and OfflineIMAP"]
fn offlineimap_fetches_mail() {
    let desk = Desk::with_mail();
    desk.home.store_token("mail");
    let run = desk.offlineimap(None);
    desk.has_fetched_the_mail(&run);
}

#[test]
#[ignore = "tests/run: dovecot and OfflineIMAP"]
fn offlineimap_shows_why_there_is_no_token() {
    shows_our_reason(|desk| desk.offlineimap(None));
}

/// OfflineIMAP sends its secret even when it is empty, and the stand-in refuses that from a client without one (as
/// Microsoft may): so this is a client with a secret.
fn refreshes_by_itself(desk: &Desk) -> Run {
    let instead = readme_block("OfflineIMAP", "ini", 1)
        .with("https://login.microsoftonline.com/common/", &desk.home.standin.authority())
        .with("YOUR-CLIENT-ID", CONFIDENTIAL_CLIENT_ID)
        .with("oauth2_client_secret =", &format!("oauth2_client_secret = {CLIENT_SECRET}"));
    desk.offlineimap(Some(&instead))
}

#[test]
#[ignore = "tests/run: dovecot and OfflineIMAP"]
fn offlineimap_fetches_mail_with_the_stored_refresh_token() {
    let desk = Desk::with_mail();
    let token = desk.home.standin.seed_refresh_token(CONFIDENTIAL_CLIENT_ID, ADA);
    desk.home.put_token("mail", &token);
    let run = refreshes_by_itself(&desk);
    desk.has_fetched_the_mail(&run);
    let requests = desk.home.standin.requests();
    let refresh = requests.iter().find(|request| request.path.ends_with("/token")).unwrap();
    assert_eq!(refresh.parameters["refresh_token"], token);
    assert!(refresh.user_agent.as_ref().unwrap().starts_with("Python-urllib"), "it refreshed itself: {refresh:?}");
    assert_eq!(desk.home.token_in_file("mail"), Some(token), "it throws the new one away, as the README says");
}

#[test]
#[ignore = "tests/run: dovecot and OfflineIMAP"]
fn offlineimap_shows_why_there_is_no_refresh_token() {
    let desk = Desk::with_mail();
    let run = refreshes_by_itself(&desk);
    assert!(!matches!(run.code, Some(0 | TIMED_OUT) | None), "{run:?}");
    assert!(run.stderr.contains("No refresh token found"), "{run:?}");
    assert!(desk.fetched().is_empty());
}

#[test]
#[ignore = "tests/run: dovecot and curl"]
fn the_mail_server_takes_the_token_of_this_person_for_mail_and_no_other() {
    let Desk { home, server, .. } = Desk::new();
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
fn twenty_programs_at_once_all_get_in_with_single_use_refresh_tokens() {
    let Desk { home, server, .. } = Desk::new();
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
