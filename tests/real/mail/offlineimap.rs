use standin::{ADA, CLIENT_SECRET, CONFIDENTIAL_CLIENT_ID};

use super::{MailSetup, TIMED_OUT, block, fails_when_the_server_refuses, run_with_refused_token, shows_our_error};
use crate::document_blocks::Adapt as _;
use crate::support::{Run, finish};
use crate::versions::version;

fn offlineimap(setup: &MailSetup) -> Run {
    run(setup, block("OfflineIMAP", "ini", 0))
}

fn run(setup: &MailSetup, configuration: String) -> Run {
    let server = format!("remotehost = localhost\nremoteport = {}", setup.server.imaps_port);
    let configuration = configuration
        .with("remotehost = outlook.office365.com", &server)
        .with("sslcacertfile = OS-DEFAULT", &format!("sslcacertfile = {}", setup.ca_file()));
    setup.write(".offlineimaprc", &configuration);
    setup.write(".offlineimap.py", &block("OfflineIMAP", "python", 0));
    let mut command = setup.program("offlineimap", "offlineimap3");
    // For OfflineIMAP's own requests to Microsoft. Our commands must not depend on it.
    command.env("SSL_CERT_FILE", setup.home.standin.ca_file());
    finish(command.args(["-o", "-u", "basic"]))
}

/// Runs OfflineIMAP configured to refresh tokens by itself. It always sends a client secret, even an empty one, which
/// the stand-in refuses from a public client (as Microsoft may). So the test uses a confidential client.
fn refreshes_by_itself(setup: &MailSetup) -> Run {
    let configuration = block("OfflineIMAP", "ini", 0);
    let eval = configuration.lines().find(|line| line.starts_with("oauth2_access_token_eval")).unwrap().to_owned();
    let replacement = block("OfflineIMAP", "ini", 1)
        .with("https://login.microsoftonline.com/common/", &setup.home.standin.authority())
        .with("YOUR-CLIENT-ID", CONFIDENTIAL_CLIENT_ID)
        .with("oauth2_client_secret =", &format!("oauth2_client_secret = {CLIENT_SECRET}"));
    run(setup, configuration.with(&eval, &replacement))
}

#[test]
#[ignore = "tests/run: dovecot and OfflineIMAP"]
fn fetches_mail() {
    let setup = MailSetup::with_mail();
    setup.home.store_token("mail");
    let run = offlineimap(&setup);
    setup.has_fetched_the_mail(&run);
}

#[test]
#[ignore = "tests/run: dovecot and OfflineIMAP"]
fn shows_why_there_is_no_token() {
    shows_our_error(offlineimap);
}

#[test]
#[ignore = "tests/run: dovecot and OfflineIMAP"]
fn fails_with_another_users_token_but_not_by_its_exit_code_from_version_8_0_3_on() {
    if version("OfflineIMAP") < vec![8, 0, 3] {
        return fails_when_the_server_refuses(offlineimap);
    }
    let run = run_with_refused_token(offlineimap);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stdout.contains("All authentication types failed"), "{run:?}");
}

#[test]
#[ignore = "tests/run: dovecot and OfflineIMAP"]
fn fetches_mail_with_the_stored_refresh_token() {
    let setup = MailSetup::with_mail();
    let token = setup.home.standin.seed_refresh_token(CONFIDENTIAL_CLIENT_ID, ADA);
    setup.home.put_token("mail", &token);
    let run = refreshes_by_itself(&setup);
    setup.has_fetched_the_mail(&run);
    let requests = setup.home.standin.requests();
    let refresh = requests.iter().find(|request| request.path.ends_with("/token")).unwrap();
    assert_eq!(refresh.parameters["refresh_token"], token);
    assert!(
        refresh.user_agent.as_ref().unwrap().starts_with("Python-urllib"),
        "not OfflineIMAP's own request: {refresh:?}"
    );
    assert_eq!(
        setup.home.token_in_file("mail"),
        Some(token),
        "OfflineIMAP discards the new token, as the document says"
    );
}

#[test]
#[ignore = "tests/run: dovecot and OfflineIMAP"]
fn shows_why_there_is_no_refresh_token() {
    let setup = MailSetup::with_mail();
    let run = refreshes_by_itself(&setup);
    assert!(!matches!(run.code, Some(0 | TIMED_OUT) | None), "{run:?}");
    assert!(run.stderr.contains("No refresh token found"), "{run:?}");
    assert!(setup.fetched().is_empty());
}
