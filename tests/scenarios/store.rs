//! The refresh token's file, and what is reported where a store has no token, in a login session without a keychain.

use standin::{ADA, PUBLIC_CLIENT_ID};

#[cfg(unix)]
use crate::support::set_mode;
use crate::support::{Home, eventually};

#[cfg(unix)]
fn mode(path: &std::path::Path) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&path.symlink_metadata().unwrap().permissions()) & 0o777
}

#[test]
#[cfg(unix)]
fn all_files_are_private_and_no_other_file_is_left() {
    let home = Home::new();
    home.sign_in().token();
    assert_eq!(mode(&home.token_file("mail")), 0o600);
    assert_eq!(mode(&home.cache()), 0o700);
    home.refresh().token();
    assert_eq!(mode(&home.token_file("mail")), 0o600);
    let mut names: Vec<String> =
        home.cache().read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["lock_mail", "records_mail.toml", "refresh_token_mail", "server.cert", "server.key"]);
    for name in names {
        assert_eq!(mode(&home.cache().join(&name)), 0o600, "{name}");
    }
}

#[test]
fn the_sign_in_warns_that_the_token_is_in_an_unencrypted_file() {
    let home = Home::new();
    let run = home.sign_in();
    run.token();
    assert!(run.stderr.contains(home.token_file("mail").to_str().unwrap()), "{}", run.stderr);
    assert!(run.stderr.contains("not encrypted"), "{}", run.stderr);
}

#[test]
fn newlines_around_a_stored_token_are_ignored_and_not_written() {
    let home = Home::new();
    let token = home.standin.seed_refresh_token(PUBLIC_CLIENT_ID, ADA);
    home.put_token("mail", &format!("\n{token}\n"));
    home.refresh().token();
    let new = home.token_in_file("mail").unwrap();
    assert_eq!(new.trim(), new);
}

#[test]
#[cfg(target_os = "linux")]
fn a_required_keychain_that_is_absent_is_69() {
    let home = Home::new();
    home.configure(&home.configuration_with_store("'keychain'"));
    for command in ["refresh-token", "get-refresh-token"] {
        assert!(home.run(command, [""; 0]).fails_with(69).contains("no keychain is available"));
    }
}

#[test]
fn a_leftover_lock_file_does_not_block_and_a_held_lock_times_out() {
    let home = Home::new();
    home.store_token("mail");
    home.configure_with("network_timeout = 1");
    let lock = std::fs::File::create(home.cache().join("lock_mail")).unwrap();
    home.refresh().token();
    lock.lock().unwrap();
    assert!(home.refresh().fails_with(75).contains("another command is still refreshing"));
    drop(lock);
    home.refresh().token();
}

#[test]
#[cfg(unix)]
fn modes_that_let_others_read_or_write_are_tightened_with_a_warning() {
    let home = Home::new();
    home.store_token("mail");
    for (path, wide, tight) in [(home.token_file("mail"), 0o644, 0o600), (home.cache(), 0o777, 0o700)] {
        for command in ["refresh-token", "get-refresh-token"] {
            set_mode(&path, wide);
            let run = home.run(command, [""; 0]);
            run.token();
            let warning = format!("{} (mode {wide:o}); its mode is now {tight:o}", path.display());
            assert!(
                run.stderr.contains("warning: other users could") && run.stderr.contains(&warning),
                "{}",
                run.stderr
            );
            assert_eq!(mode(&path), tight);
            assert_eq!(home.run(command, [""; 0]).stderr, "", "once");
        }
    }
    set_mode(&home.cache(), 0o755); // as the Python tool leaves it: others can list it, but not write to it
    assert_eq!(home.refresh().stderr, "");

    let home = Home::new();
    home.store_token("mail");
    set_mode(&home.cache(), 0o777);
    let run = home.run("get-refresh-token", [""; 0]); // reads nothing else in the folder
    assert!(run.stderr.contains("its mode is now 700"), "{run:?}");
}

#[test]
#[cfg(unix)]
fn a_folder_or_pipe_instead_of_the_token_file_is_rejected_without_waiting() {
    let home = Home::new();
    std::fs::create_dir_all(home.token_file("mail")).unwrap();
    set_mode(&home.cache(), 0o700);
    home.refresh().fails_with(74);
    std::fs::remove_dir(home.token_file("mail")).unwrap();
    let created = std::process::Command::new("mkfifo").arg(home.token_file("mail")).status().unwrap();
    assert!(created.success());
    for command in ["refresh-token", "get-refresh-token"] {
        assert!(home.run(command, [""; 0]).fails_with(74).contains("not a regular file"));
    }
}

#[test]
#[cfg(unix)]
fn stale_temporary_files_are_removed_and_recent_ones_are_not() {
    let home = Home::new();
    home.store_token("mail");
    let (old, new) = (home.cache().join(".m365auth-abcdef"), home.cache().join(".m365auth-ghijkl"));
    for file in [&old, &new] {
        std::fs::write(file, "half a token").unwrap();
    }
    let earlier = std::time::SystemTime::now() - std::time::Duration::from_secs(120);
    std::fs::File::open(&old).unwrap().set_modified(earlier).unwrap();
    home.refresh().token();
    assert!(!old.exists() && new.exists());
}

#[test]
fn a_damaged_file_is_77_with_its_path() {
    for damaged in [&b"two\nlines"[..], b"nul\0", b"\xff\xfe0\0.\0"] {
        let home = Home::new();
        home.store_token("mail");
        std::fs::write(home.token_file("mail"), damaged).unwrap();
        for command in ["refresh-token", "get-refresh-token"] {
            let run = home.run(command, [""; 0]);
            assert!(run.fails_with(77).contains(home.token_file("mail").to_str().unwrap()), "{run:?}");
        }
    }
}

#[test]
fn a_missing_token_is_reported_with_the_locations_that_were_searched() {
    let home = Home::new();
    let run = home.refresh();
    let stderr = run.fails_with(77);
    assert!(stderr.contains("No refresh token found") && stderr.contains(home.token_file("mail").to_str().unwrap()));
    assert!(!stderr.contains("XDG_CACHE_HOME"), "{stderr}");
    // It names the folder on Linux only.
    let mut command = home.command("get-refresh-token");
    let run = crate::support::finish(command.env("XDG_CACHE_HOME", home.path().join("other")));
    let stderr = run.fails_with(77);
    assert_eq!(
        stderr.contains("other") && stderr.contains("XDG_CACHE_HOME is set"),
        cfg!(target_os = "linux"),
        "{stderr}"
    );
}

/// The keychain may contain a good token, so no sign-in is asked for, and the hook does not run.
#[test]
#[cfg(target_os = "linux")]
fn a_damaged_file_beside_an_unavailable_keychain_is_69_unless_the_file_is_known_to_have_the_token() {
    let home = Home::new();
    let marker = home.path().join("marker");
    let hook = format!("on_sign_in_needed = ['touch', '{}']\n", marker.display());
    home.configure(&(hook + &home.configuration_with_store("'auto'")));
    home.put_token("mail", "two\nlines");
    for command in ["refresh-token", "get-refresh-token"] {
        let run = home.run(command, [""; 0]);
        let stderr = run.fails_with(69);
        assert!(stderr.contains("refresh_token_mail does not contain a valid token"), "{stderr}");
        assert!(stderr.contains("no keychain is available"), "{stderr}");
    }
    assert!(!marker.exists());

    // As on a server: the file is where the last sign-in stored the token, so only a new one helps.
    home.sign_in().token();
    home.put_token("mail", "nul\0");
    let run = home.refresh();
    assert!(run.fails_with(77).contains("run `get-token --profile mail` to replace it"), "{run:?}");
    eventually("the program has run", || marker.exists());
}

/// In cron, the keychain is not available, but it may contain a token.
#[test]
#[cfg(target_os = "linux")]
fn an_unavailable_keychain_is_not_treated_as_empty_and_does_not_run_the_hook() {
    let mut home = Home::new();
    let marker = home.path().join("marker");
    let hook = format!("on_sign_in_needed = ['touch', '{}']\n", marker.display());
    home.configure(&(hook + &home.configuration_with_store("'auto'")));
    home.environment.push(("DBUS_SESSION_BUS_ADDRESS".to_owned(), "unix:path=/nonexistent;unix:path=/gone".to_owned()));
    for command in ["refresh-token", "get-refresh-token"] {
        let run = home.run(command, [""; 0]);
        let stderr = run.fails_with(69);
        assert!(stderr.contains("/nonexistent") && stderr.contains("/gone"), "both addresses: {stderr}");
        assert!(stderr.contains("hint: if you have not signed in yet, run `get-token --profile mail`"), "{stderr}");
    }
    let run = home.run("get-token", ["--sign-out"]);
    assert!(run.fails_with(69).contains("may still be in the keychain"), "{run:?}");
    assert!(!run.stderr.contains("There was no token"), "{run:?}");
    assert!(!marker.exists());
}

#[test]
fn an_invalid_store_is_rejected_with_file_and_line() {
    let home = Home::new();
    for (wrong, expected) in [
        ("store = 'cellar'", "keychain"),
        ("store = { load = ['pass'] }", "save"),
        ("store = { load = [], save = ['x'] }", "store.load is missing or empty"),
        ("store = { load = ['a'], save = ['b'], shave = ['c'] }", "shave"),
    ] {
        home.configure(&home.configuration().replace("store = 'file'", wrong));
        let run = home.refresh();
        let stderr = run.fails_with(78);
        assert!(stderr.contains(expected) && stderr.contains("config.toml:"), "{wrong}: {stderr}");
    }
}

#[test]
#[cfg(target_os = "linux")] // elsewhere there is always a keychain
fn get_token_fails_before_the_sign_in_if_the_only_store_is_unavailable() {
    let home = Home::new();
    home.configure(&home.configuration_with_store("'keychain'"));
    let run = home.run("get-token", ["--device"]);
    assert!(run.fails_with(69).contains("no keychain is available"), "{run:?}");
    assert_eq!(home.standin.requests().len(), 0);
}
