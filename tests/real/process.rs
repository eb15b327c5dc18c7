//! The commands as processes: slow system calls, signals at a critical moment, and files without permission.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use standin::{ADA, PUBLIC_CLIENT_ID};

use crate::login::program;
use crate::support::{Home, binary, finish};

/// A program that starts before its input is written could read an empty input and store that.
#[test]
#[ignore = "tests/run: strace"]
fn a_program_that_saves_gets_the_whole_token_even_if_it_is_written_slowly() {
    let home = Home::new();
    let (kept, old) = (home.path().join("kept"), home.standin.seed_refresh_token(PUBLIC_CLIENT_ID, ADA));
    std::fs::write(&kept, &old).unwrap();
    let save = "kill -9 $PPID; cat >$HOME/new; mv $HOME/new $HOME/kept";
    let programs = format!("{{ load = ['sh', '-c', 'cat $HOME/kept'], save = ['sh', '-c', '{save}'] }}");
    home.configure(&home.configuration_with_store(&programs));
    let mut strace = program("strace", "strace");
    home.prepare(&mut strace);
    strace.args(["-f", "-o", "/dev/null", "-e", "inject=write:delay_enter=300000"]);
    let run = finish(strace.arg(binary("refresh-token")));
    assert_eq!((run.code, &*run.stdout), (None, ""), "{run:?}");
    let stored = std::fs::read_to_string(&kept).unwrap();
    assert!(stored.trim() != old && home.standin.is_valid_refresh_token(stored.trim()), "{stored:?}");
}

pub fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = folder.read_dir().unwrap().map(|entry| entry.unwrap().path());
    entries
        .filter(|path| !path.is_symlink())
        .flat_map(|path| match path.is_dir() {
            true => files(&path),
            false if path.is_file() => vec![path],
            false => Vec::new(),
        })
        .collect()
}

#[test]
#[ignore = "tests/run: the program `kill`"]
fn a_signal_ends_a_waiting_sign_in_immediately() {
    let home = Home::new();
    let sign_in = home.begin_sign_in(&[]);
    assert!(Command::new("kill").args(["-s", "INT", &sign_in.process_id().to_string()]).status().unwrap().success());
    let run = sign_in.finish();
    assert_eq!((run.code, &*run.stdout), (None, ""), "ended by the signal");
    let again = home.begin_sign_in(&[]);
    again.approve(ADA);
    again.finish().token();
}

#[test]
#[ignore = "tests/run: a user without root's privileges"]
fn a_token_is_printed_even_if_the_cache_folder_is_not_writable() {
    let home = Home::new();
    let token = home.store_token("mail");
    std::fs::set_permissions(home.cache(), PermissionsExt::from_mode(0o500)).unwrap();
    let run = home.refresh();
    std::fs::set_permissions(home.cache(), PermissionsExt::from_mode(0o700)).unwrap();
    run.token();
    assert!(run.stderr.contains("warning: could not store the new refresh token"), "{}", run.stderr);
    assert!(run.stderr.contains("refresh_token_mail"), "{}", run.stderr);
    assert_eq!(home.token_in_file("mail"), Some(token));
}

#[test]
#[ignore = "tests/run: a user without root's privileges"]
fn a_sign_in_whose_token_cannot_be_stored_is_74() {
    let home = Home::new();
    std::fs::create_dir_all(home.cache()).unwrap();
    std::fs::set_permissions(home.cache(), PermissionsExt::from_mode(0o500)).unwrap();
    let run = home.sign_in();
    std::fs::set_permissions(home.cache(), PermissionsExt::from_mode(0o700)).unwrap();
    assert!(run.fails_with(74).contains("you are signed in, but the refresh token could not be stored"));
}

#[test]
#[ignore = "tests/run: a user without root's privileges"]
fn a_token_file_or_configuration_that_cannot_be_read_is_74() {
    let home = Home::new();
    home.store_token("mail");
    std::fs::set_permissions(home.token_file("mail"), PermissionsExt::from_mode(0o000)).unwrap();
    for command in ["refresh-token", "get-refresh-token"] {
        assert!(home.run(command, [""; 0]).fails_with(74).contains("cannot read"));
    }
    std::fs::set_permissions(home.config_file(), PermissionsExt::from_mode(0o000)).unwrap();
    home.refresh().fails_with(74);
}

#[test]
#[ignore = "tests/run: a user without root's privileges"]
fn the_hint_for_a_certificate_that_the_user_may_not_read_is_about_its_permissions() {
    let home = Home::new();
    let file = home.path().join("secret.pem");
    std::fs::write(&file, "").unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o000)).unwrap();
    let ca_file = home.standin.ca_file().display().to_string();
    for text in [
        format!("client_certificate = '{}'\n{}", file.display(), home.configuration()),
        home.configuration().replace(&ca_file, &file.display().to_string()),
    ] {
        home.configure(&text);
        home.store_token("mail");
        let run = home.refresh();
        let hint = format!("check the permissions: `ls -l {}`", file.display());
        assert!(run.fails_with(78).contains(&hint), "{run:?}");
    }
}

#[test]
#[ignore = "tests/run: the program `kill`"]
fn a_signal_that_the_caller_ignores_stays_ignored() {
    let home = Home::new();
    let mut nohup = Command::new("sh");
    home.prepare(&mut nohup);
    let get_token = binary("get-token");
    nohup.args(["-c", &format!("trap '' HUP; exec '{}' --browser never", get_token.display())]);
    let sign_in = crate::support::SignIn::begin(&mut nohup);
    assert!(Command::new("kill").args(["-s", "HUP", &sign_in.process_id().to_string()]).status().unwrap().success());
    sign_in.approve(ADA);
    sign_in.finish().token();
}
