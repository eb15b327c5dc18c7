//! Users without a home folder.

use crate::login::program;
use crate::support::{Home, binary, finish};

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
