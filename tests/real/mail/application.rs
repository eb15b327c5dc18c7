//! An application that reads a mailbox without a person.

use standin::{ADA, CLIENT_SECRET, CONFIDENTIAL_CLIENT_ID, PUBLIC_CLIENT_ID, TENANT_ID};

use super::{MailSetup, mbsync};

/// A mailbox with a mail, and the profile of an application.
fn setup() -> MailSetup {
    let setup = MailSetup::with_mail();
    let home = &setup.home;
    let text = home.configuration().replace(&home.standin.authority(), &home.standin.authority_for(TENANT_ID));
    let configuration = format!(
        "grant = 'client_credentials'\nclient_secret = '{CLIENT_SECRET}'\nusername = '{ADA}'\n\
         imap_host = 'localhost:{}'\nsmtp_host = 'localhost:{}'\n{}",
        setup.server.imaps_port,
        setup.server.submission_port,
        text.replace(PUBLIC_CLIENT_ID, CONFIDENTIAL_CLIENT_ID)
    );
    setup.write(".config/m365auth/config.toml", &configuration); // with mode 600, because it contains a secret
    // The check has one ca_file for the login host and the mail servers.
    let both = home.standin.ca_pem() + &std::fs::read_to_string(setup.server.ca_file()).unwrap();
    std::fs::write(home.standin.ca_file(), both).unwrap();
    setup
}

#[test]
#[ignore = "tests/run: Dovecot, mbsync with its SASL plugin"]
fn mbsync_fetches_mail_with_an_applications_token() {
    let setup = setup();
    setup.home.standin.let_applications_into(ADA);
    setup.has_fetched_the_mail(&mbsync::mbsync(&setup));
    let check = setup.home.run("get-token", ["--check"]);
    assert_eq!(check.code, Some(0), "{check:?}");
    assert!(
        check.stdout.contains("✓ mbsync's plugin: ")
            && check.stdout.contains("✓ IMAP: signed in to ")
            && check.stdout.contains("✓ SMTP: "),
        "{check:?}"
    );
}

#[test]
#[ignore = "tests/run: Dovecot"]
fn a_mailbox_that_does_not_let_the_application_in_is_explained() {
    let setup = setup();
    let check = setup.home.run("get-token", ["--check"]);
    assert_eq!(check.code, Some(77), "{check:?}");
    let text = check.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains(&format!("does not let the application {CONFIDENTIAL_CLIENT_ID} into {ADA}")), "{text}");
    assert!(text.contains(&format!("`New-ServicePrincipal -AppId {CONFIDENTIAL_CLIENT_ID} -ObjectId OBJECT_ID`")));
    assert!(
        text.contains(&format!("`Add-MailboxPermission -Identity {ADA} -User OBJECT_ID -AccessRights FullAccess`"))
    );
}
