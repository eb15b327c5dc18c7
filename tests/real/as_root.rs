//! What only root can set up: mounts, other users' files, the environment of a process that is not dumpable.

mod interrupted_saves;
mod secrets;

use standin::{ADA, Browser, Fault};

use crate::faults;
use crate::login::program;
use crate::memory::{home_with_memory, refresh_by};
use crate::secrets::{assert_no_secret_in_proc, home};
use crate::support::{Home, binary, eventually, finish};

#[test]
#[ignore = "tests/run: root, util-linux"]
fn the_faults_in_the_table_that_need_root_have_the_documented_outcome() {
    faults::assert_outcomes(faults::needs_root);
}

/// Runs a script with the home on a file system where every file has mode 777 and `chmod` changes nothing. The mount
/// ends with the script.
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
    assert_eq!(run.stderr.matches("does not support file modes").count(), 1, "{run:?}");
    assert!(!run.stderr.contains("its mode is now"), "chmod has no effect there: {run:?}");
    let check = without_modes(&home, &format!("{trust}; get-token --check || true")).stdout;
    assert!(check.contains("✓ configuration: ") && check.contains("M365AUTH_TRUST_CONFIG is set"), "{check}");
    assert!(check.contains("✗ folders: other users can access"), "{check}");
    assert!(check.contains("move it to a file system that supports file modes"), "{check}");
}

/// In a user namespace, every user that is not mapped has the overflow user ID.
#[test]
#[ignore = "tests/run: root, util-linux"]
fn a_configuration_of_a_user_that_is_not_mapped_is_accepted_only_if_it_is_trusted() {
    let home = Home::new();
    home.store_token("mail");
    let in_namespace = |trusted: &str| {
        let mut unshare = program("unshare", "util-linux");
        home.prepare(&mut unshare);
        finish(unshare.env("M365AUTH_TRUST_CONFIG", trusted).args(["--user", "--map-root-user", "refresh-token"]))
    };
    let (file, another_user) = (home.config_file(), Some(54_321));
    for owned in [&file, file.parent().unwrap()] {
        std::os::unix::fs::chown(owned, another_user, None).unwrap();
        let run = in_namespace("");
        assert!(run.fails_with(78).contains("belongs to another user"), "{run:?}");
        assert!(run.stderr.contains(&format!("export M365AUTH_TRUST_CONFIG={}", file.display())), "{run:?}");
        in_namespace(file.to_str().unwrap()).token();
        in_namespace("/etc/config.toml").fails_with(78);
    }
    // Outside of the namespace, the owner is known.
    let run = finish(home.command("refresh-token").env("M365AUTH_TRUST_CONFIG", &file));
    assert!(run.fails_with(78).contains("belongs to another user"), "{run:?}");
}

/// As with a link that was planted while the cache folder was writable by others.
#[test]
#[ignore = "tests/run: root"]
fn a_linked_token_file_of_another_user_is_neither_read_nor_replaced() {
    let home = Home::new();
    let (token, target) = (home.store_token("mail"), home.path().join("token"));
    std::fs::rename(home.token_file("mail"), &target).unwrap();
    std::os::unix::fs::symlink(&target, home.token_file("mail")).unwrap();
    std::os::unix::fs::chown(&target, Some(54_321), None).unwrap();
    for run in [home.refresh(), home.sign_in()] {
        assert!(run.fails_with(74).contains("another user's file"), "{run:?}");
    }
    assert_eq!(std::fs::read_to_string(&target).unwrap(), token);
}

/// Another user may have put them there while the cache folder was writable by others.
#[test]
#[ignore = "tests/run: root"]
fn the_records_and_the_lock_of_another_user_are_not_used() {
    let home = Home::new();
    home.store_token("mail");
    home.refresh().token();
    for (name, warning) in [("records_mail.toml", "cannot read"), ("lock_mail", "continuing without a lock")] {
        std::os::unix::fs::chown(home.cache().join(name), Some(54_321), None).unwrap();
        let run = home.refresh();
        run.token();
        assert!(run.stderr.contains(warning) && run.stderr.contains(&format!("{name}: it belongs to another user")));
    }
}

/// Another user's socket could return anything. Where XDG_RUNTIME_DIR is unset, the socket of systemd is used.
#[test]
#[ignore = "tests/run: root, util-linux"]
fn only_a_session_bus_of_the_same_user_in_its_own_runtime_folder_is_used() {
    let home = Home::new();
    home.configure(&home.configuration_with_store("'keychain'"));
    let folder = tempfile::Builder::new().prefix("m365-bus-").tempdir_in("/tmp").unwrap();
    let socket = folder.path().join("bus");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    listener.set_nonblocking(true).unwrap();
    let connects = |prepare: &str| {
        let mut unshare = program("unshare", "util-linux");
        home.prepare(&mut unshare);
        let script = format!(
            "mount -t tmpfs none /run; mkdir -p /run/user/0; mount --bind '{}' /run/user/0; {prepare}; get-refresh-token",
            folder.path().display()
        );
        finish(unshare.args(["--mount", "--propagation", "private", "sh", "-c", &script])).fails_with(69);
        listener.accept().is_ok()
    };
    assert!(connects("unset XDG_RUNTIME_DIR"));
    assert!(connects("export XDG_RUNTIME_DIR="), "as if it were unset");
    assert!(!connects("true"), "the variable names another folder");
    let own = format!("export XDG_RUNTIME_DIR='{}'", folder.path().display());
    assert!(connects(&own));
    std::os::unix::fs::chown(&socket, Some(54_321), None).unwrap();
    assert!(!connects(&own) && !connects("unset XDG_RUNTIME_DIR"), "it belongs to another user");
}

#[test]
#[ignore = "tests/run: root"]
fn proc_shows_no_secret_of_a_running_command() {
    let home = home();
    home.standin.inject(Fault::Hang);
    let requests = home.standin.token_requests();
    let mut refresh = home.command("refresh-token").stdout(std::process::Stdio::null()).spawn().unwrap();
    eventually("the token request", || home.standin.token_requests() > requests);
    assert_no_secret_in_proc(&home, refresh.id());
    refresh.kill().unwrap();
    refresh.wait().unwrap();

    let mut sign_in = home.begin_paste(&[]);
    assert_no_secret_in_proc(&home, sign_in.process_id());
    let url = Browser::redirect_url(&sign_in.url, ADA).unwrap();
    sign_in.paste(&url);
    let run = sign_in.finish();
    run.token();
    let code = url.split("code=").nth(1).unwrap().split('&').next().unwrap();
    assert!(!run.stderr.contains(code), "a pasted URL is not shown");
}

/// Only root sees paths and data in a trace of the commands, because they forbid other programs to read their memory.
#[test]
#[ignore = "tests/run: root, strace"]
fn a_hit_opens_one_file_and_uses_no_thread_connection_or_lock() {
    let home = home_with_memory();
    home.refresh().token();
    let trace = home.path().join("trace");
    let mut strace = program("strace", "strace");
    strace.args(["-f", "-e", "trace=openat,socket,connect,clone,clone3,fork,vfork,flock,fcntl,write", "-o"]);
    strace.arg(&trace);
    refresh_by(&home, strace).token();
    let calls = std::fs::read_to_string(trace).unwrap();
    let opened: Vec<&str> = calls.lines().filter(|call| call.contains("openat(")).collect();
    // Before `main`, the loader opens libraries, and the C library reads the location of the stack.
    let before_main = ["/etc/ld.so", ".so", "/proc/self/maps"];
    let ours: Vec<&&str> = opened.iter().filter(|call| before_main.iter().all(|name| !call.contains(name))).collect();
    assert!(matches!(&ours[..], [one] if one.contains("/m365auth/config.toml")), "{ours:?}");
    for call in ["socket(", "connect(", "clone", "fork(", "flock("] {
        assert!(!calls.contains(call), "unexpected {call} in {calls}");
    }
    assert_eq!(calls.matches("write(").count(), 1, "the token in one write: {calls}");
}

/// Otherwise a slow name server would delay each request. Only root sees the paths, as above.
#[test]
#[ignore = "tests/run: root, strace"]
fn the_login_host_is_looked_up_while_the_token_is_loaded() {
    let home = Home::new();
    std::fs::write(home.path().join("token"), home.store_token("mail")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(home.path().join("lookup")).status().unwrap().success());
    let refresh_with = |load: &str, trace: &str, proxy: &str| {
        home.configure(&home.configuration_with_store(&format!(
            "{{ load = ['sh', '-c', '{load}'], save = ['sh', '-c', 'cat >$HOME/token'] }}"
        )));
        let mut strace = program("strace", "strace");
        home.prepare(&mut strace);
        strace.args(["-f", "-e", "trace=openat,open", "-o", trace]).arg(binary("refresh-token"));
        finish(strace.arg("--fresh").env("HTTPS_PROXY", proxy))
    };
    let once_it_is_looked_up = "timeout 20 grep -q . $HOME/lookup && cat $HOME/token";
    // strace writes each line at once to a program, but not to a file.
    let report = "|{ grep -m 1 /etc/hosts >$HOME/lookup; cat >/dev/null; }";
    assert!(home.standin.is_valid_access_token(refresh_with(once_it_is_looked_up, report, "").token()));
    // Nothing listens on that port. A proxy looks up the host itself, and the name may be unknown here.
    let trace = home.path().join("trace");
    refresh_with("cat $HOME/token", trace.to_str().unwrap(), "http://127.0.0.1:1").fails_with(75);
    let trace = std::fs::read_to_string(trace).unwrap();
    assert!(trace.contains("config.toml") && !trace.contains("/etc/hosts"), "{trace}");
}
