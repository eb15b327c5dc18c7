//! Errors are worded for a sign-in, a device code or a refresh: the error of a sign-in does not mention a stored token,
//! and the hint of `get-token` names `get-token` only with the word "again".

use standin::{ADA, Browser, Fault, Setup, Standin};

use crate::sign_in_elsewhere::{short_interval, with_device_code};
use crate::support::{Home, Run};

/// Asserts that the last error and its hint are those of a sign-in.
#[track_caller]
fn assert_for_sign_in(run: &Run, command: &str) {
    let message = run.stderr.split_once("error: ").expect("an error").1;
    assert!(!message.contains("stored token") && !message.contains("stored sign-in"), "{message}");
    let again = message.replace(&format!("run `{command}` again"), "");
    assert!(!again.contains("`get-token"), "`{command}` without \"again\": {message}");
}

#[test]
fn a_failed_sign_in_does_not_mention_a_stored_token() {
    let faults = [
        Fault::Reset,
        Fault::Truncated,
        Fault::Html,
        Fault::NoAccessToken,
        Fault::WrongNonce,
        Fault::Status { status: 503, retry_after: None },
        Fault::Status { status: 429, retry_after: Some("31".to_owned()) },
        Fault::aadsts(50_196),
    ];
    std::thread::scope(|scope| {
        for fault in faults {
            scope.spawn(move || {
                let home = Home::new();
                home.configure_with("network_timeout = 1");
                home.standin.inject_times(fault, 5);
                let run = home.sign_in();
                assert!([75, 76].contains(&run.code.unwrap()), "{run:?}");
                assert_for_sign_in(&run, "get-token --profile mail");
            });
        }
    });
}

#[test]
fn the_hint_of_a_refused_sign_in_is_to_sign_in_again() {
    for (code, texts) in [
        (70_008, ["the authorization code has expired", "hint: run `get-token --profile mail` again\n"]),
        (70_000, ["the authorization code is not valid", "hint: run `get-token --profile mail` again\n"]),
        (50_076, ["requires multifactor", "run `get-token --profile mail` again and follow the instructions"]),
        (50_020, ["does not exist in tenant", "run `get-token --profile mail` again and choose another account"]),
        (65_001, ["not consented", "run `get-token --profile mail` again and accept"]),
        (999_999, ["AADSTS999999", "hint: run `get-token --profile mail` again\n"]),
    ] {
        let home = Home::new();
        home.standin.inject(Fault::aadsts(code));
        let run = home.sign_in();
        let stderr = run.fails_with(77);
        assert!(texts.iter().all(|text| stderr.contains(text)), "{texts:?} in {stderr}");
        assert_for_sign_in(&run, "get-token --profile mail");
    }
}

#[test]
fn the_hint_of_a_declined_sign_in_is_to_sign_in_again() {
    let home = Home::new();
    let sign_in = home.begin_sign_in(&[]);
    sign_in.decline(ADA);
    let run = sign_in.finish();
    assert!(run.fails_with(77).contains("run `get-token --profile mail` again and accept"), "{run:?}");
}

#[test]
fn the_hint_of_a_refused_refresh_is_to_sign_in() {
    for (code, texts) in [
        (70_008, ["the refresh token has expired", "hint: run `get-token --profile mail` to sign in again\n"]),
        (50_076, ["requires multifactor", "run `get-token --profile mail` and follow the instructions"]),
    ] {
        let home = Home::new();
        home.store_token("mail");
        home.standin.inject(Fault::aadsts(code));
        let run = home.refresh();
        let stderr = run.fails_with(77);
        assert!(texts.iter().all(|text| stderr.contains(text)), "{texts:?} in {stderr}");
    }
}

#[test]
fn the_hint_of_a_refused_device_code_is_to_request_another() {
    let expiring = Setup { device_code_lifetime: std::time::Duration::from_secs(2), ..short_interval() };
    let home = Home::with(Standin::start_with(expiring));
    let run = with_device_code(&home, &[], |_, _| {});
    assert!(run.fails_with(77).contains("the device code has expired"), "{run:?}");
    assert_for_sign_in(&run, "get-token --device --profile mail");

    let home = Home::with(Standin::start_with(short_interval()));
    for (fault, exit, text) in [
        (Fault::aadsts(70_008), 77, "the device code has expired"),
        (Fault::aadsts(50_020), 77, "run `get-token --device --profile mail` again and choose another account"),
        (Fault::BrokenIdToken, 76, "run `get-token --device --profile mail` again"),
    ] {
        let run = with_device_code(&home, &[], |origin, code| {
            home.standin.inject_times(fault, 20); // a poll before the user signs in consumes one, too
            Browser::enter_device_code(origin, code, ADA, true).unwrap();
        });
        home.standin.clear_faults();
        assert!(run.fails_with(exit).contains(text), "{text} in {run:?}");
        assert_for_sign_in(&run, "get-token --device --profile mail");
    }
}

/// The sign-in itself succeeded, so the hint is a separate command.
#[test]
fn the_hint_for_an_additional_profile_is_to_sign_in_for_it_alone() {
    for (fault, text) in [
        (Fault::aadsts(65_001), "run `get-token --profile calendar` and accept the requested permissions\n"),
        (Fault::aadsts(70_000), "the refresh token is not valid"),
        (Fault::Status { status: 503, retry_after: None }, "hint: try again later\n"),
    ] {
        let home = Home::new();
        home.configure_with("network_timeout = 1");
        let sign_in = home.begin_sign_in(&["-p", "mail", "-p", "calendar"]);
        home.standin.inject(Fault::Delay { milliseconds: 1 }); // the code exchange
        home.standin.inject_times(fault, 5);
        sign_in.approve(ADA);
        let run = sign_in.finish();
        run.token();
        assert!(run.stderr.contains(text) && !run.stderr.contains("stored token is kept"), "{text} in {}", run.stderr);
    }
}
