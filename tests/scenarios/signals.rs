//! Signals that arrive while a new refresh token is on its way from Microsoft to the store.
#![cfg(unix)]

use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use standin::{ADA, Browser, Fault, PUBLIC_CLIENT_ID};

use crate::support::{Home, eventually};

/// Runs `refresh-token` with this command and sends it a signal after Microsoft has revoked the old token and before it
/// has answered. The response arrives within the two seconds that a request may still take after a signal.
fn refresh_and_signal(home: &Home, command: &mut Command, signal: Signal) -> Output {
    home.standin.set_single_use_refresh_tokens(true);
    let old = home.store_token("mail");
    home.standin.inject(Fault::LateResponse { milliseconds: 1000 });
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    eventually("the request is granted", || !home.standin.is_valid_refresh_token(&old));
    kill_process(Pid::from_child(&child), signal).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn a_signal_after_the_request_was_granted_is_deferred_until_the_new_token_is_stored() {
    std::thread::scope(|scope| {
        for signal in [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT] {
            scope.spawn(move || {
                let home = Home::new();
                let output = refresh_and_signal(&home, &mut home.command("refresh-token"), signal);
                let stored = home.token_in_file("mail").unwrap();
                assert!(home.standin.is_valid_refresh_token(&stored), "{signal:?}: the new token is lost");
                assert_eq!(output.status.signal(), Some(signal.as_raw()), "the signal takes effect afterwards");
                assert!(output.stdout.is_empty(), "{output:?}");
                home.refresh().token();
            });
        }
    });
}

/// Rust programs ignore SIGPIPE, and report a broken pipe as an error.
#[test]
fn a_stray_sigpipe_has_no_effect() {
    let home = Home::new();
    let output = refresh_and_signal(&home, &mut home.command("refresh-token"), Signal::PIPE);
    assert!(output.status.success() && !output.stdout.is_empty(), "{output:?}");
}

/// `nohup` and a shell's background jobs ignore signals.
#[test]
fn a_signal_that_the_caller_ignores_does_not_end_a_refresh() {
    let home = Home::new();
    let mut nohup = Command::new("sh");
    home.prepare(&mut nohup);
    nohup.args(["-c", "trap '' HUP; exec refresh-token"]);
    let output = refresh_and_signal(&home, &mut nohup, Signal::HUP);
    assert!(output.status.success() && !output.stdout.is_empty(), "{output:?}");
}

/// A home whose refresh token is in the file `kept`, which this shell script writes.
fn home_with_save_script(save: &str) -> Home {
    let home = Home::new();
    home.standin.set_single_use_refresh_tokens(true);
    let programs =
        format!("store.load = ['sh', '-c', 'cat \"$HOME/kept\"']\nstore.save = ['sh', '-c', '''{save}''']\n");
    home.configure(&(home.configuration_without("store") + &programs));
    home
}

fn kept_token(home: &Home) -> Option<String> {
    std::fs::read_to_string(home.path().join("kept")).ok().map(|token| token.trim().to_owned())
}

/// Ctrl-C and the end of a login session signal a whole process group.
#[test]
fn a_signal_to_the_process_group_does_not_end_a_program_that_saves() {
    let home = home_with_save_script(
        "touch $HOME/saving; until test -e $HOME/go; do sleep 0.02; done; cat >$HOME/new; mv $HOME/new $HOME/kept",
    );
    std::fs::write(home.path().join("kept"), home.standin.seed_refresh_token(PUBLIC_CLIENT_ID, ADA)).unwrap();
    let mut command = home.command("refresh-token");
    let child = command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    eventually("the program is running", || home.path().join("saving").exists());
    kill_process_group(Pid::from_child(&child), Signal::INT).unwrap();
    std::fs::write(home.path().join("go"), "").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(home.standin.is_valid_refresh_token(&kept_token(&home).unwrap()), "{output:?}");
}

#[test]
fn a_sign_in_that_receives_a_signal_ends_once_the_token_is_stored() {
    // Without stderr, the program does not keep our pipe open after get-token has ended.
    let home =
        home_with_save_script("exec 2>/dev/null; kill -TERM $PPID; sleep 0.5; cat >$HOME/new; mv $HOME/new $HOME/kept");
    let sign_in = home.begin_sign_in(&[]);
    _ = Browser::approve(&sign_in.url, ADA, None); // there may be no result page: get-token ends before it is fetched
    let run = sign_in.finish();
    assert_eq!((run.code, &*run.stdout), (None, ""), "{run:?}");
    let stored = kept_token(&home).expect("the token is stored before get-token ends");
    assert!(home.standin.is_valid_refresh_token(&stored));
}

#[test]
fn a_signal_between_two_profiles_of_a_sign_in_loses_no_token() {
    let home = Home::new();
    home.standin.set_single_use_refresh_tokens(true);
    home.standin.inject(Fault::Delay { milliseconds: 0 }); // the code exchange
    home.standin.inject(Fault::LateResponse { milliseconds: 1000 }); // the token request for the calendar
    let sign_in = home.begin_sign_in(&["-p", "mail", "-p", "calendar"]);
    std::thread::scope(|scope| {
        scope.spawn(|| _ = Browser::approve(&sign_in.url, ADA, None));
        let is_revoked = |token: String| !home.standin.is_valid_refresh_token(&token);
        eventually("the request is granted", || home.token_in_file("mail").is_some_and(is_revoked));
        kill_process(Pid::from_raw(sign_in.process_id().cast_signed()).unwrap(), Signal::TERM).unwrap();
    });
    let run = sign_in.finish();
    assert_eq!(run.code, None, "{run:?}");
    let stored = home.token_in_file("calendar").expect("the calendar's token is stored before get-token ends");
    assert!(home.standin.is_valid_refresh_token(&stored));
}
