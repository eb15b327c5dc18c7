//! Programs of the user's own as store.

use standin::{ADA, PUBLIC_CLIENT_ID};

#[cfg(unix)]
use crate::support::set_mode;
use crate::support::{Home, eventually};

/// Returns a home whose store is two shell scripts.
#[cfg(unix)]
fn home_with_programs(load: &str, save: &str) -> Home {
    let home = Home::new();
    let lines = format!("store.load = ['sh', '-c', '{load}']\nstore.save = ['sh', '-c', '{save}']\n");
    home.configure(&(home.configuration_without("store") + &lines));
    home
}

#[test]
#[cfg(target_os = "linux")]
fn a_store_program_gets_the_token_on_stdin_and_no_other_secret_or_descriptor() {
    let show = "env >>\"$HOME/shown\"; cat /proc/$$/cmdline >>\"$HOME/shown\"; ls -l /proc/$$/fd >>\"$HOME/fds\"";
    let home = home_with_programs(
        &format!("{show}; cat \"$HOME/token\""),
        &format!("{show}; echo noise; cat >\"$HOME/new\" && mv \"$HOME/new\" \"$HOME/token\""),
    );
    home.sign_in().token();
    let saved = std::fs::read_to_string(home.path().join("token")).unwrap();
    assert!(saved.ends_with('\n') && home.standin.is_valid_refresh_token(saved.trim()));
    home.refresh().token();
    let shown = std::fs::read_to_string(home.path().join("shown")).unwrap();
    assert_eq!(shown.matches("M365AUTH_PROFILE=mail").count(), 3, "{shown}");
    assert!(!home.standin.issued_secrets().iter().any(|secret| shown.contains(secret)));
    let descriptors = std::fs::read_to_string(home.path().join("fds")).unwrap();
    assert!(!descriptors.contains("lock_mail"), "{descriptors}");
}

#[test]
#[cfg(unix)]
fn a_program_that_saves_gets_the_whole_token_even_if_refresh_token_is_killed() {
    let save = "kill -9 $PPID; cat >\"$HOME/new\"; mv \"$HOME/new\" \"$HOME/token\"";
    let home = home_with_programs("cat \"$HOME/token\"", save);
    let (file, old) = (home.path().join("token"), home.standin.seed_refresh_token(PUBLIC_CLIENT_ID, ADA));
    std::fs::write(&file, &old).unwrap();
    let run = home.refresh();
    assert_eq!((run.code, &*run.stdout), (None, ""), "{run:?}");
    let stored = || std::fs::read_to_string(&file).unwrap();
    eventually("the token is saved", || stored() != old);
    assert!(home.standin.is_valid_refresh_token(stored().trim()));
}

#[test]
#[cfg(unix)]
fn a_slow_refresh_does_not_overwrite_the_token_of_a_newer_sign_in() {
    // The script continues when the pipe, once opened for writing, is closed again.
    let load =
        "cat \"$HOME/token\"; test -e \"$HOME/quick\" || { touch \"$HOME/waits\"; read _ <\"$HOME/go\" || true; }";
    let home = home_with_programs(load, "cat >\"$HOME/token\"");
    let quick = home.path().join("quick");
    std::fs::write(&quick, "").unwrap();
    home.configure(&format!("network_timeout = 1\n{}", std::fs::read_to_string(home.config_file()).unwrap()));
    home.sign_in().token();
    std::fs::remove_file(&quick).unwrap();
    let go = home.path().join("go");
    assert!(std::process::Command::new("mkfifo").arg(&go).status().unwrap().success());
    std::thread::scope(|scope| {
        let refresh = scope.spawn(|| home.refresh());
        eventually("refresh-token loads the old token", || home.path().join("waits").exists());
        let writer = std::fs::OpenOptions::new().write(true).open(&go).unwrap();
        std::fs::write(&quick, "").unwrap();
        let signed_in = home.sign_in();
        assert!(signed_in.stderr.contains("continuing without the lock"), "{}", signed_in.stderr);
        let new = std::fs::read_to_string(home.path().join("token")).unwrap();
        drop(writer);
        let run = refresh.join().unwrap();
        assert!(run.stderr.contains("another sign-in replaced the stored token"), "{run:?}");
        run.token();
        assert_eq!(std::fs::read_to_string(home.path().join("token")).unwrap(), new);
    });
}

#[test]
#[cfg(unix)]
fn a_failing_store_program_is_reported_with_its_stderr_and_no_token_is_lost() {
    let home = home_with_programs("cat \"$HOME/token\"", "echo no room >&2; exit 3");
    let run = home.sign_in();
    let stderr = run.fails_with(74);
    assert!(
        stderr.contains("no room")
            && stderr.contains("the program that saves the token, `sh`, failed with exit status: 3")
            && stderr.contains("see what it wrote to stderr, and correct store.save in the configuration"),
        "{stderr}"
    );
    let run = home.refresh();
    assert!(run.fails_with(69).contains("if you have not signed in yet, run `get-token --profile mail`"), "{run:?}");
    let home = home_with_programs("cat \"$HOME/token\"", "cat >\"$HOME/token\"");
    home.sign_in().token();
    std::fs::rename(home.path().join("token"), home.path().join("away")).unwrap();
    let run = home.refresh();
    let stderr = run.fails_with(69);
    assert!(stderr.contains("the program that loads the token, `sh`, failed with exit status: 1"), "{stderr}");
    assert!(stderr.contains("run `sh -c 'cat \"$HOME/token\"'` in a terminal to see why"), "{stderr}");
    std::fs::write(home.path().join("token"), "two words\n").unwrap();
    home.refresh().fails_with(77);
    std::fs::rename(home.path().join("away"), home.path().join("token")).unwrap();
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

    let not_a_program = home.path().join("notes");
    std::fs::write(&not_a_program, "a text\n").unwrap();
    set_mode(&not_a_program, 0o755);
    let store = format!("{{ load = ['echo', 'a-token'], save = ['cat'], delete = ['{}'] }}", not_a_program.display());
    home.configure(&home.configuration_with_store(&store));
    let run = home.run("get-token", ["--sign-out"]);
    assert!(run.fails_with(78).contains("a refresh token may still be in `echo a-token`"), "{run:?}");
    assert!(run.stderr.contains("Exec format error"), "{run:?}");
}

#[test]
#[cfg(unix)]
fn a_program_that_saves_and_cannot_be_started_is_a_warning_of_a_refresh_and_74_of_a_sign_in() {
    let home = Home::new();
    let token = home.standin.seed_refresh_token(PUBLIC_CLIENT_ID, ADA);
    let store = format!("{{ load = ['echo', '{token}'], save = ['/nonexistent/pass'] }}");
    home.configure(&home.configuration_with_store(&store));
    let run = home.refresh();
    run.token();
    assert!(run.stderr.contains("warning: could not store the new refresh token"), "{run:?}");
    home.sign_in().fails_with(74);
}

#[test]
#[cfg(unix)]
fn a_program_that_does_not_print_text_is_69() {
    let home = Home::new();
    home.configure(&home.configuration_with_store("{ load = ['printf', '\\377\\376'], save = ['cat'] }"));
    let run = home.refresh();
    assert!(run.fails_with(69).contains("`printf`, did not print text"), "{run:?}");
    assert!(home.run("get-token", ["--sign-out"]).fails_with(69).contains("may still be in"));
}

#[test]
#[cfg(unix)]
fn the_arguments_of_programs_contain_the_profile() {
    let home = Home::new();
    let folder = home.path().display();
    let programs = format!(
        "{{ load = ['cat', '{folder}/token-{{profile}}'], save = ['cp', '/dev/stdin', '{folder}/token-{{profile}}'] }}"
    );
    home.configure(&home.configuration_with_store(&programs));
    let sign_in = home.begin_sign_in(&["-p", "mail", "-p", "calendar"]);
    sign_in.approve(ADA);
    sign_in.finish().token();
    for profile in ["mail", "calendar"] {
        let saved = std::fs::read_to_string(home.path().join(format!("token-{profile}"))).unwrap();
        assert!(home.standin.is_valid_refresh_token(saved.trim()));
        home.run("refresh-token", ["-p", profile]).token();
    }
}

#[test]
#[cfg(unix)]
fn identical_store_programs_of_two_profiles_cause_a_warning() {
    for (kept, warned) in [("kept", true), ("kept-{profile}", false), ("kept-$M365AUTH_PROFILE", false)] {
        let home = Home::new();
        let programs =
            format!("{{ load = ['sh', '-c', 'cat \"$HOME/{kept}\"'], save = ['sh', '-c', 'cat >\"$HOME/{kept}\"'] }}");
        home.configure(&home.configuration_with_store(&programs));
        assert!(!home.sign_in().stderr.contains("share one token"), "only one profile is in use");
        let sign_in = home.begin_sign_in(&["-p", "calendar"]);
        sign_in.approve(ADA);
        let run = sign_in.finish();
        assert_eq!(run.stderr.contains("\"calendar\" and \"mail\" have the same store programs"), warned, "{run:?}");
    }
}
