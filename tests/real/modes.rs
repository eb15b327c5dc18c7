//! File systems without modes (drvfs, vfat, CIFS), and users without a home folder.

use crate::login::program;
use crate::support::{Home, binary, finish};

/// Runs a script with the home on a file system where every file has mode 777 and `chmod` changes nothing. The mount ends
/// with the script.
fn without_modes(home: &Home, script: &str) -> crate::support::Run {
    let mut unshare = program("unshare", "util-linux");
    home.prepare(&mut unshare);
    let script = format!("set -e; bindfs --perms=0777 --chmod-ignore \"$HOME\" \"$HOME\"; cd \"$HOME\"; {script}");
    finish(unshare.args(["--mount", "--propagation", "private", "sh", "-c", &script]))
}

#[test]
#[ignore = "tests/run: bindfs, as root"]
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

/// A container's user ID has no entry in /etc/passwd, and often no HOME.
#[test]
#[ignore = "tests/run: util-linux"]
fn both_xdg_folders_replace_a_home_folder() {
    let home = Home::new();
    home.store_token("mail");
    let mut unshare = program("unshare", "util-linux");
    home.prepare(&mut unshare);
    unshare.env_remove("HOME").args(["--user", "--map-user=54321"]).arg(binary("refresh-token"));
    let run = finish(&mut unshare);
    assert!(run.fails_with(78).contains("XDG_CONFIG_HOME and XDG_CACHE_HOME"), "{run:?}");
    unshare.env("XDG_CONFIG_HOME", home.path().join(".config")).env("XDG_CACHE_HOME", home.path().join(".cache"));
    finish(&mut unshare).token();
}
