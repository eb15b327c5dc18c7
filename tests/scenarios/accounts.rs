//! Several accounts, several profiles, and the end of a sign-in.

use standin::{ADA, GRACE, PUBLIC_CLIENT_ID};

use crate::support::Home;

#[test]
fn one_sign_in_serves_several_profiles_with_a_token_each() {
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
fn a_profile_that_microsoft_refuses_afterwards_is_named_and_the_others_are_stored() {
    let home = Home::new();
    let sign_in = home.begin_sign_in(&["-p", "mail", "-p", "calendar"]);
    home.standin.order(standin::Fault::Delay { milliseconds: 1 }); // the exchange
    home.standin.order(standin::Fault::aadsts(65_001)); // the calendar's token
    sign_in.approve(ADA);
    let run = sign_in.finish();
    run.token();
    let said = run.stderr.split_once("warning: no token for the profile \"calendar\": ").expect("it is named").1;
    assert!(said.contains("hint: ") && said.contains("Microsoft's reference: AADSTS65001"), "{said}");
    assert!(home.token_in_file("mail").is_some() && home.token_in_file("calendar").is_none());
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
fn another_account_is_refused_without_a_terminal_and_welcome_after_signing_out() {
    let home = Home::new();
    home.sign_in().token();
    let token = home.token_in_file("mail");
    let sign_in = home.begin_sign_in(&[]);
    let page = sign_in.approve(GRACE);
    assert!(page.body.contains("not signed in") && page.body.contains(GRACE), "{}", page.body);
    let run = sign_in.finish();
    let stderr = run.fails_with(77);
    assert!(stderr.contains(ADA) && stderr.contains(GRACE) && stderr.contains("--sign-out"), "{stderr}");
    assert_eq!(home.token_in_file("mail"), token, "the old token stays");

    assert_eq!(home.run("get-token", ["--sign-out"]).code, Some(0));
    let sign_in = home.begin_sign_in(&[]);
    sign_in.approve(GRACE);
    sign_in.finish().token();
}

#[test]
fn two_accounts_with_clients_of_their_own_live_in_one_file() {
    let home = Home::new();
    let configuration = home.configuration()
        + &format!(
            "[profiles.work]\nclient_id = '{}'\nauthority = '{}'\nscopes = ['https://outlook.office.com/SMTP.Send']\n",
            standin::SINGLE_TENANT_CLIENT_ID,
            home.standin.authority_of("example.com"),
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
fn signing_out_removes_the_token_and_says_how_to_end_the_sessions() {
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
fn signing_out_of_a_file_asks_no_keychain_and_needs_no_client_id() {
    let home = Home::new();
    let configuration = home.configuration_without_keychain();
    home.configure(&configuration);
    home.sign_in().token();
    home.configure(&configuration.replace(PUBLIC_CLIENT_ID, ""));
    let run = home.run("get-token", ["--sign-out"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(home.token_in_file("mail"), None);
    // The account is forgotten too: another one may come.
    home.configure(&configuration);
    let sign_in = home.begin_sign_in(&[]);
    sign_in.approve(GRACE);
    sign_in.finish().token();
}

#[test]
#[cfg(target_os = "linux")]
fn signing_out_where_the_keychain_is_out_of_reach_says_that_the_token_is_still_there() {
    let home = Home::new();
    home.sign_in().token();
    let records = home.cache().join("records_mail.toml");
    let known = std::fs::read_to_string(&records).unwrap();
    std::fs::write(&records, known.replace("[file", "[keychain")).unwrap();
    let run = home.run("get-token", ["--sign-out"]);
    assert!(run.fails_with(69).contains("no keychain in this login"), "{run:?}");
    assert!(run.stderr.contains("Refresh token for \"mail\" removed from"), "the file's is: {run:?}");
}
