//! Access tokens in the kernel's memory: the logins and the kernels that there are, and what a hit costs.

use std::os::unix::fs::chown;
use std::process::Command;

use standin::{Setup, Standin};

use crate::login::program;
use crate::support::{Home, Run, binary, finish};

/// A plain user. Root's quota of keys is a thousand times larger.
pub const PLAIN_USER: u32 = 54_321;

fn home_with_memory() -> Home {
    let home = Home::new();
    home.configure(&home.configuration_with_memory());
    home.store_token("mail");
    home
}

/// `refresh-token`, run by another program.
fn refresh_by(home: &Home, mut runner: Command) -> Run {
    home.prepare(&mut runner);
    finish(runner.arg(binary("refresh-token")))
}

/// In a session keyring that does not hold the user's, as ssh and cron can have it.
fn refresh_unlinked(home: &Home) -> Run {
    let mut keyctl = program("keyctl", "keyutils");
    keyctl.args(["session", "-"]);
    refresh_by(home, keyctl)
}

#[test]
#[ignore = "tests/run: keyutils"]
fn a_login_finds_what_another_login_kept_linked_or_not() {
    let home = home_with_memory();
    let kept = refresh_unlinked(&home).token().to_owned();
    assert_eq!(refresh_unlinked(&home).token(), kept);
    assert_eq!(home.refresh().token(), kept);
    assert_eq!(home.run("get-token", ["--sign-out"]).code, Some(0));
    home.store_token("mail");
    let kept = home.refresh().token().to_owned();
    assert_eq!(refresh_unlinked(&home).token(), kept);
    assert_eq!(home.standin.token_requests(), 2);
}

#[test]
#[ignore = "tests/run: keyutils"]
fn a_kept_token_has_a_timeout_at_every_moment() {
    let home = home_with_memory();
    refresh_unlinked(&home).token();
    let keys = std::fs::read_to_string("/proc/keys").unwrap();
    let ours: Vec<&str> = keys.lines().filter(|key| key.contains(home.path().to_str().unwrap())).collect();
    assert_eq!(ours.len(), 1, "{keys}");
    // proc_keys(5): the fourth field is the time that is left, or "perm".
    let left = ours[0].split_whitespace().nth(3).unwrap();
    assert!(left.ends_with('m') || left.ends_with('h'), "{}", ours[0]);
    // And the order of the calls: the timeout is set before the user's keyring has the key.
    let trace = home.path().join("trace");
    let mut strace = program("strace", "strace");
    strace.args(["-e", "trace=add_key,keyctl", "-o"]).arg(&trace);
    home.prepare(&mut strace);
    finish(strace.arg(binary("refresh-token")).arg("--fresh")).token();
    let calls = std::fs::read_to_string(trace).unwrap();
    let position = |call: &str| calls.find(call).unwrap_or_else(|| panic!("{call} in {calls}"));
    assert!(position("add_key(") < position("KEYCTL_SET_TIMEOUT"));
    assert!(position("KEYCTL_SET_TIMEOUT") < calls.rfind("KEYCTL_LINK").unwrap());
}

#[test]
#[ignore = "tests/run: strace"]
fn a_kernel_that_refuses_costs_a_request_and_no_word() {
    for error in ["ENOSYS", "EPERM", "EACCES", "EDQUOT", "ENOMEM", "EKEYEXPIRED", "ENOKEY"] {
        let home = home_with_memory();
        for calls in ["add_key,keyctl", "add_key", "keyctl"] {
            for _ in 0..2 {
                let mut strace = program("strace", "strace");
                strace.args(["-o", "/dev/null", "-e", &format!("inject={calls}:error={error}")]);
                let run = refresh_by(&home, strace);
                assert!(home.standin.is_valid_access_token(run.token()));
                assert_eq!(run.stderr, "", "{calls} {error}");
            }
        }
        assert_eq!(home.standin.token_requests(), 6, "{error}");
    }
}

#[test]
#[ignore = "tests/run: keyutils, and root to become a plain user"]
fn a_full_quota_is_a_miss_and_no_error() {
    let home = home_with_memory();
    let user = PlainUser::of(&home);
    let as_plain_user = |script: &str| user.run(script);
    let kept = as_plain_user("./refresh-token").token().to_owned();
    assert_eq!(as_plain_user("./refresh-token").token(), kept, "a plain user has such a memory too");

    let filled = as_plain_user(
        "keyctl session - sh -c '\
         keyctl clear @u; keyctl link @u @s; size=8192; number=0
         while [ $size -gt 0 ]; do
             if head -c $size /dev/zero | keyctl padd user filler$number @u; then number=$((number + 1));
             else size=$((size / 2)); fi
         done'",
    );
    assert!(filled.stderr.contains("quota exceeded"), "{filled:?}");
    for _ in 0..2 {
        let run = as_plain_user("./refresh-token");
        assert!(home.standin.is_valid_access_token(run.token()));
        assert_eq!(run.stderr, "");
    }
    assert_eq!(home.standin.token_requests(), 3);
    let said = as_plain_user("./refresh-token -v; keyctl clear @u").stderr;
    assert!(said.contains("not cached in kernel memory: the user's key quota is exhausted"), "{said}");
}

pub fn give(path: &std::path::Path, user: u32) {
    chown(path, Some(user), None).unwrap();
    for entry in path.read_dir().into_iter().flatten() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => give(&path, user),
            false => chown(path, Some(user), None).unwrap(),
        }
    }
}

#[test]
#[ignore = "tests/run: strace"]
fn a_hit_reads_one_file_and_starts_no_thread_no_connection_and_no_lock() {
    let home = home_with_memory();
    home.refresh().token();
    let trace = home.path().join("trace");
    let mut strace = program("strace", "strace");
    strace.args(["-f", "-e", "trace=openat,socket,connect,clone,clone3,fork,vfork,flock,fcntl,write", "-o"]);
    strace.arg(&trace);
    refresh_by(&home, strace).token();
    let calls = std::fs::read_to_string(trace).unwrap();
    let opened: Vec<&str> = calls.lines().filter(|call| call.contains("openat(")).collect();
    // The loader's libraries, and the look of the C library for the stack, before `main`.
    let before_main = ["/etc/ld.so", ".so", "/proc/self/maps"];
    let ours: Vec<&&str> = opened.iter().filter(|call| before_main.iter().all(|name| !call.contains(name))).collect();
    assert!(matches!(&ours[..], [one] if one.contains("/m365auth/config.toml")), "{ours:?}");
    for call in ["socket(", "connect(", "clone", "fork(", "flock("] {
        assert!(!calls.contains(call), "{call} in {calls}");
    }
    assert_eq!(calls.matches("write(").count(), 1, "the token, in one piece: {calls}");
}

#[test]
#[ignore = "tests/run: faketime"]
fn a_clock_that_was_set_back_is_no_reason_to_hand_out_an_old_token() {
    let home = home_with_memory();
    let kept = home.refresh().token().to_owned();
    let mut faketime = program("faketime", "faketime");
    faketime.args(["-f", "-2h"]);
    assert_ne!(refresh_by(&home, faketime).token(), kept);
}

/// An ordinary user has 20,000 bytes and 200 keys for all programs together.
#[test]
#[ignore = "tests/run: keyutils, and root to become a plain user"]
fn eight_profiles_stay_cached_and_leave_room_for_other_programs() {
    let setup = Setup { access_token_length: 2_400..=2_400, ..Setup::default() };
    let home = Home::with(Standin::start_with(setup));
    let profiles: Vec<String> = (1..=8).map(|number| format!("profile-{number}")).collect();
    let section = |name: &String| format!("[profiles.{name}]\nscopes = ['https://graph.microsoft.com/Mail.Read']\n");
    home.configure(&(home.configuration_with_memory() + &profiles.iter().map(section).collect::<String>()));
    for profile in &profiles {
        home.store_token(profile);
    }
    let user = PlainUser::of(&home);
    let all = profiles.iter().map(|profile| format!("./refresh-token -p {profile};")).collect::<String>();
    let first = user.run(&all);
    assert_eq!(first.stdout.lines().count(), 8, "{first:?}");
    assert_eq!(user.run(&all).stdout, first.stdout, "all are cached");
    assert_eq!(home.standin.token_requests(), 8);
    let other = user.run("head -c 3900 /dev/zero | keyctl padd user other-program @u >/dev/null && echo fits");
    assert!(other.stdout.contains("fits"), "{other:?}");
    let keys = user.run("grep -c ' user ' /proc/keys").stdout;
    assert!(keys.trim().parse::<usize>().unwrap() < 100, "{keys}");
    user.run("keyctl clear @u");
}

#[test]
#[ignore = "tests/run: keyutils, root to become a plain user, processes by the hundred"]
fn a_thousand_callers_of_a_plain_user_make_one_request() {
    for session in ["", "keyctl session - "] {
        let home = home_with_memory();
        home.configure(&format!("network_timeout = 600\n{}", home.configuration_with_memory()));
        let user = PlainUser::of(&home);
        let callers = crate::support::rounds(300);
        let script =
            format!("for i in $(seq {callers}); do ./refresh-token & done; wait; keyctl clear @u >/dev/null 2>&1");
        let run = user.run(&format!("{session}sh -c '{script}'"));
        let tokens: Vec<&str> = run.stdout.lines().filter(|line| line.starts_with("ey")).collect();
        assert_eq!(tokens.len(), callers, "{}", run.stderr.lines().take(5).collect::<String>());
        assert!(tokens.iter().all(|token| *token == tokens[0]));
        assert_eq!(home.standin.token_requests(), 1);
    }
}

/// A plain user to whom a home was given. Root's quota of keys is a thousand times larger.
struct PlainUser<'a>(&'a Home);

impl<'a> PlainUser<'a> {
    fn of(home: &'a Home) -> Self {
        std::fs::copy(binary("refresh-token"), home.path().join("refresh-token")).unwrap(); // where that user may read it
        give(home.path(), PLAIN_USER);
        Self(home)
    }

    fn run(&self, script: &str) -> Run {
        let mut setpriv = program("setpriv", "util-linux");
        self.0.prepare(&mut setpriv);
        setpriv.current_dir(self.0.path());
        setpriv.args([&format!("--reuid={PLAIN_USER}"), "--clear-groups", "sh", "-c", script]);
        finish(&mut setpriv)
    }
}
