//! The file of the refresh token, in a login without a keychain.

use standin::{ADA, PUBLIC_CLIENT_ID};

use crate::support::Home;

#[cfg(unix)]
fn mode(path: &std::path::Path) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&path.symlink_metadata().unwrap().permissions()) & 0o777
}

#[test]
#[cfg(unix)]
fn the_file_is_the_persons_own_and_nothing_else_stays() {
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
fn the_sign_in_says_that_the_token_is_in_a_file_and_where() {
    let home = Home::new();
    let run = home.sign_in();
    run.token();
    assert!(run.stderr.contains(home.token_file("mail").to_str().unwrap()), "{}", run.stderr);
    assert!(run.stderr.contains("not encrypted"), "{}", run.stderr);
}

#[test]
fn the_bare_token_is_stored_without_a_newline_and_read_with_one() {
    let home = Home::new();
    let token = home.standin.seed_refresh_token(PUBLIC_CLIENT_ID, ADA);
    home.put_token("mail", &format!("\n{token}\n"));
    home.refresh().token();
    let new = home.token_in_file("mail").unwrap();
    assert_eq!(new.trim(), new);
}

#[test]
#[cfg(target_os = "linux")]
fn a_keychain_that_is_demanded_and_absent_is_69() {
    let home = Home::new();
    home.configure(&home.configuration_with_store("'keychain'"));
    for command in ["refresh-token", "get-refresh-token"] {
        assert!(home.run(command, [""; 0]).fails_with(69).contains("no keychain is available"));
    }
}

#[test]
fn a_lock_of_a_dead_process_blocks_nobody_and_a_living_one_no_longer_than_the_limit() {
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

#[cfg(unix)]
fn set_mode(path: &std::path::Path, mode: u32) {
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
}

#[test]
#[cfg(unix)]
fn what_others_could_read_or_write_is_tightened_and_the_person_is_told() {
    let home = Home::new();
    home.store_token("mail");
    for (path, wide, tight) in [(home.token_file("mail"), 0o644, 0o600), (home.cache(), 0o777, 0o700)] {
        for command in ["refresh-token", "get-refresh-token"] {
            set_mode(&path, wide);
            let run = home.run(command, [""; 0]);
            run.token();
            let told = format!("{} (mode {wide:o}); its mode is now {tight:o}", path.display());
            assert!(run.stderr.contains("warning: other users could") && run.stderr.contains(&told), "{}", run.stderr);
            assert_eq!(mode(&path), tight);
            assert_eq!(home.run(command, [""; 0]).stderr, "", "once");
        }
    }
    set_mode(&home.cache(), 0o755); // as the Python original leaves it: others see names, and change nothing
    assert_eq!(home.refresh().stderr, "");
}

#[test]
#[cfg(unix)]
fn a_pipe_or_a_folder_in_the_files_place_is_refused_and_not_waited_for() {
    let home = Home::new();
    std::fs::create_dir_all(home.token_file("mail")).unwrap();
    set_mode(&home.cache(), 0o700);
    home.refresh().fails_with(74);
    std::fs::remove_dir(home.token_file("mail")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(home.token_file("mail")).status().unwrap();
    assert!(made.success());
    for command in ["refresh-token", "get-refresh-token"] {
        assert!(home.run(command, [""; 0]).fails_with(74).contains("not a regular file"));
    }
}

#[test]
#[cfg(unix)]
fn what_a_killed_process_left_half_written_is_removed_and_what_others_write_now_is_not() {
    let home = Home::new();
    home.store_token("mail");
    let (old, new) = (home.cache().join(".m365auth-abcdef"), home.cache().join(".m365auth-ghijkl"));
    for file in [&old, &new] {
        std::fs::write(file, "half a token").unwrap();
    }
    let before = std::time::SystemTime::now() - std::time::Duration::from_secs(120);
    std::fs::File::open(&old).unwrap().set_modified(before).unwrap();
    home.refresh().token();
    assert!(!old.exists() && new.exists());
}

/// A home whose store is two shell scripts.
#[cfg(unix)]
fn home_with_programs(load: &str, save: &str) -> Home {
    let home = Home::new();
    let lines = format!("store.load = ['sh', '-c', '{load}']\nstore.save = ['sh', '-c', '{save}']\n");
    home.configure(&(home.configuration_without("store") + &lines));
    home
}

#[test]
#[cfg(target_os = "linux")]
fn a_program_as_store_gets_the_token_and_nothing_else_of_ours() {
    let show = "env >>\"$HOME/shown\"; cat /proc/$$/cmdline >>\"$HOME/shown\"; ls -l /proc/$$/fd >>\"$HOME/fds\"";
    let home = home_with_programs(
        &format!("{show}; cat \"$HOME/kept\""),
        &format!("{show}; echo noise; cat >\"$HOME/new\" && mv \"$HOME/new\" \"$HOME/kept\""),
    );
    home.sign_in().token();
    let kept = std::fs::read_to_string(home.path().join("kept")).unwrap();
    assert!(kept.ends_with('\n') && home.standin.is_valid_refresh_token(kept.trim()));
    home.refresh().token();
    let shown = std::fs::read_to_string(home.path().join("shown")).unwrap();
    assert_eq!(shown.matches("M365AUTH_PROFILE=mail").count(), 3, "{shown}");
    assert!(!home.standin.issued_secrets().iter().any(|secret| shown.contains(secret)));
    let descriptors = std::fs::read_to_string(home.path().join("fds")).unwrap();
    assert!(!descriptors.contains("lock_mail"), "{descriptors}");
}

#[test]
#[cfg(unix)]
fn a_program_that_saves_gets_the_whole_token_though_we_are_killed() {
    let save = "kill -9 $PPID; cat >\"$HOME/new\"; mv \"$HOME/new\" \"$HOME/kept\"";
    let home = home_with_programs("cat \"$HOME/kept\"", save);
    let (kept, old) = (home.path().join("kept"), home.standin.seed_refresh_token(PUBLIC_CLIENT_ID, ADA));
    std::fs::write(&kept, &old).unwrap();
    let run = home.refresh();
    assert_eq!((run.code, &*run.stdout), (None, ""), "{run:?}");
    let stored = || std::fs::read_to_string(&kept).unwrap();
    crate::support::eventually("it is saved", || stored() != old);
    assert!(home.standin.is_valid_refresh_token(stored().trim()));
}

#[test]
#[cfg(unix)]
fn a_sign_in_that_did_not_wait_for_a_slow_refresh_stays() {
    // It goes on once the pipe is opened.
    let load =
        "cat \"$HOME/kept\"; test -e \"$HOME/quick\" || { touch \"$HOME/waits\"; read _ <\"$HOME/go\" || true; }";
    let home = home_with_programs(load, "cat >\"$HOME/kept\"");
    let quick = home.path().join("quick");
    std::fs::write(&quick, "").unwrap();
    home.configure(&format!("network_timeout = 1\n{}", std::fs::read_to_string(home.config_file()).unwrap()));
    home.sign_in().token();
    std::fs::remove_file(&quick).unwrap();
    let go = home.path().join("go");
    assert!(std::process::Command::new("mkfifo").arg(&go).status().unwrap().success());
    std::thread::scope(|scope| {
        let refresh = scope.spawn(|| home.refresh());
        crate::support::eventually("it has the old token", || home.path().join("waits").exists());
        let writer = std::fs::OpenOptions::new().write(true).open(&go).unwrap();
        std::fs::write(&quick, "").unwrap();
        let signed_in = home.sign_in();
        assert!(signed_in.stderr.contains("continuing without the lock"), "{}", signed_in.stderr);
        let new = std::fs::read_to_string(home.path().join("kept")).unwrap();
        drop(writer);
        let run = refresh.join().unwrap();
        assert!(run.stderr.contains("another sign-in replaced the stored token"), "{run:?}");
        run.token();
        assert_eq!(std::fs::read_to_string(home.path().join("kept")).unwrap(), new);
    });
}

#[test]
#[cfg(unix)]
fn a_program_that_fails_is_said_with_its_own_words_and_loses_nothing() {
    let home = home_with_programs("cat \"$HOME/kept\"", "echo no room >&2; exit 3");
    let run = home.sign_in();
    let stderr = run.fails_with(74);
    assert!(
        stderr.contains("no room")
            && stderr.contains("the program that saves the token, `sh`, failed with exit status: 3"),
        "{stderr}"
    );
    let run = home.refresh();
    assert!(run.fails_with(69).contains("if you have not signed in yet, run `get-token --profile mail`"), "{run:?}");
    let home = home_with_programs("cat \"$HOME/kept\"", "cat >\"$HOME/kept\"");
    home.sign_in().token();
    std::fs::rename(home.path().join("kept"), home.path().join("away")).unwrap();
    let run = home.refresh();
    assert!(
        run.fails_with(69).contains("the program that loads the token, `sh`, failed with exit status: 1"),
        "{run:?}"
    );
    std::fs::write(home.path().join("kept"), "two words\n").unwrap();
    home.refresh().fails_with(77);
    std::fs::rename(home.path().join("away"), home.path().join("kept")).unwrap();
    home.refresh().token();
    assert!(home.run("get-token", ["--sign-out"]).fails_with(78).contains("delete = "));
}

#[test]
#[cfg(unix)]
fn a_program_that_cannot_be_started_is_78_with_the_systems_reason() {
    let home = Home::new();
    home.configure(&home.configuration_with_store("{ load = ['/nonexistent/pass'], save = ['cat'] }"));
    for command in ["refresh-token", "get-refresh-token"] {
        let run = home.run(command, [""; 0]);
        let stderr = run.fails_with(78);
        assert!(stderr.contains("/nonexistent/pass") && stderr.contains("No such file or directory"), "{stderr}");
    }
    home.run("get-token", ["--sign-out"]).fails_with(78);
}

#[test]
#[cfg(unix)]
fn the_arguments_of_programs_contain_the_profile() {
    let home = Home::new();
    let folder = home.path().display();
    let programs = format!(
        "{{ load = ['cat', '{folder}/kept-{{profile}}'], save = ['cp', '/dev/stdin', '{folder}/kept-{{profile}}'] }}"
    );
    home.configure(&home.configuration_with_store(&programs));
    let sign_in = home.begin_sign_in(&["-p", "mail", "-p", "calendar"]);
    sign_in.approve(ADA);
    sign_in.finish().token();
    for profile in ["mail", "calendar"] {
        let kept = std::fs::read_to_string(home.path().join(format!("kept-{profile}"))).unwrap();
        assert!(home.standin.is_valid_refresh_token(kept.trim()));
        home.run("refresh-token", ["-p", profile]).token();
    }
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
fn not_found_names_the_places_that_were_searched() {
    let home = Home::new();
    let run = home.refresh();
    let stderr = run.fails_with(77);
    assert!(stderr.contains("No refresh token found") && stderr.contains(home.token_file("mail").to_str().unwrap()));
    assert!(!stderr.contains("XDG_CACHE_HOME"), "{stderr}");
    let mut command = home.command("get-refresh-token");
    let run = crate::support::finish(command.env("XDG_CACHE_HOME", home.path().join("other")));
    let stderr = run.fails_with(77);
    assert!(stderr.contains("other") && stderr.contains("XDG_CACHE_HOME is set"), "{stderr}");
}

/// Cron has no keychain: the Python tool's token may be there all the same.
#[test]
#[cfg(target_os = "linux")]
fn a_keychain_that_cannot_be_asked_is_not_empty_and_raises_no_alarm() {
    let mut home = Home::new();
    let alarm = home.path().join("alarm");
    let hook = format!("on_sign_in_needed = ['touch', '{}']\n", alarm.display());
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
    assert!(!alarm.exists());
}

#[test]
fn a_store_that_is_none_is_refused_with_its_line() {
    let home = Home::new();
    for (wrong, word) in [
        ("store = 'cellar'", "keychain"),
        ("store = { load = ['pass'] }", "save"),
        ("store = { load = [], save = ['x'] }", "store.load is missing or empty"),
        ("store = { load = ['a'], save = ['b'], shave = ['c'] }", "shave"),
    ] {
        home.configure(&home.configuration().replace("store = 'file'", wrong));
        let run = home.refresh();
        let stderr = run.fails_with(78);
        assert!(stderr.contains(word) && stderr.contains("config.toml:"), "{wrong}: {stderr}");
    }
}

#[test]
#[cfg(target_os = "linux")] // elsewhere there is always a keychain
fn nobody_signs_in_where_the_only_place_takes_no_token() {
    let home = Home::new();
    home.configure(&home.configuration_with_store("'keychain'"));
    let run = home.run("get-token", ["--device"]);
    assert!(run.fails_with(69).contains("no keychain is available"), "{run:?}");
    assert_eq!(home.standin.requests().len(), 0);
}
