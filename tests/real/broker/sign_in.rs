//! Whose tokens a profile gets, and the broker's window.

use standin::{ADA, Broker, BrokerAnswer, GRACE, TENANT_ID};

use super::{Device, EVERY_VERSION, Himmelblau, INTERACTIVE, SILENT, V2_0_1, V2_5, V3_0_1};

fn count(broker: &Broker) -> (usize, usize) {
    (broker.count(SILENT), broker.count(INTERACTIVE))
}

#[test]
#[ignore = "tests/run: D-Bus"]
fn nobody_signed_in_needs_a_window_and_a_display() {
    for version in [V2_0_1, V2_5, V3_0_1] {
        let device = Device::new(version);
        device.broker.set_accounts(&[]);
        let run = device.get_token(&[]);
        assert!(run.fails_with(77).contains("DISPLAY and WAYLAND_DISPLAY are not set"), "{run:?}");
        assert_eq!(count(&device.broker), (0, 0));
        let device = device.with_display();
        device.get_token(&[]).token();
        assert_eq!(count(&device.broker), (0, 1));
        device.home.run("refresh-token", ["--fresh"]).token();
        device.assert_no_refusals();
    }
}

#[test]
#[ignore = "tests/run: D-Bus"]
fn himmelblau_asks_nobody_without_an_account() {
    let device = Device::new(Himmelblau).with_display();
    device.broker.set_accounts(&[]);
    let run = device.get_token(&[]);
    assert!(run.fails_with(75).contains("account.username is missing"), "{run:?}");
}

#[test]
#[ignore = "tests/run: D-Bus"]
fn a_required_interaction_ends_with_the_window_of_get_token() {
    for version in EVERY_VERSION {
        let device = Device::signed_in(version).with_display();
        device.broker.require_interaction();
        let run = device.home.refresh();
        if version == Himmelblau {
            run.fails_with(75); // it does not say why
            continue;
        }
        assert!(run.fails_with(77).contains("run `get-token --profile mail` to sign in again"), "{run:?}");
        let before = count(&device.broker);
        device.get_token(&[]).token();
        assert_eq!(count(&device.broker), (before.0 + 1, before.1 + 1));
        device.home.run("refresh-token", ["--fresh"]).token();
    }
}

#[test]
#[ignore = "tests/run: D-Bus"]
fn the_username_chooses_without_regard_to_letter_case() {
    let device = Device::new(V2_5);
    device.broker.set_accounts(&[ADA, GRACE]);
    device.configure("username = 'Grace@Example.com'");
    let run = device.get_token(&[]);
    run.token();
    assert!(run.stderr.contains("Signed in as grace@example.com"), "{run:?}");
    let json = device.home.run("refresh-token", ["--format", "json"]);
    assert!(json.stdout.contains("\"name\":\"grace@example.com\""), "{json:?}");
    assert!(json.stdout.contains(TENANT_ID), "{json:?}");
}

#[test]
#[ignore = "tests/run: D-Bus"]
fn with_several_accounts_none_is_chosen_silently() {
    let device = Device::new(V2_5);
    device.broker.set_accounts(&[ADA, GRACE]);
    let run = device.get_token(&[]);
    let error = run.fails_with(78);
    assert!(error.contains("signed in to the identity broker (ada@example.com, grace@example.com)"), "{error}");
    assert!(error.contains("set username in "), "{error}");
    device.home.refresh().fails_with(77);
    assert_eq!(count(&device.broker), (0, 0));
}

#[test]
#[ignore = "tests/run: D-Bus"]
fn a_profile_belongs_to_one_account() {
    let device = Device::signed_in(V2_0_1).with_display();
    // Another person signs in to the broker's window.
    device.broker.set_accounts(&[]);
    device.broker.set_person(GRACE);
    let run = device.get_token(&[]);
    assert!(run.fails_with(77).contains("the profile \"mail\" belongs to ada@example.com"), "{run:?}");
    // Only Grace is signed in to the broker now.
    let run = device.home.refresh();
    assert!(run.fails_with(77).contains("ada@example.com is no longer signed in to the identity broker"), "{run:?}");
    // The configuration names somebody else.
    device.configure("username = 'grace@example.com'");
    let run = device.home.refresh();
    assert!(run.fails_with(77).contains("but its username is now grace@example.com"), "{run:?}");
}

#[test]
#[ignore = "tests/run: D-Bus"]
fn a_token_of_another_account_is_not_used() {
    let device = Device::signed_in(V2_0_1);
    let graces = format!(
        r#"{{"brokerTokenResponse":{{"accessToken":"a.b.c","expiresOn":99999999999999,"account":
        {{"username":"{GRACE}","homeAccountId":"1.2","localAccountId":"1","realm":"2"}}}}}}"#
    );
    device.answers(&graces);
    let run = device.home.refresh();
    assert!(run.fails_with(76).contains("a token for grace@example.com, not for ada@example.com"), "{run:?}");
}

#[test]
#[ignore = "tests/run: D-Bus"]
fn a_change_of_the_configuration_does_not_use_the_cached_token() {
    let device = Device::signed_in(V3_0_1);
    device.home.refresh().token();
    let before = device.broker.count(SILENT);
    device.configure("username = 'ada@example.com'");
    device.home.refresh().token();
    assert_eq!(device.broker.count(SILENT), before + 1);
    let text = std::fs::read_to_string(device.home.config_file()).unwrap();
    device.home.configure(&text.replace("broker = true", "broker = false"));
    let run = device.home.refresh();
    assert!(run.fails_with(77).contains("No refresh token found"), "{run:?}");
    device.home.configure(&text.replace("client_id = '4", "client_id = '5"));
    let run = device.home.refresh();
    assert!(
        run.fails_with(78).contains("the broker account of the profile \"mail\" was chosen for the client"),
        "{run:?}"
    );
}

#[test]
#[ignore = "tests/run: D-Bus"]
fn one_sign_in_serves_several_profiles() {
    let device = Device::new(V3_0_1);
    let run = device.get_token(&["-p", "mail", "-p", "calendar"]);
    run.token();
    assert!(run.stderr.contains("Access tokens for \"calendar\" come from the identity broker"), "{run:?}");
    device.home.run("refresh-token", ["-p", "calendar"]).token();
    device.assert_no_refusals();
}

#[test]
#[ignore = "tests/run: D-Bus"]
fn a_flow_of_our_own_is_refused() {
    let device = Device::new(V3_0_1);
    for flag in ["--device", "--server", "--with-token"] {
        let run = device.get_token(&[flag]);
        assert!(run.fails_with(64).contains(&format!("{flag} cannot be used")), "{run:?}");
        assert!(run.stderr.contains(&format!("from {}\n", device.home.config_file().display())), "{run:?}");
    }
}

#[test]
#[ignore = "tests/run: D-Bus"]
fn nobody_at_the_window_ends_after_the_time_limit() {
    let device = Device::new(V3_0_1).with_display();
    device.broker.set_accounts(&[]);
    device.broker.answer_next(INTERACTIVE, BrokerAnswer::Silence);
    let run = device.get_token(&["--timeout", "1"]);
    assert!(run.fails_with(75).contains("nobody signed in within 1 second"), "{run:?}");
}
