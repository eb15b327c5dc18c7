//! Saves that end in the middle: a power cut, and a command that is killed between the two stores. Only root sees
//! paths in a trace of the commands, because they forbid other programs to read their memory.

use crate::login::{Keyring, Login, program};
use crate::support::{Home, binary, finish};

#[test]
#[ignore = "tests/run: root, strace"]
fn the_token_file_is_synced_before_it_is_renamed_and_the_folder_afterwards() {
    let home = Home::new();
    home.store_token("mail");
    let trace = home.path().join("trace");
    let mut strace = program("strace", "strace");
    home.prepare(&mut strace);
    strace.args(["-f", "-y", "-e", "trace=?rename,renameat,renameat2,fsync", "-o"]).arg(&trace);
    finish(strace.arg(binary("refresh-token"))).token();
    let calls = std::fs::read_to_string(trace).unwrap();
    let first = |call: &str, path: &str| calls.lines().position(|line| line.contains(call) && line.contains(path));
    let folder = format!("{}>", home.cache().canonicalize().unwrap().display());
    let file_synced = first("fsync(", "/.m365auth-refresh_token_mail~").expect(&calls);
    let renamed = first("rename", "/refresh_token_mail\"").expect(&calls);
    let folder_synced = first("fsync(", &folder).expect(&calls);
    assert!(file_synced < renamed && renamed < folder_synced, "{calls}");
}

/// A token file is removed once the keychain has the new token. Until then, it is searched first.
#[test]
#[ignore = "tests/run: root, gnome-keyring, strace"]
fn after_an_interrupted_save_the_new_token_is_found_before_an_older_copy() {
    let mut home = Home::new();
    home.standin.set_single_use_refresh_tokens(true);
    home.sign_in().token();
    let old = home.token_in_file("mail");
    let _login = Login::start(&mut home, Keyring::Gnome);
    let mut strace = program("strace", "strace");
    home.prepare(&mut strace);
    strace.args(["-f", "-o", "/dev/null", "-e", "inject=?unlink,unlinkat:signal=KILL", "-P"]);
    let run = finish(strace.arg(home.token_file("mail")).arg(binary("refresh-token")));
    assert_eq!((run.code, &*run.stdout), (None, ""), "{run:?}");
    assert_eq!(home.token_in_file("mail"), old, "killed before the file was removed");
    let found = home.run("get-refresh-token", [""; 0]).token().to_owned();
    assert!(home.standin.is_valid_refresh_token(&found), "the file's token has been used already");
}
