//! `get-token --status`: what is stored, and whether a person must act, without a request.

use standin::{ADA, Fault, PUBLIC_CLIENT_ID};

use crate::support::{Home, Run};

fn status(home: &Home, arguments: &[&str]) -> Run {
    let run = home.run("get-token", [&["--status"], arguments].concat());
    assert_eq!(run.code, Some(0), "{run:?}");
    run
}

#[test]
fn the_status_shows_account_location_and_days_without_a_request() {
    let home = Home::new();
    assert!(status(&home, &[]).stdout.contains("mail: not signed in (run `get-token --profile mail`)"));
    home.sign_in().token();
    let requests = home.standin.requests().len();
    let shown = status(&home, &[]).stdout;
    for known in
        ["mail: signed in as ada@example.com", "refresh_token_mail", "within 90 days", "calendar: not signed in"]
    {
        assert!(shown.contains(known), "{known} in {shown}");
    }
    assert!(!status(&home, &["-p", "mail"]).stdout.contains("calendar"));
    assert_eq!(home.standin.requests().len(), requests);
}

#[test]
fn the_status_is_available_as_json() {
    let home = Home::new();
    home.sign_in().token();
    let json: serde_json::Value = serde_json::from_str(&status(&home, &["--json"]).stdout).unwrap();
    let mail = json.as_array().unwrap().iter().find(|status| status["profile"] == "mail").unwrap();
    assert_eq!(mail["account"]["name"], ADA);
    assert_eq!(mail["days_left"], 90);
    assert!(mail["issued"].as_u64().unwrap() > 1_700_000_000 && mail["error"].is_null());
}

/// Returns the profile "mail" in the status as JSON, with the exit code.
fn status_of_mail(home: &Home) -> (Option<i32>, serde_json::Value) {
    let run = home.run("get-token", ["--status", "--json"]);
    let all: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    (run.code, all.as_array().unwrap().iter().find(|status| status["profile"] == "mail").unwrap().clone())
}

#[test]
fn the_status_shows_the_last_refusal_until_a_refresh_succeeds() {
    let home = Home::new();
    home.sign_in().token();
    let (code, mail) = status_of_mail(&home);
    assert_eq!((code, &mail["state"], &mail["refusal"]), (Some(0), &"ok".into(), &serde_json::Value::Null));
    let now = || std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();

    home.standin.inject(Fault::aadsts(50_173));
    home.refresh().fails_with(77);
    let (code, mail) = status_of_mail(&home);
    assert_eq!((code, &mail["state"]), (Some(77), &"sign_in_needed".into()));
    let refusal = &mail["refusal"];
    assert_eq!((&refusal["exit"], &refusal["aadsts"]), (&77.into(), &50_173.into()));
    assert!((now() - 60..=now()).contains(&refusal["at"].as_u64().unwrap()), "{refusal}");
    for (field, part) in [
        ("message", "the refresh token was revoked"),
        ("hint", "run `get-token --profile mail`"),
        ("reference", "AADSTS50173, trace "),
    ] {
        assert!(refusal[field].as_str().unwrap().contains(part), "{refusal}");
    }
    let shown = home.run("get-token", ["--status", "-p", "mail"]);
    assert_eq!(shown.code, Some(77));
    for part in ["mail: sign-in needed since 20", " UTC (AADSTS50173)", "  hint: run `get-token --profile mail`"] {
        assert!(shown.stdout.contains(part), "{part} in {}", shown.stdout);
    }

    home.standin.inject(Fault::aadsts(700_016));
    home.refresh().fails_with(78);
    let (code, mail) = status_of_mail(&home);
    assert_eq!((code, &mail["state"], &mail["refusal"]["exit"]), (Some(78), &"configuration".into(), &78.into()));

    home.refresh().token();
    let (code, mail) = status_of_mail(&home);
    assert_eq!((code, &mail["state"], &mail["refusal"]), (Some(0), &"ok".into(), &serde_json::Value::Null));
}

#[test]
fn a_transient_failure_does_not_change_the_status() {
    let home = Home::new();
    home.configure_with("network_timeout = 1");
    home.sign_in().token();
    home.standin.inject_times(Fault::Status { status: 503, retry_after: None }, 5);
    home.refresh().fails_with(75);
    assert_eq!(status_of_mail(&home).0, Some(0));
}

#[test]
fn a_refused_sign_in_counts_only_without_a_working_token() {
    let home = Home::new();
    let decline = || {
        let sign_in = home.begin_sign_in(&[]);
        sign_in.decline(ADA);
        sign_in.finish().fails_with(77);
    };
    decline();
    let (_, mail) = status_of_mail(&home);
    assert_eq!((&mail["state"], &mail["refusal"]["exit"]), (&"not_signed_in".into(), &77.into()));
    home.sign_in().token();
    decline();
    let (code, mail) = status_of_mail(&home);
    assert_eq!((code, &mail["state"], &mail["refusal"]), (Some(0), &"ok".into(), &serde_json::Value::Null));
}

#[test]
fn the_status_says_what_no_longer_fits_the_stored_token_without_a_request() {
    let home = Home::new();
    home.sign_in().token();
    let requests = home.standin.requests().len();
    home.configure(&home.configuration().replace(PUBLIC_CLIENT_ID, standin::SINGLE_TENANT_CLIENT_ID));
    let (code, mail) = status_of_mail(&home);
    assert_eq!((code, &mail["state"]), (Some(78), &"configuration".into()));
    assert!(mail["error"].as_str().unwrap().contains("was issued for the client ID"), "{mail}");
    home.configure(
        &home.configuration().replace(&home.standin.authority(), "https://login.microsoftonline.us/common/"),
    );
    let (code, mail) = status_of_mail(&home);
    assert_eq!((code, &mail["state"]), (Some(78), &"configuration".into()));
    assert!(mail["error"].as_str().unwrap().contains("was issued for the authority https://localhost:"), "{mail}");
    home.configure_with("username = 'grace@example.com'");
    let (code, mail) = status_of_mail(&home);
    assert_eq!((code, &mail["state"]), (Some(77), &"sign_in_needed".into()));
    assert_eq!(home.standin.requests().len(), requests);
}

#[test]
fn not_being_signed_in_matters_only_for_a_named_profile() {
    let home = Home::new();
    assert_eq!(home.run("get-token", ["--status"]).code, Some(0));
    assert_eq!(home.run("get-token", ["--status", "-p", "mail"]).code, Some(77));
}

#[test]
#[cfg(unix)]
fn the_state_that_matters_most_decides_the_exit_code() {
    let home = Home::new();
    let graph = "scopes = ['https://graph.microsoft.com/Mail.Read']";
    let unknown = format!("[profiles.unknown]\n{graph}\nstore = {{ load = ['false'], save = ['false'] }}\n");
    let configure = |client_id: &str| {
        let other = format!("[profiles.other]\n{graph}\nclient_id = '{client_id}'\n");
        home.configure(&format!("{}{unknown}{other}", home.configuration()));
    };
    configure(PUBLIC_CLIENT_ID);
    home.sign_in().token();
    let sign_in = home.begin_sign_in(&["-p", "other"]);
    sign_in.approve(ADA);
    sign_in.finish().token();
    let code = || home.run("get-token", ["--status"]).code;
    assert_eq!(code(), Some(69));
    home.standin.inject(Fault::aadsts(50_173));
    home.refresh().fails_with(77);
    assert_eq!(code(), Some(77));
    configure(standin::SINGLE_TENANT_CLIENT_ID);
    assert_eq!(code(), Some(78));
}

#[test]
fn a_store_that_fails_is_unknown_and_not_empty() {
    let home = Home::new();
    let (program, arguments) = if cfg!(windows) { ("cmd", ", '/c', 'exit 1'") } else { ("false", "") };
    let failing = format!("['{program}'{arguments}]");
    home.configure(&home.configuration_with_store(&format!("{{ load = {failing}, save = {failing} }}")));
    let (code, mail) = status_of_mail(&home);
    assert_eq!((code, &mail["state"]), (Some(69), &"unknown".into()));
    assert!(mail["error"].as_str().unwrap().contains(&format!("`{program}")), "{mail}");
    let shown = home.run("get-token", ["--status", "-p", "mail"]).stdout;
    assert!(!shown.contains("mail: not signed in"), "{shown}");
}

#[test]
fn a_policy_refusal_gives_a_paragraph_for_the_it_department() {
    let home = Home::new();
    home.sign_in().token();
    home.standin.inject(Fault::aadsts(53_003));
    home.refresh().fails_with(77);
    let shown = home.run("get-token", ["--status", "-p", "mail"]).stdout;
    for part in [
        "mail: blocked by a policy since 20",
        "For your IT department:",
        PUBLIC_CLIENT_ID,
        "cannot get a token for ada@example.com",
        " UTC: blocked by your organisation's Conditional Access policy (AADSTS53003)",
        "Latest reference: AADSTS53003, trace ",
        ", correlation ",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
}

#[test]
fn a_refused_sign_in_does_not_count_beside_a_token_of_another_program() {
    let home = Home::new();
    home.store_token("mail"); // without a record, as the Python tool stores it
    let sign_in = home.begin_sign_in(&[]);
    sign_in.decline(ADA);
    sign_in.finish().fails_with(77);
    let (code, mail) = status_of_mail(&home);
    assert_eq!((code, &mail["state"], &mail["refusal"]), (Some(0), &"ok".into(), &serde_json::Value::Null));
}
