use standin::{ADA, CLIENT_SECRET, CONFIDENTIAL_CLIENT_ID};

use super::{MailSetup, TIMED_OUT, block, fails_when_the_server_refuses, shows_our_reason};
use crate::document_blocks::Adapt as _;
use crate::support::{Run, finish};

fn offlineimap(desk: &MailSetup) -> Run {
    run(desk, block("OfflineIMAP", "ini", 0))
}

fn run(desk: &MailSetup, configuration: String) -> Run {
    let server = format!("remotehost = localhost\nremoteport = {}", desk.server.imaps_port);
    let configuration = configuration
        .with("remotehost = outlook.office365.com", &server)
        .with("sslcacertfile = OS-DEFAULT", &format!("sslcacertfile = {}", desk.ca_file()));
    desk.write(".offlineimaprc", &configuration);
    desk.write(".offlineimap.py", &block("OfflineIMAP", "python", 0));
    let mut command = desk.program("offlineimap", "offlineimap3");
    // Python's, for its own talk with Microsoft; our commands must not need it.
    command.env("SSL_CERT_FILE", desk.home.standin.ca_file());
    finish(command.args(["-o", "-u", "basic"]))
}

/// With the lines for those who want it to refresh by itself. OfflineIMAP sends its secret even when it is empty, and
/// the stand-in refuses that from a client without one (as Microsoft may): so this is a client with a secret.
fn refreshes_by_itself(desk: &MailSetup) -> Run {
    let configuration = block("OfflineIMAP", "ini", 0);
    let asks = configuration.lines().find(|line| line.starts_with("oauth2_access_token_eval")).unwrap().to_owned();
    let instead = block("OfflineIMAP", "ini", 1)
        .with("https://login.microsoftonline.com/common/", &desk.home.standin.authority())
        .with("YOUR-CLIENT-ID", CONFIDENTIAL_CLIENT_ID)
        .with("oauth2_client_secret =", &format!("oauth2_client_secret = {CLIENT_SECRET}"));
    run(desk, configuration.with(&asks, &instead))
}

#[test]
#[ignore = "tests/run: dovecot and OfflineIMAP"]
fn fetches_mail() {
    let desk = MailSetup::with_mail();
    desk.home.store_token("mail");
    let run = offlineimap(&desk);
    desk.has_fetched_the_mail(&run);
}

#[test]
#[ignore = "tests/run: dovecot and OfflineIMAP"]
fn shows_why_there_is_no_token() {
    shows_our_reason(offlineimap);
}

#[test]
#[ignore = "tests/run: dovecot and OfflineIMAP"]
fn fails_with_a_token_of_another_person() {
    fails_when_the_server_refuses(offlineimap);
}

#[test]
#[ignore = "tests/run: dovecot and OfflineIMAP"]
fn fetches_mail_with_the_stored_refresh_token() {
    let desk = MailSetup::with_mail();
    let token = desk.home.standin.seed_refresh_token(CONFIDENTIAL_CLIENT_ID, ADA);
    desk.home.put_token("mail", &token);
    let run = refreshes_by_itself(&desk);
    desk.has_fetched_the_mail(&run);
    let requests = desk.home.standin.requests();
    let refresh = requests.iter().find(|request| request.path.ends_with("/token")).unwrap();
    assert_eq!(refresh.parameters["refresh_token"], token);
    assert!(refresh.user_agent.as_ref().unwrap().starts_with("Python-urllib"), "it refreshed itself: {refresh:?}");
    assert_eq!(desk.home.token_in_file("mail"), Some(token), "it throws the new one away, as the document says");
}

#[test]
#[ignore = "tests/run: dovecot and OfflineIMAP"]
fn shows_why_there_is_no_refresh_token() {
    let desk = MailSetup::with_mail();
    let run = refreshes_by_itself(&desk);
    assert!(!matches!(run.code, Some(0 | TIMED_OUT) | None), "{run:?}");
    assert!(run.stderr.contains("No refresh token found"), "{run:?}");
    assert!(desk.fetched().is_empty());
}
