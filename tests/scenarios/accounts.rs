//! Several accounts, several profiles, and signing out.

use standin::{ADA, GRACE, PUBLIC_CLIENT_ID};

use crate::support::Home;

#[test]
fn one_sign_in_serves_mail_and_send() {
    let home = Home::new();
    let sign_in = home.begin_sign_in(&["-p", "mail", "-p", "send"]);
    sign_in.approve(ADA);
    let run = sign_in.finish();
    run.token();
    assert!(run.stderr.contains("Refresh token for \"send\" saved in "), "{}", run.stderr);
    let run = home.run("refresh-token", ["-p", "send", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert!(json["scopes"].as_array().unwrap().contains(&"https://graph.microsoft.com/Mail.Send".into()), "{json}");
}

#[test]
fn one_sign_in_stores_a_token_for_each_profile() {
    let home = Home::new();
    let sign_in = home.begin_sign_in(&["--profile", "mail", "--profile", "calendar"]);
    sign_in.approve(ADA);
    let run = sign_in.finish();
    run.token();
    assert!(run.stderr.contains("Refresh token for \"calendar\" saved in "), "{}", run.stderr);
    for profile in ["mail", "calendar"] {
        let token = home.run("refresh-token", ["-p", profile]);
        assert!(home.standin.is_valid_access_token(token.token()));
    }
    let authorize = home.standin.requests().into_iter().find(|request| request.path.ends_with("/authorize")).unwrap();
    assert!(authorize.parameters["scope"].contains("IMAP.AccessAsUser.All"));
    assert!(authorize.parameters["scope"].contains("Calendars.ReadWrite"), "consent for both at once");
}

#[test]
fn a_failure_for_a_second_profile_is_reported_and_the_first_is_stored() {
    let home = Home::new();
    let sign_in = home.begin_sign_in(&["-p", "mail", "-p", "calendar"]);
    home.standin.inject(standin::Fault::Delay { milliseconds: 1 }); // the code exchange
    home.standin.inject(standin::Fault::aadsts(65_001)); // the token request for the calendar
    sign_in.approve(ADA);
    let run = sign_in.finish();
    run.token();
    let message = run.stderr.split_once("warning: no token for the profile \"calendar\": ").expect("a warning").1;
    assert!(message.contains("hint: ") && message.contains("Microsoft's reference: AADSTS65001"), "{message}");
    assert!(home.token_in_file("mail").is_some() && home.token_in_file("calendar").is_none());
}

#[test]
#[cfg(unix)]
fn if_no_token_can_be_stored_each_profile_is_reported() {
    let home = Home::new();
    home.configure(&home.configuration_with_store("{ load = ['true'], save = ['sh', '-c', 'cat; exit 3'] }"));
    let sign_in = home.begin_sign_in(&["-p", "mail", "-p", "calendar"]);
    let page = sign_in.approve(ADA);
    assert!(page.body.contains("The token could not be stored"), "{}", page.body);
    let run = sign_in.finish();
    let stderr = run.fails_with(74);
    assert_eq!(stderr.matches("exit status: 3").count(), 2, "{stderr}");
    assert!(stderr.contains("\"mail\"") && stderr.contains("\"calendar\""), "{stderr}");
}

#[test]
#[cfg(unix)]
fn a_failure_for_the_first_profile_is_reported_and_the_second_is_stored() {
    let home = Home::new();
    let store = "{ load = ['true'], save = ['sh', '-c', 'cat; exit 3'] }";
    home.configure(&(home.configuration_with_store(store) + "[profiles.calendar]\nstore = 'file'\n"));
    let sign_in = home.begin_sign_in(&["-p", "mail", "-p", "calendar"]);
    let page = sign_in.approve(ADA);
    assert!(page.body.contains("You are signed in, but not for every profile"), "{}", page.body);
    assert!(page.body.contains("is stored for the profile <strong>calendar</strong>"), "{}", page.body);
    assert!(page.body.contains("Profile &quot;mail&quot;: you are signed in, but"), "{}", page.body);
    let run = sign_in.finish();
    assert!(run.fails_with(74).contains("error: profile \"mail\": "), "{run:?}");
    assert!(run.stderr.contains("Signed in as ada@example.com (profile \"calendar\")."), "{run:?}");
    assert!(home.standin.is_valid_refresh_token(&home.token_in_file("calendar").unwrap()));
}

#[test]
fn each_unknown_profile_is_reported() {
    let home = Home::new();
    for arguments in [vec![], vec!["--sign-out"]] {
        let run = home.run("get-token", [&["-p", "work", "-p", "mail", "-p", "club"], arguments.as_slice()].concat());
        let stderr = run.fails_with(78);
        assert!(stderr.contains("\"work\"") && stderr.contains("\"club\""), "{stderr}");
        assert!(stderr.matches("error: ").count() >= 2, "{stderr}");
    }
    let run = home.run("get-token", ["-p", "work", "-p", "mail", "-p", "club", "--check"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(78), ""));
    assert!(run.stdout.contains("\"work\"") && run.stdout.contains("\"club\""), "{}", run.stdout);
}

#[test]
fn profiles_of_different_clients_cannot_share_a_sign_in() {
    let home = Home::new();
    home.configure(
        &(home.configuration() + "[profiles.calendar]\nclient_id = '8c1d5e3f-27ab-4f60-b9c2-1e7f4a9d6b25'\n"),
    );
    let run = home.run("get-token", ["-p", "mail", "-p", "calendar"]);
    assert!(run.fails_with(64).contains("their client IDs differ"));
}

#[test]
fn another_account_is_rejected_without_a_terminal_and_accepted_after_signing_out() {
    let home = Home::new();
    home.sign_in().token();
    let token = home.token_in_file("mail");
    let sign_in = home.begin_sign_in(&[]);
    let page = sign_in.approve(GRACE);
    assert!(page.body.contains("Wrong account") && page.body.contains(GRACE), "{}", page.body);
    let run = sign_in.finish();
    let stderr = run.fails_with(77);
    let (ada, grace) = (format!("{ADA} (tenant "), format!("{GRACE} (tenant "));
    assert!(stderr.contains(&ada) && stderr.contains(&grace) && stderr.contains("--sign-out"), "{stderr}");
    assert_eq!(home.token_in_file("mail"), token, "the old token is kept");

    assert_eq!(home.run("get-token", ["--sign-out"]).code, Some(0));
    let sign_in = home.begin_sign_in(&[]);
    sign_in.approve(GRACE);
    sign_in.finish().token();
}

#[test]
fn two_accounts_with_different_clients_can_share_a_configuration() {
    let home = Home::new();
    let configuration = home.configuration()
        + &format!(
            "[profiles.work]\nclient_id = '{}'\nauthority = '{}'\nscopes = ['https://outlook.office.com/SMTP.Send']\n",
            standin::SINGLE_TENANT_CLIENT_ID,
            home.standin.authority_for("example.com"),
        );
    home.configure(&configuration);
    home.sign_in().token();
    let sign_in = home.begin_sign_in(&["-p", "work"]);
    sign_in.approve(GRACE);
    sign_in.finish().token();
    home.refresh().token();
    home.run("refresh-token", ["-p", "work"]).token();
    let clients: Vec<String> =
        home.standin.requests().iter().filter_map(|request| request.parameters.get("client_id").cloned()).collect();
    assert!(clients.contains(&PUBLIC_CLIENT_ID.to_owned()));
}

#[test]
fn signing_out_removes_the_token_and_explains_how_to_revoke_sessions() {
    let home = Home::new();
    home.sign_in().token();
    let run = home.run("get-token", ["--sign-out"]);
    assert_eq!((run.code, &*run.stdout), (Some(0), ""));
    assert!(run.stderr.contains("removed from") && run.stderr.contains("mysignins.microsoft.com"), "{}", run.stderr);
    assert_eq!(home.token_in_file("mail"), None);
    home.refresh().fails_with(77);
    assert!(home.run("get-token", ["--sign-out"]).stderr.contains("No refresh token is stored for \"mail\""));
}

#[test]
fn signing_out_of_a_file_needs_neither_a_keychain_nor_a_client_id() {
    let home = Home::new();
    let configuration = home.configuration();
    home.configure(&configuration);
    home.sign_in().token();
    home.configure(&configuration.replace(PUBLIC_CLIENT_ID, ""));
    let run = home.run("get-token", ["--sign-out"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(home.token_in_file("mail"), None);
    // The account is removed as well, so that another one can sign in.
    home.configure(&configuration);
    let sign_in = home.begin_sign_in(&[]);
    sign_in.approve(GRACE);
    sign_in.finish().token();
}

#[test]
#[cfg(target_os = "linux")]
fn signing_out_without_access_to_the_keychain_reports_that_its_token_remains() {
    let home = Home::new();
    home.configure(&home.configuration_with_store("'auto'"));
    home.sign_in().token();
    let records = home.cache().join("records_mail.toml");
    let text = std::fs::read_to_string(&records).unwrap();
    std::fs::write(&records, text.replace("[file", "[keychain")).unwrap();
    let run = home.run("get-token", ["--sign-out"]);
    assert!(run.fails_with(69).contains("no keychain is available"), "{run:?}");
    assert!(run.stderr.contains("Refresh token for \"mail\" removed from"), "the file's is: {run:?}");
}
