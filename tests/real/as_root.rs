//! What only root can set up: mounts, other users' files, the environment of a process that is not dumpable.

mod interrupted_saves;

use standin::{ADA, Browser, Fault};

use crate::faults;
use crate::login::program;
use crate::secrets::{assert_no_secret_in_proc, home};
use crate::support::{Home, eventually, finish};

#[test]
#[ignore = "tests/run: root, util-linux"]
fn the_faults_in_the_table_that_need_root_have_the_documented_outcome() {
    faults::assert_outcomes(faults::needs_root);
}

/// Runs a script with the home on a file system where every file has mode 777 and `chmod` changes nothing. The mount ends
/// with the script.
fn without_modes(home: &Home, script: &str) -> crate::support::Run {
    let mut unshare = program("unshare", "util-linux");
    home.prepare(&mut unshare);
    let script = format!("set -e; bindfs --perms=0777 --chmod-ignore \"$HOME\" \"$HOME\"; cd \"$HOME\"; {script}");
    finish(unshare.args(["--mount", "--propagation", "private", "sh", "-c", &script]))
}

#[test]
#[ignore = "tests/run: root, bindfs"]
fn a_file_system_without_modes_is_reported_once() {
    let home = Home::new();
    home.store_token("mail");
    let run = without_modes(&home, "refresh-token");
    assert!(run.fails_with(78).contains("M365AUTH_TRUST_CONFIG"), "{run:?}");
    let trust = "export M365AUTH_TRUST_CONFIG=\"$HOME/.config/m365auth/config.toml\"";
    let run = without_modes(&home, &format!("{trust}; refresh-token >/dev/null; refresh-token"));
    run.token();
    assert_eq!(run.stderr.matches("does not keep file modes").count(), 1, "{run:?}");
    assert!(!run.stderr.contains("its mode is now"), "chmod has no effect there: {run:?}");
}

#[test]
#[ignore = "tests/run: root"]
fn proc_shows_no_secret_of_a_running_command() {
    let home = home();
    home.standin.order(Fault::Hang);
    let requests = home.standin.token_requests();
    let mut refresh = home.command("refresh-token").stdout(std::process::Stdio::null()).spawn().unwrap();
    eventually("the token request", || home.standin.token_requests() > requests);
    assert_no_secret_in_proc(&home, refresh.id());
    refresh.kill().unwrap();
    refresh.wait().unwrap();

    let mut sign_in = home.begin_paste(&[]);
    assert_no_secret_in_proc(&home, sign_in.process_id());
    let url = Browser::redirect_address(&sign_in.address, ADA).unwrap();
    sign_in.paste(&url);
    let run = sign_in.finish();
    run.token();
    let code = url.split("code=").nth(1).unwrap().split('&').next().unwrap();
    assert!(!run.stderr.contains(code), "a pasted URL is not shown");
}
