//! `get-token --status` and `--check`, as far as they need no mail server; and `on_sign_in_needed`.

use standin::{ADA, Fault};

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
    assert_eq!(run.stdout, "");
    run
}

#[test]
fn the_check_reports_each_result_on_a_line_and_exits_with_the_first_failure() {
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
        assert!(run.stderr.contains(&format!("✓ {good}")), "{good} in {}", run.stderr);
    }
    for good in ["scopes: https://outlook.office.com/IMAP.AccessAsUser.All", "account: ada@example.com", "length: "] {
        assert!(run.stderr.contains(&format!("✓ {good}")), "{good} in {}", run.stderr);
    }
    assert!(run.stderr.contains("✗ IMAP: localhost:") && run.stderr.contains("✗ SMTP: "), "{}", run.stderr);
    assert!(run.stderr.contains("– Graph: the profile has no Graph scope"), "{}", run.stderr);
    assert!(run.stderr.contains("– keychain: not used; the token is stored unencrypted in "), "{}", run.stderr);
    assert_eq!(run.code, Some(75), "the mail servers are the first ✗");
    for secret in home.standin.issued_secrets() {
        assert!(!run.stderr.contains(&secret));
    }
}

#[test]
fn the_check_of_a_calendar_sends_a_request_to_graph() {
    let home = Home::new();
    home.store_token("calendar");
    let graph = format!("graph_host = 'localhost:{}'\n", home.standin.port());
    home.configure(&(graph + &home.configuration()));
    let run = home.run("get-token", ["--check", "-p", "calendar"]);
    assert!(run.stderr.contains("✓ Graph: localhost:"), "{}", run.stderr);
    assert!(run.stderr.contains("– IMAP: the profile has no IMAP scope"), "{}", run.stderr);
}

#[test]
fn the_check_names_programs_that_cannot_send_a_token_of_that_length() {
    for (length, words) in [(3_500, "too many for msmtp"), (8_000, "too many for mbsync, msmtp and OfflineIMAP")] {
        let setup = standin::Setup { access_token_length: length..=length, ..standin::Setup::default() };
        let home = Home::with(standin::Standin::start_with(setup));
        home.store_token("mail");
        let run = check(&home);
        assert!(
            run.stderr.contains(&format!("✗ length: the access token has {length} characters, {words}")),
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
    assert!(run.stderr.contains("✗ Graph: localhost:"), "{}", run.stderr);
    run.fails_with(75);
}

#[test]
fn the_check_explains_a_failure_and_skips_mail_without_a_token() {
    let home = Home::new();
    let run = check(&home);
    assert!(run.stderr.contains("✗ stored token: No refresh token found"), "{}", run.stderr);
    assert!(run.stderr.contains("– mail and calendar: no access token to test with"), "{}", run.stderr);

    let home = Home::new();
    home.store_token("mail");
    home.standin.inject(Fault::aadsts(53_003));
    let run = check(&home);
    assert!(
        run.stderr.contains("✗ refresh: blocked by your organisation's Conditional Access policy"),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("AADSTS53003"), "{}", run.stderr);

    let home = Home::new();
    let _taken = std::net::TcpListener::bind(("127.0.0.1", home.callback_port)).unwrap();
    assert!(check(&home).stderr.contains("✗ callback: cannot listen"));
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
