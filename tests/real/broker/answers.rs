//! Each kind of answer, with its exit code.

use standin::BrokerAnswer;

use super::{Device, SILENT, V3_0_1};

fn failure(status: u64, context: &str) -> String {
    format!(
        r#"{{"brokerTokenResponse":{{"error":{{"context":"{context}","diagnostics":null,"errorCode":0,
        "status":{status},"subStatus":0,"tag":1}},"subError":""}},"telemetry":{{}}}}"#
    )
}

/// A device whose access tokens are not cached.
fn device() -> Device {
    let device = Device::signed_in(V3_0_1);
    device.configure_without_cache();
    device
}

#[test]
#[ignore = "tests/run: D-Bus"]
fn each_status_has_an_exit_code() {
    let device = device();
    for status in 0..=22 {
        device.answers(&failure(status, "Something."));
        let code = match status {
            2 | 7 | 8 | 13 | 15 | 16 | 18 | 20 => 77,
            3 | 4 | 5 | 17 => 75,
            6 | 9 | 11 => 78,
            _ => 76,
        };
        let run = device.home.refresh();
        assert!(run.fails_with(code).contains("Something."), "{status}: {run:?}");
    }
    device.home.refresh().token();
}

#[test]
#[ignore = "tests/run: D-Bus"]
fn an_aadsts_code_is_looked_up() {
    let device = device();
    for (code, text) in [
        (53003, "blocked by your organisation's Conditional Access policy (AADSTS53003)"),
        (53000, "contact your IT department"), // the add-on would not help
        (65001, "you have not consented to the scopes"),
    ] {
        device.answers(&failure(2, &format!("Code: 'interaction_required' description: 'AADSTS{code}: No.'")));
        let run = device.home.refresh();
        assert!(run.fails_with(77).contains(text), "{run:?}");
        assert!(!run.stderr.contains("linux-entra-sso"), "{run:?}");
    }
    // A code that is always transient.
    device.answers(&failure(2, "Code: 'invalid_grant' description: 'AADSTS50196: Loop.'"));
    device.home.refresh().fails_with(75);
    let run = device.get_token(&["--status", "-p", "mail"]);
    assert!(run.stdout.contains("mail: signed in as ada@example.com"), "{run:?}");
}

#[test]
#[ignore = "tests/run: D-Bus"]
fn an_error_may_be_at_the_root_and_its_text_is_sanitized() {
    let device = device();
    device.answers(r#"{"error":{"context":"\u001b[31mNo \u202e network","status":3}}"#);
    let run = device.home.refresh();
    let error = run.fails_with(75);
    assert!(error.contains("has no network connection: \"[31mNo network\""), "{error}");
}

#[test]
#[ignore = "tests/run: D-Bus"]
fn errors_of_the_bus_have_exit_codes() {
    let device = device();
    let prefix = "org.freedesktop.DBus.Error";
    for (name, code) in [
        ("org.freedesktop.DBus.Error.Failed", 75), // himmelblau
        ("org.freedesktop.DBus.Error.NoReply", 75),
        ("org.freedesktop.DBus.Error.Timeout", 75),
        ("org.freedesktop.DBus.Error.ServiceUnknown", 69),
        ("org.freedesktop.DBus.Error.Spawn.ChildExited", 69),
        ("org.freedesktop.DBus.Error.UnknownMethod", 76),
        ("com.example.Error", 76),
    ] {
        device.broker.answer_next(SILENT, BrokerAnswer::Error(name));
        assert!(device.home.refresh().fails_with(code).contains(name.strip_prefix(prefix).unwrap_or(name)), "{name}");
    }
    for (text, code) in [("", 75), ("<html>", 76), ("{}", 76), ("[]", 76), (r#"{"brokerTokenResponse":null}"#, 76)] {
        device.answers(text);
        device.home.refresh().fails_with(code);
    }
}

#[test]
#[ignore = "tests/run: D-Bus"]
fn errors_of_get_accounts_are_reported() {
    let device = device();
    let context = r#"{"error":{"context":"The device is not enrolled"}}"#;
    device.broker.answer_next("getAccounts", BrokerAnswer::Text(context.to_owned()));
    let run = device.home.refresh();
    assert!(run.fails_with(76).contains("The device is not enrolled"), "{run:?}");
}

#[test]
#[ignore = "tests/run: D-Bus"]
fn declined_scopes_are_replaced_once_by_the_default_scope() {
    let device = device();
    device.answers(&failure(0, "Declined scopes are present"));
    device.home.refresh().token();
    let scopes = |index: usize| {
        let calls: Vec<_> = device.broker.calls().into_iter().filter(|call| call.method == SILENT).collect();
        calls[calls.len() - index].request["authParameters"]["requestedScopes"].clone()
    };
    assert_eq!(scopes(1), serde_json::json!(["https://outlook.office.com/.default"]));
    assert_eq!(scopes(2).as_array().unwrap().len(), 2);
    device.answers(&failure(0, "Declined scopes are present"));
    device.answers(&failure(0, "Declined scopes are present"));
    let before = device.broker.count(SILENT);
    device.home.refresh().fails_with(76);
    assert_eq!(device.broker.count(SILENT), before + 2);
}

#[test]
#[ignore = "tests/run: D-Bus"]
fn a_refusal_is_shown_until_it_is_resolved_and_notifies() {
    let device = device().with_display();
    let notified = device.home.path().join("notified");
    device.configure(&format!("on_sign_in_needed = ['touch', '{}']", notified.display()));
    device.broker.require_interaction();
    device.home.refresh().fails_with(77);
    crate::support::eventually("the person is notified", || notified.exists());
    let run = device.get_token(&["--status", "-p", "mail"]);
    assert!(run.stdout.contains("mail: sign-in needed since"), "{run:?}");
    device.get_token(&[]).token();
    let run = device.get_token(&["--status", "-p", "mail"]);
    assert!(run.stdout.contains("mail: signed in as ada@example.com") && !run.stdout.contains("since"), "{run:?}");
    // The next refusal notifies at once, even within the hour.
    std::fs::remove_file(&notified).unwrap();
    device.broker.require_interaction();
    device.home.run("refresh-token", ["--fresh"]).fails_with(77);
    crate::support::eventually("the person is notified again", || notified.exists());
}

#[test]
#[ignore = "tests/run: D-Bus"]
fn nothing_of_an_answer_reaches_the_verbose_output() {
    let device = device();
    let run = device.home.run("refresh-token", ["--verbose"]);
    let token = run.token();
    assert!(!run.stderr.contains(token) && !run.stderr.contains("homeAccountId"), "{run:?}");
    assert!(run.stderr.contains("identity broker: acquireTokenSilently, correlation ID "), "{run:?}");
}
