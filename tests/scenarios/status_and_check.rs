//! `get-token --status` and `--check`, as far as they need no mail server; and `on_sign_in_needed`.

use standin::{ADA, Fault, PUBLIC_CLIENT_ID, Setup, Standin};

#[cfg(unix)]
use crate::support::eventually;
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

/// Runs `--check` without mail servers: nothing listens on their ports.
fn check(home: &Home) -> Run {
    let nobody = crate::support::free_port();
    home.configure_with(&format!("imap_host = 'localhost:{nobody}'\nsmtp_host = 'localhost:{nobody}'"));
    let run = home.run("get-token", ["--check"]);
    assert_eq!(run.stderr, "");
    run
}

#[test]
fn the_check_reports_each_result_on_a_line_and_ends_with_the_verdict() {
    let home = Home::new();
    home.store_token("mail");
    let run = check(&home);
    for good in [
        "configuration: ",
        "folders: ",
        "callback: ",
        "network: ",
        "clock: less than 5 minutes off",
        "stored token: ",
        "refresh: ",
    ] {
        assert!(run.stdout.contains(&format!("✓ {good}")), "{good} in {}", run.stdout);
    }
    for good in ["scopes: https://outlook.office.com/IMAP.AccessAsUser.All", "account: ada@example.com", "length: "] {
        assert!(run.stdout.contains(&format!("✓ {good}")), "{good} in {}", run.stdout);
    }
    assert!(run.stdout.contains("✗ IMAP: localhost:") && run.stdout.contains("✗ SMTP: "), "{}", run.stdout);
    assert!(run.stdout.contains("– Graph: the profile has no Graph scope"), "{}", run.stdout);
    assert!(run.stdout.contains("– keychain: not used; the token is stored unencrypted in "), "{}", run.stdout);
    assert_eq!(run.code, Some(75), "the mail servers cannot be reached");
    assert!(run.stdout.ends_with("\n2 of 13 checks failed: IMAP, SMTP.\n"), "{}", run.stdout);
    for secret in home.standin.issued_secrets() {
        assert!(!run.stdout.contains(&secret));
    }
}

#[test]
fn the_check_of_a_calendar_sends_a_request_to_graph() {
    let home = Home::new();
    home.store_token("calendar");
    let graph = format!("graph_host = 'localhost:{}'\n", home.standin.port());
    home.configure(&(graph + &home.configuration()));
    let run = home.run("get-token", ["--check", "-p", "calendar"]);
    assert!(run.stdout.contains("✓ Graph: localhost:"), "{}", run.stdout);
    assert!(run.stdout.contains("– IMAP: the profile has no IMAP scope"), "{}", run.stdout);
}

#[test]
fn the_check_names_programs_that_cannot_send_a_token_of_that_length() {
    for (length, words) in [(3_500, "too many for msmtp"), (8_000, "too many for mbsync, msmtp and OfflineIMAP")] {
        let setup = standin::Setup { access_token_length: length..=length, ..standin::Setup::default() };
        let home = Home::with(standin::Standin::start_with(setup));
        home.store_token("mail");
        let run = check(&home);
        assert!(
            run.stdout.contains(&format!("✗ length: the access token has {length} characters, {words}")),
            "{run:?}"
        );
        assert_eq!(run.code, Some(78));
    }
}

#[test]
fn the_check_of_a_calendar_reports_that_graph_cannot_be_reached() {
    let home = Home::new();
    home.store_token("calendar");
    home.configure_with(&format!("graph_host = 'localhost:{}'", crate::support::free_port()));
    let run = home.run("get-token", ["--check", "-p", "calendar"]);
    assert!(run.stdout.contains("✗ Graph: localhost:"), "{}", run.stdout);
    assert_eq!(run.code, Some(75));
}

#[test]
fn the_check_explains_a_failure_and_skips_mail_without_a_token() {
    let home = Home::new();
    let run = check(&home);
    assert!(run.stdout.contains("✗ stored token: No refresh token found"), "{}", run.stdout);
    assert!(run.stdout.contains("– mail and calendar: no access token to test with"), "{}", run.stdout);

    let home = Home::new();
    home.store_token("mail");
    home.standin.inject(Fault::aadsts(53_003));
    let run = check(&home);
    assert!(
        run.stdout.contains("✗ refresh: blocked by your organisation's Conditional Access policy"),
        "{}",
        run.stdout
    );
    assert!(run.stdout.contains("AADSTS53003"), "{}", run.stdout);

    let home = Home::new();
    let _taken = std::net::TcpListener::bind(("127.0.0.1", home.callback_port)).unwrap();
    assert!(check(&home).stdout.contains("✗ callback: cannot listen"));
}

#[test]
fn what_was_asked_and_not_granted_fails_and_its_service_is_not_tried() {
    let home = Home::new();
    home.store_token("mail");
    home.standin.inject(Fault::Scope("IMAP.AccessAsUser.All".to_owned()));
    let run = check(&home);
    assert!(run.stdout.contains("✗ scopes: Microsoft did not grant SMTP.Send"), "{}", run.stdout);
    assert!(run.stdout.contains("– SMTP: SMTP.Send was not granted"), "{}", run.stdout);
    assert!(run.stdout.contains("✗ IMAP: localhost:"), "a scope without its resource counts: {}", run.stdout);
    assert_eq!(run.code, Some(77));
}

#[test]
fn the_check_counts_all_named_profiles_and_the_failure_that_matters_most_decides_the_exit_code() {
    let home = Home::new();
    let dead = crate::support::free_port();
    home.configure_with(&format!("imap_host = 'localhost:{dead}'\nsmtp_host = 'localhost:{dead}'"));
    home.store_token("mail");
    let run = home.run("get-token", ["--check", "-p", "mail", "-p", "calendar"]);
    assert_eq!(run.code, Some(77), "that nobody signed in matters more than a server that cannot be reached: {run:?}");
    let verdict = run.stdout.lines().next_back().unwrap();
    assert!(
        verdict.ends_with(" checks failed: IMAP of \"mail\", SMTP of \"mail\", stored token of \"calendar\"."),
        "{verdict}"
    );
    assert!(verdict.starts_with("3 of "), "{verdict}");
}

#[test]
#[cfg(unix)]
fn the_users_program_runs_once_an_hour_when_a_sign_in_is_needed() {
    let home = Home::new();
    let program = home.path().join("notify");
    let notified = home.path().join("notified");
    std::fs::write(
        &program,
        "#!/bin/sh\necho noise\necho \"$1|$M365AUTH_PROFILE|$M365AUTH_ACCOUNT|$M365AUTH_REASON\" >>\"$0.new\"\nmv \"$0.new\" \"${0%/*}/notified\"\n",
    )
    .unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    home.configure_with(&format!("network_timeout = 2\non_sign_in_needed = ['{}', 'an argument']", program.display()));
    home.sign_in().token();
    home.refresh().token();
    home.standin.inject_times(Fault::aadsts(50_196), 5);
    home.refresh().fails_with(75);
    assert!(!notified.exists(), "no person must act");
    home.standin.clear_faults();

    home.standin.revoke_all(50_173);
    home.refresh().fails_with(77);
    eventually("the program has run", || notified.exists());
    let output = std::fs::read_to_string(&notified).unwrap();
    assert!(output.starts_with("an argument|mail|ada@example.com|the refresh token was revoked"), "{output}");
    std::fs::remove_file(&notified).unwrap();
    home.refresh().fails_with(77);
    let hour_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(61 * 60);
    assert!(!notified.exists(), "once an hour");
    std::fs::File::options().write(true).open(home.cache().join("told_mail")).unwrap().set_modified(hour_ago).unwrap();
    home.refresh().fails_with(77);
    eventually("the program has run again", || notified.exists());
    // After a new sign-in, the next refusal is reported at once.
    std::fs::remove_file(&notified).unwrap();
    home.sign_in().token();
    home.standin.revoke_all(50_173);
    home.refresh().fails_with(77);
    eventually("the program has run within the hour", || notified.exists());
}

/// Without a record, the account is the configured `username`.
#[test]
#[cfg(unix)]
fn the_notified_account_falls_back_to_username() {
    let home = Home::new();
    let notified = home.path().join("notified");
    let script = format!("echo \"$M365AUTH_ACCOUNT\" >{0}.new && mv {0}.new {0}", notified.display());
    home.configure_with(&format!("username = 'ada@example.com'\non_sign_in_needed = ['sh', '-c', '{script}']"));
    home.refresh().fails_with(77);
    eventually("the program has run", || notified.exists());
    assert_eq!(std::fs::read_to_string(&notified).unwrap(), "ada@example.com\n");
}

#[test]
fn a_notification_program_that_cannot_be_started_is_a_warning() {
    let home = Home::new();
    home.configure_with("on_sign_in_needed = ['/nonexistent/program']");
    let run = home.refresh();
    assert!(run.fails_with(77).contains("warning: on_sign_in_needed: cannot run /nonexistent/program"), "{run:?}");
}

#[test]
#[cfg(unix)]
fn the_users_program_also_runs_when_a_stored_token_is_old() {
    let home = Home::new();
    let program = home.path().join("notify");
    std::fs::write(&program, "#!/bin/sh\necho \"$M365AUTH_REASON\" >\"$0.tmp\"\nmv \"$0.tmp\" \"$0.output\"\n")
        .unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    home.configure_with(&format!("on_sign_in_needed = ['{}']", program.display()));
    home.sign_in().token();
    let output = home.path().join("notify.output");
    home.run("get-refresh-token", [""; 0]).token();
    assert!(!output.exists(), "the token is not old");
    let file = home.cache().join("records_mail.toml");
    let record = std::fs::read_to_string(&file).unwrap();
    let issued = record.lines().find(|line| line.starts_with("issued")).unwrap();
    std::fs::write(&file, record.replace(issued, "issued = 1700000000")).unwrap();
    home.run("get-refresh-token", [""; 0]).token();
    eventually("the program has run", || output.exists());
    assert!(std::fs::read_to_string(&output).unwrap().contains("days old"));
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
fn a_store_that_fails_is_unknown_and_not_empty() {
    let home = Home::new();
    home.configure(&home.configuration_with_store("{ load = ['false'], save = ['false'] }"));
    let (code, mail) = status_of_mail(&home);
    assert_eq!((code, &mail["state"]), (Some(69), &"unknown".into()));
    assert!(mail["error"].as_str().unwrap().contains("`false`"), "{mail}");
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
        "Reference: AADSTS53003, trace ",
        ", correlation ",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
}

/// What Microsoft demands of the next token (Microsoft: "Claims challenges").
const CLAIMS: &str = r#"{"access_token":{"acrs":{"essential":true,"value":"c1"}}}"#;

#[test]
fn claims_of_a_refusal_are_sent_until_a_sign_in_succeeds() {
    let home = Home::new();
    home.sign_in().token();
    home.standin.demand_claims(Some(CLAIMS));
    home.refresh().fails_with(77);
    home.refresh().token();
    home.sign_in().token();
    let sent = |path: &str| {
        let requests = home.standin.requests();
        let mut sent = requests.into_iter().filter(|request| request.path.ends_with(path));
        sent.next_back().and_then(|request| request.parameters.get("claims").cloned())
    };
    assert_eq!(sent("/authorize").as_deref(), Some(CLAIMS));
    assert_eq!(sent("/token").as_deref(), Some(CLAIMS));
    home.standin.demand_claims(None);
    home.refresh().token();
    assert_eq!(sent("/token"), None);
}

#[test]
fn claims_are_sent_with_a_device_code_request() {
    let setup = Setup { device_code_interval: std::time::Duration::from_secs(1), ..Setup::default() };
    let home = Home::with(Standin::start_with(setup));
    home.sign_in().token();
    home.standin.demand_claims(Some(CLAIMS));
    home.refresh().fails_with(77);
    let run = crate::sign_in_elsewhere::with_device_code(&home, &[], |origin, code| {
        standin::Browser::enter_device_code(origin, code, ADA, true).unwrap();
    });
    run.token();
}

#[test]
fn claims_that_are_not_json_or_too_long_are_ignored() {
    for claims in ["not json".to_owned(), format!("{{\"access_token\":\"{}\"}}", "x".repeat(4096))] {
        let home = Home::new();
        home.sign_in().token();
        home.standin.demand_claims(Some(&claims));
        home.refresh().fails_with(77);
        let record = std::fs::read_to_string(home.cache().join("records_mail.toml")).unwrap();
        assert!(!record.contains("claims"), "{record}");
    }
}

#[test]
#[cfg(unix)]
fn the_users_program_runs_for_what_the_app_registration_needs_and_not_for_a_typing_error() {
    let home = Home::new();
    let notified = home.path().join("notified");
    let output = notified.display();
    let script = format!(
        "echo \"$M365AUTH_EXIT|$M365AUTH_HINT|$M365AUTH_REFERENCE|$M365AUTH_REASON\" >{output}.new && mv {output}.new {output}"
    );
    let hook = format!("on_sign_in_needed = ['sh', '-c', '{script}']");
    home.configure_with(&hook);
    home.sign_in().token();
    home.configure_with(&format!("{hook}\nscopes = []"));
    home.refresh().fails_with(78);
    assert!(!notified.exists(), "a mistake in the configuration");
    home.configure_with(&hook);
    home.standin.inject(Fault::aadsts(7_000_222));
    home.refresh().fails_with(78);
    eventually("the program has run", || notified.exists());
    let output = std::fs::read_to_string(&notified).unwrap();
    assert!(output.starts_with("78|create a client secret in the app registration"), "{output}");
    assert!(output.contains("|AADSTS7000222, trace ") && output.contains("|the client secret of client "), "{output}");
}
