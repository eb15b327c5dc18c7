//! Real keychains in the states that users meet, and the entry that is shared with the Python tool.

mod between_load_and_save;
mod double;

use std::process::Command;
use std::time::{Duration, Instant};

use standin::{ADA, PUBLIC_CLIENT_ID};

use crate::keychain::double::{Behavior, Double, KWallet};
use crate::login::{KeePassXc, Keyring, Login};
use crate::support::{Home, Run, binary, finish, free_port};

/// Time limit for each command without a terminal.
const LIMIT: Duration = Duration::from_secs(5);

fn home(keyring: Keyring) -> (Home, Login) {
    let mut home = Home::new();
    let login = Login::start(&mut home, keyring);
    (home, login)
}

/// Makes a test for each keychain from a function that takes one.
macro_rules! test_with_each_keychain {
    (all { $($all:ident)* } all_but_keepassxc { $($other:ident)* }) => {
        test_with_each_keychain!(gnome_keyring, "gnome-keyring", Keyring::Gnome, $($all)* $($other)*);
        test_with_each_keychain!(kwallet, "KWallet", Keyring::KWallet, $($all)* $($other)*);
        test_with_each_keychain!(keepassxc, "KeePassXC", Keyring::KeePassXc(KeePassXc::Unlocked), $($all)*);
    };
    ($keychain:ident, $program:literal, $keyring:expr, $($name:ident)*) => {
        mod $keychain {
            use super::*;
            $(#[test]
            #[ignore = concat!("tests/run: ", $program, " and Python's keyring")]
            fn $name() {
                super::$name($keyring);
            })*
        }
    };
}

test_with_each_keychain! {
    all {
        a_token_of_the_python_tool_is_used_and_its_entry_is_updated
        the_commands_create_the_entry_that_the_python_tool_reads
        a_newer_token_in_a_file_is_used_first_and_moved_to_the_keychain
        if_microsoft_refuses_one_copy_the_other_is_tried
    a_locked_keychain_is_69_and_no_token_is_lost
    a_keychain_that_does_not_respond_is_69_and_a_token_in_a_file_still_works
        the_python_tools_older_entry_is_read_last_and_signing_out_removes_both
    }
    // KeePassXC asks a person before the Python tool replaces an entry.
    all_but_keepassxc {
        the_python_tool_overwrites_the_entry_of_the_commands
        the_newer_of_two_entries_is_used_and_replaces_both
    }
}

/// Runs a command and asserts that it ends within the limit, so that it does not block a mail program.
#[track_caller]
fn promptly(home: &Home, command: &str) -> Run {
    let start = Instant::now();
    let run = home.run(command, [""; 0]);
    assert!(start.elapsed() < LIMIT, "{command} took {:?}", start.elapsed());
    run
}

fn a_token_of_the_python_tool_is_used_and_its_entry_is_updated(keyring: Keyring) {
    let (home, login) = home(keyring);
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

fn the_commands_create_the_entry_that_the_python_tool_reads(keyring: Keyring) {
    let (home, login) = home(keyring);
    let run = home.sign_in();
    run.token();
    assert!(run.stderr.contains("the keychain (m365auth-mail)"), "{}", run.stderr);
    assert!(!run.stderr.contains("warning"), "{}", run.stderr);
    assert!(home.standin.is_valid_refresh_token(&login.python_reads(&home)));
}

fn the_python_tool_overwrites_the_entry_of_the_commands(keyring: Keyring) {
    let (home, login) = home(keyring);
    home.sign_in().token();
    let pythons = home.standin.seed_refresh_token(PUBLIC_CLIENT_ID, ADA);
    login.python_writes(&home, &pythons);
    assert_eq!(login.items(&home), 1);
    assert_eq!(promptly(&home, "get-refresh-token").token(), pythons);
}

fn the_newer_of_two_entries_is_used_and_replaces_both(keyring: Keyring) {
    let (home, login) = home(keyring);
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

fn a_newer_token_in_a_file_is_used_first_and_moved_to_the_keychain(keyring: Keyring) {
    let (home, login) = home(keyring);
    home.sign_in().token();
    let older = login.python_reads(&home);
    let newer = home.store_token("mail");
    assert_eq!(promptly(&home, "get-refresh-token").token(), newer);
    promptly(&home, "refresh-token").token();
    assert_eq!(home.token_in_file("mail"), None, "the file is removed after the save to the keychain");
    let stored = login.python_reads(&home);
    assert!(stored != older && stored != newer && home.standin.is_valid_refresh_token(&stored));
}

fn if_microsoft_refuses_one_copy_the_other_is_tried(keyring: Keyring) {
    let (home, login) = home(keyring);
    home.sign_in().token();
    home.put_token("mail", "a-token-that-is-expired");
    assert!(home.standin.is_valid_access_token(promptly(&home, "refresh-token").token()));
    assert_eq!(home.token_in_file("mail"), None);
    assert!(home.standin.is_valid_refresh_token(&login.python_reads(&home)));
}

fn a_locked_keychain_is_69_and_no_token_is_lost(keyring: Keyring) {
    let (home, login) = home(keyring);
    home.sign_in().token();
    login.lock();
    for command in ["refresh-token", "get-refresh-token"] {
        let run = promptly(&home, command);
        assert!(run.fails_with(69).contains("the keychain is locked"), "{run:?}");
    }
    let status = home.run("get-token", ["--status", "--profile", "mail"]);
    assert!(status.code == Some(69) && status.stdout.starts_with("mail: the keychain is locked\n"), "{status:?}");
    assert_eq!(home.token_in_file("mail"), None);
    // A sign-in while the keychain is locked stores the token in the file, with a warning. It takes precedence over the
    // older token in the keychain.
    let run = home.sign_in();
    run.token();
    assert!(run.stderr.contains("refresh_token_mail") && run.stderr.contains("not encrypted"), "{}", run.stderr);
    assert!(run.stderr.contains("warning: the keychain is locked: the refresh token is stored unencrypted"), "{run:?}");
    assert!(run.stderr.contains("the next refresh that finds the keychain unlocked moves it there"), "{run:?}");
    let newer = home.token_in_file("mail").unwrap();
    assert_eq!(promptly(&home, "get-refresh-token").token(), newer);
    promptly(&home, "refresh-token").token();
}

fn a_keychain_that_does_not_respond_is_69_and_a_token_in_a_file_still_works(keyring: Keyring) {
    let (home, login) = home(keyring);
    home.sign_in().token();
    login.stop_responding();
    for command in ["refresh-token", "get-refresh-token"] {
        let run = promptly(&home, command);
        assert!(run.fails_with(69).contains("does not respond"), "{run:?}");
    }
    home.store_token("mail");
    promptly(&home, "refresh-token").token();
    assert!(home.standin.is_valid_refresh_token(&home.token_in_file("mail").unwrap()));
}

#[test]
#[ignore = "tests/run: gnome-keyring"]
fn without_a_keychain_or_its_collection_the_file_is_used() {
    for (state, code, error) in
        [(Keyring::Absent, 69, "no Secret Service is running"), (Keyring::NeverSetUp, 77, "No refresh token found")]
    {
        let (home, _login) = home(state);
        for command in ["refresh-token", "get-refresh-token"] {
            assert!(promptly(&home, command).fails_with(code).contains(error), "{state:?}");
        }
        let run = home.sign_in();
        run.token();
        assert!(run.stderr.contains("refresh_token_mail") && run.stderr.contains("not encrypted"), "{}", run.stderr);
        promptly(&home, "refresh-token").token();
    }
}

#[test]
#[ignore = "tests/run: gnome-keyring"]
fn a_session_with_a_keychain_may_end_within_an_async_runtime() {
    let (home, _login) = home(Keyring::Gnome);
    home.sign_in().token();
    let configuration = std::fs::read_to_string(home.config_file()).unwrap();
    home.configure(&format!("imap_host = 'localhost:{}'\n{configuration}", free_port())); // where nothing listens
    let before = home.run("get-refresh-token", [""; 0]);
    let mut example = Command::new(binary("get-token").with_file_name("examples").join("imap"));
    home.prepare(&mut example);
    let run = finish(&mut example);
    assert!(run.code == Some(1) && run.stderr.contains("Connection refused"), "{run:?}");
    assert_ne!(home.run("get-refresh-token", [""; 0]).token(), before.token());
}

#[test]
#[ignore = "tests/run: gnome-keyring"]
fn a_token_in_an_unavailable_keychain_is_69_and_needs_no_new_sign_in() {
    let (mut home, mut login) = home(Keyring::Gnome);
    home.sign_in().token();
    login.end_keyring();
    assert!(promptly(&home, "refresh-token").fails_with(69).contains("no keychain is available"));
    // As in cron, without a bus.
    home.environment.retain(|(name, _)| name != "DBUS_SESSION_BUS_ADDRESS");
    assert!(promptly(&home, "get-refresh-token").fails_with(69).contains("no D-Bus session bus was found"));
    // As in a tmux that was started in an earlier session, whose bus has ended.
    home.environment.push(("DBUS_SESSION_BUS_ADDRESS".to_owned(), "unix:path=/nonexistent".to_owned()));
    assert!(promptly(&home, "get-refresh-token").fails_with(69).contains("unix:path=/nonexistent"));
}

fn the_python_tools_older_entry_is_read_last_and_signing_out_removes_both(keyring: Keyring) {
    let (home, login) = home(keyring);
    let oldest = home.standin.seed_refresh_token(PUBLIC_CLIENT_ID, ADA);
    let write = format!("keyring.set_password('m365-imap-mail', 'refresh_token', '{oldest}')");
    let run = login.python(&home, &write);
    assert_eq!(run.code, Some(0), "{run:?}");
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

#[test]
#[ignore = "tests/run: gnome-keyring"]
fn a_damaged_file_beside_a_good_entry_is_a_warning() {
    let (home, _login) = home(Keyring::Gnome);
    home.sign_in().token();
    home.put_token("mail", "two\nlines");
    for command in ["get-refresh-token", "refresh-token"] {
        let run = promptly(&home, command);
        run.token();
        assert!(run.stderr.contains("does not contain a valid token"), "{run:?}");
    }
    promptly(&home, "refresh-token").token();
    assert_eq!(home.token_in_file("mail"), None, "the save in the keychain removed it");
}

/// A tmux that was started in an earlier session has that session's address. A list of addresses is tried in order.
#[test]
#[ignore = "tests/run: gnome-keyring"]
fn a_stale_bus_address_does_not_hide_the_running_keychain() {
    let (mut home, login) = home(Keyring::Gnome);
    home.sign_in().token();
    let address = login.address().to_owned();
    let set = |home: &mut Home, address: &str| {
        home.environment.retain(|(name, _)| name != "DBUS_SESSION_BUS_ADDRESS");
        home.environment.push(("DBUS_SESSION_BUS_ADDRESS".to_owned(), address.to_owned()));
    };
    set(&mut home, &format!("unix:path=/nonexistent;{address}"));
    promptly(&home, "get-refresh-token").token();
    set(&mut home, "unix:path=/nonexistent");
    promptly(&home, "get-refresh-token").fails_with(69);
    login.link_bus_into_runtime_folder();
    promptly(&home, "get-refresh-token").token();
}

/// As a kwalletd without its crypto plugin.
#[test]
#[ignore = "tests/run: D-Bus"]
fn an_error_of_the_service_is_shown_and_the_hint_names_its_program() {
    struct Broken;
    #[zbus::interface(name = "org.freedesktop.Secret.Service")]
    impl Broken {
        fn open_session(
            &self,
            _algorithm: &str,
            _input: zbus::zvariant::Value<'_>,
        ) -> zbus::fdo::Result<(zbus::zvariant::OwnedValue, zbus::zvariant::OwnedObjectPath)> {
            Err(zbus::fdo::Error::Failed("createDLGroup failed".to_owned()))
        }
    }
    let (home, login) = home(Keyring::Absent);
    let _service = zbus::blocking::connection::Builder::address(login.address())
        .and_then(|builder| {
            builder.name("org.freedesktop.secrets")?.serve_at("/org/freedesktop/secrets", Broken)?.build()
        })
        .unwrap();
    let run = promptly(&home, "refresh-token");
    assert!(run.fails_with(69).contains("createDLGroup failed"), "{run:?}");
    assert!(!run.stderr.contains("no D-Bus session bus"), "{run:?}");
    let ourselves = std::fs::read_to_string("/proc/self/comm").unwrap();
    assert!(run.stderr.contains(&format!("unlock the keychain in {}", ourselves.trim())), "{run:?}");
}

/// Each row: how the service behaves, who serves an open KWallet, the exit code, the error, and how many prompts run.
#[test]
#[ignore = "tests/run: D-Bus"]
fn an_unattended_command_opens_no_window_and_says_why_the_keychain_cannot_be_used() {
    use Behavior::{EndlessPrompt, LockedItem, LostSession, Plain, Prompting, RefusedKey, WaitingSearch};
    use KWallet::{Absent, Other, Same};
    let rows = [
        (Plain, Absent, 0, "", 0),
        (RefusedKey, Absent, 0, "", 0),
        (LostSession, Absent, 0, "", 0),
        (LockedItem, Absent, 69, "the keychain asks for permission for each program", 0),
        (WaitingSearch, Absent, 69, "the keychain is locked", 0),
        (Prompting, Absent, 69, "the keychain is locked", 0),
        (Prompting, Other, 69, "the keychain is locked", 0),
        (Prompting, Same, 0, "", 1), // an open KWallet's prompt shows no window
        (EndlessPrompt, Absent, 69, "the keychain is locked", 0),
        (EndlessPrompt, Same, 69, "the keychain does not respond", 1),
    ];
    for (behavior, kwallet, code, error, prompts) in rows {
        let (home, login) = home(Keyring::Absent);
        let token = home.standin.seed_refresh_token(PUBLIC_CLIENT_ID, ADA);
        let service = Double::start(&login, behavior, kwallet, &token);
        let run = promptly(&home, "refresh-token");
        assert_eq!(run.code, Some(code), "{behavior:?} {kwallet:?}: {run:?}");
        assert!(run.stderr.contains(error), "{behavior:?} {kwallet:?}: {run:?}");
        assert_eq!(service.prompts(), prompts, "{behavior:?} {kwallet:?}");
        assert_eq!(service.token() != token, code == 0, "{behavior:?} {kwallet:?}: the rotated token is saved");
        assert!(home.standin.is_valid_refresh_token(&service.token()));
    }
}

/// KeePassXC's default: it asks a person before each new program may read an entry.
#[test]
#[ignore = "tests/run: KeePassXC"]
fn a_sign_in_warns_that_keepassxc_asks_for_permission_for_each_program() {
    let (home, mut login) = home(Keyring::KeePassXc(KeePassXc::Confirming));
    let run = home.sign_in();
    run.token();
    let setting = "\"Confirm when passwords are retrieved by clients\"";
    assert!(run.stderr.contains("warning: programs that run unattended cannot read this token"), "{run:?}");
    assert!(run.stderr.contains(setting), "{run:?}");
    for command in ["refresh-token", "get-refresh-token"] {
        let run = promptly(&home, command);
        assert!(run.fails_with(69).contains("the keychain asks for permission for each program"), "{run:?}");
        assert!(run.stderr.contains(setting), "{run:?}");
    }
    login.restart_keepassxc(&home, KeePassXc::Unlocked);
    promptly(&home, "refresh-token").token();
}

#[test]
#[ignore = "tests/run: KeePassXC"]
fn a_database_that_is_not_opened_yet_is_69_at_once() {
    let (home, mut login) = home(Keyring::KeePassXc(KeePassXc::Unlocked));
    home.sign_in().token();
    login.restart_keepassxc(&home, KeePassXc::Locked);
    let run = promptly(&home, "refresh-token");
    assert!(run.fails_with(69).contains("the keychain is locked"), "{run:?}");
    assert!(run.stderr.contains("unlock the database in KeePassXC"), "{run:?}");
}
