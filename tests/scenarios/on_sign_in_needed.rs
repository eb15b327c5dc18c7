//! `on_sign_in_needed`: the program that notifies the user.

#[cfg(unix)]
use standin::Fault;

use crate::support::Home;
#[cfg(unix)]
use crate::support::eventually;

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
    assert!(!notified.exists(), "nobody needs to act");
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

/// Returns the line for a program that counts notifications, and a function that waits for this number of them.
#[cfg(unix)]
fn counting(home: &Home) -> (String, impl Fn(usize) + use<>) {
    let alarms = home.path().join("alarms");
    let lines = format!("on_sign_in_needed = ['sh', '-c', 'echo alarm >>{}']", alarms.display());
    let count = move || std::fs::read_to_string(&alarms).unwrap_or_default().lines().count();
    (lines, move |expected| eventually("the number of alarms", || count() == expected))
}

/// A policy may be lifted and imposed again, without a sign-in in between.
#[test]
#[cfg(unix)]
fn a_refresh_that_succeeds_ends_the_silence_after_a_notification() {
    let home = Home::new();
    let (lines, notified) = counting(&home);
    home.configure_with(&lines);
    home.store_token("mail");
    for times in 1..=2 {
        home.standin.inject(Fault::aadsts(53_003));
        home.refresh().fails_with(77);
        notified(times);
        home.refresh().token();
    }
}

#[test]
#[cfg(unix)]
fn a_token_of_an_application_ends_the_silence_after_a_notification() {
    let home = Home::new();
    let (lines, notified) = counting(&home);
    crate::client_credentials::configure(&home, &format!("{lines}\n{}", crate::client_credentials::secret()));
    for times in 1..=2 {
        home.standin.inject(Fault::aadsts(7_000_222));
        home.refresh().fails_with(78);
        notified(times);
        home.refresh().token();
    }
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
    std::fs::write(
        &program,
        "#!/bin/sh\necho \"$M365AUTH_ACCOUNT: $M365AUTH_REASON\" >\"$0.tmp\"\nmv \"$0.tmp\" \"$0.output\"\n",
    )
    .unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    home.configure_with(&format!("on_sign_in_needed = ['{}']", program.display()));
    home.sign_in().token();
    let output = home.path().join("notify.output");
    home.run("get-refresh-token", [""; 0]).token();
    assert!(!output.exists(), "the token is not old");
    let file = home.cache().join("records_mail.toml");
    let record = std::fs::read_to_string(&file).unwrap();
    let mut records: toml::Table = record.parse().unwrap();
    records["file"]["issued"] = 1_700_000_000.into();
    std::fs::write(&file, records.to_string()).unwrap();
    home.run("get-refresh-token", [""; 0]).token();
    eventually("the program has run", || output.exists());
    let shown = std::fs::read_to_string(&output).unwrap();
    assert!(shown.starts_with("ada@example.com: ") && shown.contains("days old"), "{shown}");

    // Without a recorded account, it is the configured `username`.
    std::fs::remove_file(&output).unwrap();
    std::fs::remove_file(home.cache().join("told_mail")).unwrap();
    records.remove("owner");
    records["file"].as_table_mut().unwrap().remove("account");
    std::fs::write(&file, records.to_string()).unwrap();
    let configuration = std::fs::read_to_string(home.config_file()).unwrap();
    home.configure(&format!("username = 'grace@example.com'\n{configuration}"));
    home.run("get-refresh-token", [""; 0]).token();
    eventually("the program has run", || output.exists());
    assert!(std::fs::read_to_string(&output).unwrap().starts_with("grace@example.com: "));
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
    let failing = "{ load = ['false'], save = ['false'] }";
    home.configure(&format!("{hook}\n{}", home.configuration_with_store(failing)));
    home.refresh().fails_with(69);
    home.configure_with(&hook);
    home.standin.inject(Fault::Html);
    home.refresh().fails_with(76);
    assert!(!notified.exists(), "a mistake in the configuration, a store that fails, a captive portal");
    for code in [7_000_112, 700_016, 50_194, 7_000_215, 7_000_222] {
        _ = std::fs::remove_file(&notified);
        home.refresh().token(); // so that the next refusal is reported at once
        home.standin.inject(Fault::aadsts(code));
        home.refresh().fails_with(78);
        eventually("the program has run", || notified.exists());
        let output = std::fs::read_to_string(&notified).unwrap();
        assert!(output.starts_with("78|") && output.contains(&format!("|AADSTS{code}, trace ")), "{output}");
    }
    let output = std::fs::read_to_string(&notified).unwrap();
    assert!(output.starts_with("78|create a client secret in the app registration"), "{output}");
    assert!(output.contains("|the client secret of client "), "{output}");
}
