//! The real gnome-keyring in its six states, and the entry that is shared with the Python original.

use std::time::{Duration, Instant};

use standin::{ADA, PUBLIC_CLIENT_ID};

use crate::login::{Keyring, Login};
use crate::support::{Home, Run};

/// Time limit for each command without a terminal.
const LIMIT: Duration = Duration::from_secs(5);

fn home(keyring: Keyring) -> (Home, Login) {
    let mut home = Home::new();
    let login = Login::start(&mut home, keyring);
    (home, login)
}

/// Runs a command and asserts that it ends within the limit, so that it does not block a mail program.
#[track_caller]
fn promptly(home: &Home, command: &str) -> Run {
    let start = Instant::now();
    let run = home.run(command, [""; 0]);
    assert!(start.elapsed() < LIMIT, "{command} took {:?}", start.elapsed());
    run
}

#[test]
#[ignore = "tests/run: gnome-keyring and Python's keyring"]
fn a_token_of_the_python_original_is_used_and_its_entry_is_updated() {
    let (home, login) = home(Keyring::Unlocked);
    let pythons = home.standin.seed_refresh_token(PUBLIC_CLIENT_ID, ADA);
    login.python_writes(&home, &pythons);
    assert_eq!(promptly(&home, "get-refresh-token").token(), pythons);
    assert!(home.standin.is_valid_access_token(promptly(&home, "refresh-token").token()));
    let rotated = login.python_reads(&home);
    assert_ne!(rotated, pythons);
    assert!(home.standin.is_valid_refresh_token(&rotated));
    assert_eq!(login.items(&home), 1);
    assert_eq!(home.token_in_file("mail"), None);
}

#[test]
#[ignore = "tests/run: gnome-keyring and Python's keyring"]
fn the_python_original_and_the_commands_overwrite_one_entry() {
    let (home, login) = home(Keyring::Unlocked);
    let run = home.sign_in();
    run.token();
    assert!(run.stderr.contains("the keychain (m365auth-mail)"), "{}", run.stderr);
    let ours = login.python_reads(&home);
    assert!(home.standin.is_valid_refresh_token(&ours));
    let pythons = home.standin.seed_refresh_token(PUBLIC_CLIENT_ID, ADA);
    login.python_writes(&home, &pythons);
    assert_eq!(login.items(&home), 1);
    assert_eq!(promptly(&home, "get-refresh-token").token(), pythons);
}

#[test]
#[ignore = "tests/run: gnome-keyring and Python's keyring"]
fn the_newer_of_two_entries_is_used_and_replaces_both() {
    let (home, login) = home(Keyring::Unlocked);
    // An entry without the `application` attribute, as other Rust programs write it. Python then adds a second one.
    let mut other = crate::login::program("secret-tool", "libsecret-tools");
    home.prepare(&mut other);
    other.args(["store", "--label", "other", "service", "m365auth-mail", "username", "refresh_token"]);
    let mut child = other.stdin(std::process::Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"an-old-token").unwrap();
    assert!(child.wait().unwrap().success());
    std::thread::sleep(Duration::from_millis(1100)); // the service stores times in whole seconds
    let newer = home.standin.seed_refresh_token(PUBLIC_CLIENT_ID, ADA);
    login.python_writes(&home, &newer);
    assert_eq!(login.items(&home), 2);
    assert_eq!(promptly(&home, "get-refresh-token").token(), newer);
    promptly(&home, "refresh-token").token();
    assert_eq!(login.items(&home), 1);
    assert_eq!(promptly(&home, "get-refresh-token").token(), login.python_reads(&home));
}

#[test]
#[ignore = "tests/run: gnome-keyring"]
fn a_newer_token_in_a_file_is_used_first_and_moved_to_the_keychain() {
    let (home, login) = home(Keyring::Unlocked);
    home.sign_in().token();
    let older = login.python_reads(&home);
    let newer = home.store_token("mail");
    assert_eq!(promptly(&home, "get-refresh-token").token(), newer);
    promptly(&home, "refresh-token").token();
    assert_eq!(home.token_in_file("mail"), None, "the file is removed after the save to the keychain");
    let stored = login.python_reads(&home);
    assert!(stored != older && stored != newer && home.standin.is_valid_refresh_token(&stored));
}

#[test]
#[ignore = "tests/run: gnome-keyring"]
fn if_microsoft_refuses_one_copy_the_other_is_tried() {
    let (home, login) = home(Keyring::Unlocked);
    home.sign_in().token();
    home.put_token("mail", "a-token-that-is-expired");
    assert!(home.standin.is_valid_access_token(promptly(&home, "refresh-token").token()));
    assert_eq!(home.token_in_file("mail"), None);
    assert!(home.standin.is_valid_refresh_token(&login.python_reads(&home)));
}

#[test]
#[ignore = "tests/run: gnome-keyring"]
fn a_locked_keychain_is_69_and_no_token_is_lost() {
    let (home, login) = home(Keyring::Unlocked);
    home.sign_in().token();
    login.lock();
    for command in ["refresh-token", "get-refresh-token"] {
        let run = promptly(&home, command);
        assert!(run.fails_with(69).contains("the keychain is locked"), "{run:?}");
    }
    assert_eq!(home.token_in_file("mail"), None);
    // A sign-in while the keychain is locked stores the token in the file, with a warning. It takes precedence over the
    // older token in the keychain.
    let run = home.sign_in();
    run.token();
    assert!(run.stderr.contains("refresh_token_mail") && run.stderr.contains("not encrypted"), "{}", run.stderr);
    let newer = home.token_in_file("mail").unwrap();
    assert_eq!(promptly(&home, "get-refresh-token").token(), newer);
    promptly(&home, "refresh-token").token();
}

#[test]
#[ignore = "tests/run: gnome-keyring"]
fn a_keychain_that_does_not_answer_is_69_and_a_token_in_a_file_still_works() {
    let (home, login) = home(Keyring::Unlocked);
    home.sign_in().token();
    login.stop_answering();
    for command in ["refresh-token", "get-refresh-token"] {
        let run = promptly(&home, command);
        assert!(run.fails_with(69).contains("does not answer"), "{run:?}");
    }
    home.store_token("mail");
    promptly(&home, "refresh-token").token();
    assert!(home.standin.is_valid_refresh_token(&home.token_in_file("mail").unwrap()));
}

#[test]
#[ignore = "tests/run: gnome-keyring"]
fn without_a_keychain_or_its_collection_the_file_is_used() {
    for state in [Keyring::Absent, Keyring::NeverSetUp] {
        let (home, _login) = home(state);
        for command in ["refresh-token", "get-refresh-token"] {
            assert!(promptly(&home, command).fails_with(77).contains("No refresh token found"), "{state:?}");
        }
        let run = home.sign_in();
        run.token();
        assert!(run.stderr.contains("refresh_token_mail") && run.stderr.contains("not encrypted"), "{}", run.stderr);
        promptly(&home, "refresh-token").token();
    }
}

#[test]
#[ignore = "tests/run: gnome-keyring"]
fn a_token_in_an_unavailable_keychain_is_69_and_needs_no_new_sign_in() {
    let (mut home, mut login) = home(Keyring::Unlocked);
    home.sign_in().token();
    login.end_keyring();
    assert!(promptly(&home, "refresh-token").fails_with(69).contains("no keychain in this login"));
    // As in cron, without a bus.
    home.environment.retain(|(name, _)| name != "DBUS_SESSION_BUS_ADDRESS" && name != "XDG_RUNTIME_DIR");
    home.environment.push(("DBUS_SESSION_BUS_ADDRESS".to_owned(), "unix:path=/nonexistent".to_owned()));
    assert!(promptly(&home, "get-refresh-token").fails_with(69).contains("no D-Bus session bus"));
}

#[test]
#[ignore = "tests/run: gnome-keyring"]
fn if_the_keychain_disappears_between_load_and_save_the_token_goes_to_the_file() {
    let (home, mut login) = home(Keyring::Unlocked);
    home.sign_in().token();
    home.standin.set_single_use_refresh_tokens(true);
    home.standin.order(standin::Fault::Delay { milliseconds: 600 });
    std::thread::scope(|scope| {
        let requests = home.standin.token_requests();
        let refresh = scope.spawn(|| home.refresh());
        crate::support::eventually("the token request", || home.standin.token_requests() > requests);
        login.end_keyring();
        let run = refresh.join().unwrap();
        run.token();
        assert!(run.stderr.contains("warning: ") && run.stderr.contains("refresh_token_mail"), "{}", run.stderr);
    });
    assert!(home.standin.is_valid_refresh_token(&home.token_in_file("mail").unwrap()));
    promptly(&home, "refresh-token").token();
}

#[test]
#[ignore = "tests/run: gnome-keyring and Python's keyring"]
fn the_originals_older_entry_is_read_last_and_signing_out_removes_both() {
    let (home, login) = home(Keyring::Unlocked);
    let oldest = home.standin.seed_refresh_token(PUBLIC_CLIENT_ID, ADA);
    let write = format!("keyring.set_password('m365-imap-mail', 'refresh_token', '{oldest}')");
    assert_eq!(login.python(&home, &write).code, Some(0));
    assert_eq!(promptly(&home, "get-refresh-token").token(), oldest);
    promptly(&home, "refresh-token").token();
    let newer = login.python_reads(&home);
    assert!(newer != oldest && home.standin.is_valid_refresh_token(&newer));
    assert_eq!(promptly(&home, "get-refresh-token").token(), newer);

    assert_eq!(home.run("get-token", ["--sign-out"]).code, Some(0));
    promptly(&home, "get-refresh-token").fails_with(77);
    let read = "print(keyring.get_password('m365-imap-mail', 'refresh_token'))";
    assert_eq!(login.python(&home, read).stdout.trim(), "None");
}
