//! Unusual files and folders at the paths that the commands use.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::{Home, finish, set_mode};

fn make_pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// A home whose token is on another volume, behind a symbolic link.
fn home_with_linked_token() -> (Home, std::path::PathBuf) {
    let home = Home::new();
    home.store_token("mail");
    let volume = home.path().join("volume");
    fs::create_dir(&volume).unwrap();
    set_mode(&volume, 0o700);
    let target = volume.join("token");
    fs::rename(home.token_file("mail"), &target).unwrap();
    symlink(&target, home.token_file("mail")).unwrap();
    (home, target)
}

#[test]
fn the_target_of_a_linked_token_file_is_replaced() {
    let (home, target) = home_with_linked_token();
    let before = fs::read_to_string(&target).unwrap();
    home.refresh().token();
    assert!(home.token_file("mail").is_symlink(), "it does not become a plain file on this disk");
    let after = fs::read_to_string(&target).unwrap();
    assert!(after != before && home.standin.is_valid_refresh_token(&after));
    assert_eq!(target.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(home.run("get-token", ["--sign-out"]).code, Some(0));
    assert!(!target.exists() && !home.token_file("mail").is_symlink(), "the target is removed too");
}

#[test]
fn a_link_to_a_volume_that_is_not_mounted_is_74_and_stays() {
    // Usually the mount point exists, as an empty folder.
    for mount_point_exists in [true, false] {
        let (home, target) = home_with_linked_token();
        let marker = home.path().join("marker");
        home.configure_with(&format!("on_sign_in_needed = ['touch', '{}']", marker.display()));
        fs::remove_dir_all(target.parent().unwrap()).unwrap();
        if mount_point_exists {
            fs::create_dir(target.parent().unwrap()).unwrap();
        }
        for command in ["refresh-token", "get-refresh-token"] {
            let run = home.run(command, [""; 0]);
            assert!(run.fails_with(74).contains("it is a symbolic link "), "{run:?}");
        }
        home.run("get-token", ["--sign-out"]).fails_with(74);
        home.sign_in().fails_with(74);
        assert!(home.token_file("mail").is_symlink());
        assert!(!target.exists() && !marker.exists());
    }
}

/// As with a cache folder on a disk that is not mounted.
#[test]
fn a_folder_whose_link_has_no_target_is_not_taken_for_empty() {
    let home = Home::new();
    let (volume, marker) = (home.path().join("volume"), home.path().join("marker"));
    home.configure_with(&format!("on_sign_in_needed = ['touch', '{}']", marker.display()));
    home.store_token("mail");
    fs::rename(home.cache(), &volume).unwrap();
    symlink(&volume, home.cache()).unwrap();
    home.refresh().token();
    fs::rename(&volume, home.path().join("unmounted")).unwrap();
    for command in ["refresh-token", "get-refresh-token"] {
        let run = home.run(command, [""; 0]);
        assert!(run.fails_with(74).contains("is a symbolic link without a target"), "{run:?}");
    }
    let run = home.run("get-token", ["--sign-out"]);
    assert!(run.fails_with(74).contains("a refresh token may still be in"), "{run:?}");
    let status = home.run("get-token", ["--status", "-p", "mail"]);
    assert!(status.code == Some(69) && !status.stdout.contains("not signed in"), "{status:?}");
    assert!(!marker.exists(), "no sign-in is needed");
    fs::rename(home.path().join("unmounted"), &volume).unwrap();
    home.refresh().token();

    let folder = home.config_file().parent().unwrap().to_owned();
    fs::rename(&folder, home.path().join("unmounted")).unwrap();
    symlink(home.path().join("dotfiles"), &folder).unwrap();
    for command in ["refresh-token", "get-refresh-token", "get-token"] {
        let run = home.run(command, [""; 0]);
        assert!(run.fails_with(78).contains("is a symbolic link to a folder that does not exist"), "{run:?}");
    }
}

#[test]
fn a_link_into_a_folder_that_others_can_write_is_rejected() {
    let (home, target) = home_with_linked_token();
    set_mode(target.parent().unwrap(), 0o777);
    let run = home.refresh();
    assert!(run.fails_with(74).contains("which others can replace"), "{run:?}");
}

/// Another user could put them into a cache folder that is writable by others.
#[test]
fn traps_in_the_cache_folder_neither_hang_nor_are_followed() {
    let home = Home::new();
    home.store_token("mail");
    let victim = home.path().join("victim");
    make_pipe(&home.cache().join("records_mail.toml"));
    symlink(&victim, home.cache().join("lock_mail")).unwrap();
    set_mode(&home.cache(), 0o777);
    let begun = Instant::now();
    let run = home.refresh();
    run.token();
    assert!(begun.elapsed() < Duration::from_secs(10), "it does not wait for the pipe");
    assert!(run.stderr.contains("records_mail.toml: it is not a regular file"), "{run:?}");
    assert!(!victim.exists(), "the link in place of the lock file is not followed");
    assert_eq!(home.cache().metadata().unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_sign_in_restricts_the_cache_folder_before_it_writes_to_it() {
    for scheme in ["https", "http"] {
        let home = Home::new();
        home.configure(&home.configuration().replace("redirect_uri = 'https:", &format!("redirect_uri = '{scheme}:")));
        fs::create_dir_all(home.cache()).unwrap();
        set_mode(&home.cache(), 0o777);
        let is_restricted = || home.cache().metadata().unwrap().permissions().mode() & 0o777 == 0o700;
        let sign_in = home.begin_sign_in(&[]);
        // Over HTTP, there is no certificate to write.
        assert_eq!(is_restricted(), scheme == "https");
        sign_in.approve(standin::ADA);
        sign_in.finish().token();
        assert!(is_restricted());
    }
}

#[test]
fn a_trap_in_place_of_the_certificate_is_replaced() {
    let home = Home::new();
    home.sign_in().token();
    for name in ["server.cert", "server.key"] {
        for is_pipe in [true, false] {
            let trap = home.cache().join(name);
            let moved = home.path().join(name);
            fs::rename(&trap, &moved).unwrap();
            if is_pipe {
                make_pipe(&trap);
                set_mode(&trap, 0o600);
            } else {
                symlink(&moved, &trap).unwrap();
            }
            home.sign_in().token();
            assert!(trap.symlink_metadata().unwrap().is_file(), "{name}");
        }
    }
}

#[test]
fn signing_out_removes_unfinished_files_of_this_profile_only() {
    let home = Home::new();
    home.store_token("mail");
    let unfinished = |name: &str| {
        let path = home.cache().join(name);
        fs::write(&path, "a-token-of-a-killed-process").unwrap();
        path
    };
    let ours = unfinished(".m365auth-refresh_token_mail~Xy12Zq");
    let others = unfinished(".m365auth-refresh_token_mail-x~Xy12Zq");
    assert_eq!(home.run("get-token", ["--sign-out"]).code, Some(0));
    assert!(!ours.exists() && others.exists());
    // After a minute its process must have been killed, so every command removes it.
    assert!(Command::new("touch").args(["-d", "2 minutes ago"]).arg(&others).status().unwrap().success());
    home.run("get-token", ["--sign-out"]);
    assert!(!others.exists());
}

#[test]
fn signing_out_removes_an_unfinished_file_beside_the_target_of_a_linked_token_file() {
    let (home, target) = home_with_linked_token();
    let unfinished = target.with_file_name(".m365auth-token~Xy12Zq");
    fs::write(&unfinished, "a-token-of-a-killed-process").unwrap();
    assert_eq!(home.run("get-token", ["--sign-out"]).code, Some(0));
    assert!(!unfinished.exists());
}

/// `ulimit -f`: without a handler, SIGXFSZ would kill the command in the middle of the save.
#[test]
fn a_file_size_limit_is_an_error_and_does_not_kill_the_command() {
    let home = Home::new();
    home.store_token("mail");
    let mut shell = Command::new("sh");
    home.prepare(&mut shell);
    let run = finish(shell.args(["-c", "ulimit -f 0; exec refresh-token"]));
    assert!(home.standin.is_valid_access_token(run.token()));
    assert!(run.stderr.contains("File too large"), "{run:?}");
}

/// A signal that is ignored would be ignored by other programs too.
#[test]
#[cfg(target_os = "linux")]
fn a_program_that_stores_tokens_does_not_ignore_the_file_size_limit() {
    let home = Home::new();
    let save = "grep SigIgn /proc/self/status >\"$HOME/ignored\"; cat >\"$HOME/token\"";
    home.configure(&home.configuration_with_store(&format!("{{ load = ['true'], save = ['sh', '-c', '{save}'] }}")));
    home.sign_in().token();
    let line = fs::read_to_string(home.path().join("ignored")).unwrap();
    let ignored = u64::from_str_radix(line.split_whitespace().last().unwrap(), 16).unwrap();
    assert_eq!(ignored >> (rustix::process::Signal::XFSZ.as_raw() - 1) & 1, 0, "{line}");
}

/// As with a read-only ConfigMap with mode 777, or a file system without file modes.
#[test]
fn a_trusted_configuration_is_accepted_at_exactly_that_path() {
    let home = Home::new();
    home.store_token("mail");
    for path in [home.config_file(), home.config_file().parent().unwrap().to_owned()] {
        set_mode(&path, 0o777);
        let run = home.refresh();
        let variable = format!("M365AUTH_TRUST_CONFIG={}`", home.config_file().display());
        assert!(run.fails_with(78).contains(&variable), "the hint names it: {run:?}");
        let trusting = |file: &Path| finish(home.command("refresh-token").env("M365AUTH_TRUST_CONFIG", file));
        trusting(&home.config_file()).token();
        trusting(&home.path().join("other.toml")).fails_with(78);
        let check = finish(home.command("get-token").arg("--check").env("M365AUTH_TRUST_CONFIG", home.config_file()));
        assert!(check.stdout.contains("; M365AUTH_TRUST_CONFIG is set"), "{check:?}");
        assert!(check.stdout.contains("✓ folders: "), "{check:?}");
        set_mode(&path, 0o700);
    }
}

#[test]
fn a_certificate_authority_that_others_can_write_is_rejected() {
    let home = Home::new();
    home.store_token("mail");
    let own = home.path().join("ca.pem");
    fs::copy(home.standin.ca_file(), &own).unwrap();
    let configuration = home.configuration_without("ca_file");
    home.configure(&format!("ca_file = '{}'\n{configuration}", own.display()));
    set_mode(&own, 0o644);
    home.refresh().token();
    set_mode(&own, 0o666);
    let run = home.refresh();
    assert!(run.fails_with(78).contains("ca.pem is writable by others"), "{run:?}");
}

/// systemd and cron do not expand `~`.
#[test]
fn a_tilde_in_the_path_of_the_configuration_is_78_and_creates_no_folder() {
    let home = Home::new();
    for command in ["get-token", "refresh-token", "get-refresh-token"] {
        let mut command = home.command(command);
        let run = finish(command.env("M365AUTH_CONFIG", "~/config.toml").current_dir(home.path()));
        assert!(run.fails_with(78).contains("write the full path"), "{run:?}");
    }
    assert!(!home.path().join("~").exists());
}

#[test]
fn the_longest_profile_name_fits_and_a_longer_one_is_an_error() {
    let home = Home::new();
    let name = "p".repeat(200);
    home.configure(
        &(home.configuration() + &format!("[profiles.{name}]\nscopes = ['https://outlook.office.com/SMTP.Send']\n")),
    );
    let sign_in = home.begin_sign_in(&["--profile", &name]);
    sign_in.approve(standin::ADA);
    sign_in.finish().token();
    home.run("refresh-token", ["--profile", &name]).token();
    let run = home.run("get-token", ["--profile", &format!("{name}p")]);
    assert_eq!(run.code, Some(64), "{run:?}");
    assert!(run.stderr.contains("too long"), "{run:?}");
}
