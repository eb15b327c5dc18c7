//! The cache of access tokens in kernel memory: login sessions, kernel errors, and the system calls of a hit.

use std::ops::Deref;
use std::os::unix::fs::chown;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use standin::{Fault, Outage, Setup, Standin};

use crate::login::program;
use crate::support::{Home, Run, binary, eventually, finish};

/// A user ID other than root's, because root's quota of keys is a thousand times larger.
const PLAIN_USER: u32 = 54_321;

/// A home with cached access tokens. Only one exists at a time, because all keys of a user share a quota of 20,000
/// bytes.
pub struct CachingHome {
    home: Home,
    quota_before: u64,
    _turn: MutexGuard<'static, ()>,
}

impl CachingHome {
    pub fn of(home: Home) -> Self {
        let turn = take_turn();
        home.configure(&home.configuration_with_memory());
        Self { home, quota_before: used_quota(), _turn: turn }
    }

    /// Removes the keys of this home and those of the tests, and waits until the kernel has collected them. It does so
    /// in the background, and until then they count in the quota.
    fn remove_keys(&self) {
        OrdinaryUser(&self.home).run(&format!(
            "grep -e '{}' -e ' m365auth-test-' /proc/keys | while read id rest; do keyctl unlink 0x$id @u; done",
            self.home.path().display(),
        ));
        let deadline = Instant::now() + Duration::from_secs(10);
        while used_quota() > self.quota_before && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Waits until no other test caches tokens.
pub(crate) fn take_turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns how many bytes of the ordinary user's quota are in use; keyrings(7) describes the file.
fn used_quota() -> u64 {
    let user = match is_root() {
        true => PLAIN_USER,
        false => std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap()),
    };
    let users = std::fs::read_to_string("/proc/key-users").unwrap();
    let line = users.lines().find(|line| line.trim_start().starts_with(&format!("{user}:")));
    let bytes = line.map_or("0/0", |line| line.split_whitespace().last().unwrap());
    bytes.split('/').next().unwrap().parse().unwrap()
}

impl Deref for CachingHome {
    type Target = Home;

    fn deref(&self) -> &Home {
        &self.home
    }
}

impl Drop for CachingHome {
    fn drop(&mut self) {
        self.remove_keys();
    }
}

pub(crate) fn home_with_memory() -> CachingHome {
    let home = CachingHome::of(Home::new());
    home.store_token("mail");
    home
}

/// Runs `refresh-token` through another program.
pub(crate) fn refresh_by(home: &Home, mut runner: Command) -> Run {
    home.prepare(&mut runner);
    finish(runner.arg(binary("refresh-token")))
}

/// Runs `refresh-token` in a session keyring without a link to the user keyring, as it can be with ssh and cron.
fn refresh_unlinked(home: &Home) -> Run {
    let mut keyctl = program("keyctl", "keyutils");
    keyctl.args(["session", "-"]);
    refresh_by(home, keyctl)
}

#[test]
#[ignore = "tests/run: keyutils"]
fn sessions_with_and_without_a_linked_user_keyring_share_the_cache() {
    let home = home_with_memory();
    let cached = refresh_unlinked(&home).token().to_owned();
    assert_eq!(refresh_unlinked(&home).token(), cached);
    assert_eq!(home.refresh().token(), cached);
    assert_eq!(home.run("get-token", ["--sign-out"]).code, Some(0));
    home.store_token("mail");
    let cached = home.refresh().token().to_owned();
    assert_eq!(refresh_unlinked(&home).token(), cached);
    assert_eq!(home.standin.token_requests(), 2);
}

/// Version 0.1 set no permissions. Its Python module would print the token of an account that has signed out.
#[test]
#[ignore = "tests/run: keyutils"]
fn an_entry_of_version_0_1_is_removed_from_every_session() {
    let home = home_with_memory();
    let run = |script: &str| {
        let mut shell = Command::new("sh");
        home.prepare(&mut shell);
        finish(shell.args(["-c", script]))
    };
    let is_cached = || std::fs::read_to_string("/proc/keys").unwrap().contains(home.cache().to_str().unwrap());
    for session in ["", "keyctl session - "] {
        let key = format!("keyctl padd user 'm365auth:mail:{}' @u", home.cache().display());
        assert_eq!(run(&format!("echo '{{}}' | {key}")).code, Some(0));
        assert!(is_cached());
        assert_eq!(run(&format!("{session}get-token --sign-out")).code, Some(0));
        eventually("the kernel has removed the entry", || !is_cached());
    }
}

#[test]
#[ignore = "tests/run: keyutils"]
fn a_cached_token_always_has_a_timeout() {
    let home = home_with_memory();
    refresh_unlinked(&home).token();
    let keys = std::fs::read_to_string("/proc/keys").unwrap();
    let ours: Vec<&str> = keys.lines().filter(|key| key.contains(home.path().to_str().unwrap())).collect();
    assert_eq!(ours.len(), 1, "{keys}");
    // keyrings(7): the fourth field is the remaining time, or "perm".
    let left = ours[0].split_whitespace().nth(3).unwrap();
    assert!(left.ends_with('m') || left.ends_with('h'), "{}", ours[0]);
    // The timeout must be set before the key is linked to the user keyring.
    let trace = home.path().join("trace");
    let mut strace = program("strace", "strace");
    strace.args(["-e", "trace=add_key,keyctl", "-o"]).arg(&trace);
    home.prepare(&mut strace);
    finish(strace.arg(binary("refresh-token")).arg("--fresh")).token();
    let calls = std::fs::read_to_string(trace).unwrap();
    let position = |call: &str| calls.find(call).unwrap_or_else(|| panic!("no {call} in {calls}"));
    assert!(position("add_key(") < position("KEYCTL_SET_TIMEOUT"));
    assert!(position("KEYCTL_SET_TIMEOUT") < calls.rfind("KEYCTL_LINK").unwrap());
}

#[test]
#[ignore = "tests/run: strace"]
fn a_failing_cache_costs_a_request_and_prints_no_warning() {
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
#[ignore = "tests/run: keyutils, and root to switch to another user"]
fn a_full_quota_is_a_miss_and_not_an_error() {
    let home = home_with_memory();
    let user = OrdinaryUser::of(&home);
    let as_plain_user = |script: &str| user.run(script);
    let cached = as_plain_user("./refresh-token").token().to_owned();
    assert_eq!(as_plain_user("./refresh-token").token(), cached, "another user has a cache too");

    home.remove_keys();
    let filled = as_plain_user(
        "keyctl session - sh -c '\
         keyctl link @u @s; size=8192; number=0
         while [ $size -gt 0 ]; do
             if head -c $size /dev/zero | keyctl padd user m365auth-test-$number @u; then number=$((number + 1));
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
    let stderr = as_plain_user("./refresh-token -v").stderr;
    assert!(stderr.contains("not cached in kernel memory: the user's key quota is exhausted"), "{stderr}");
}

fn give(path: &std::path::Path, user: u32) {
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
#[ignore = "tests/run: faketime"]
fn a_cached_token_is_not_used_if_the_clock_was_set_back() {
    let home = home_with_memory();
    let cached = home.refresh().token().to_owned();
    let mut faketime = program("faketime", "faketime");
    faketime.args(["-f", "-2h"]);
    assert_ne!(refresh_by(&home, faketime).token(), cached);
}

/// The kernel removes a key by its own clock.
#[test]
#[ignore = "tests/run: faketime"]
fn a_cached_token_that_has_expired_by_the_clock_of_the_process_is_not_printed() {
    let home = home_with_memory();
    home.refresh().token();
    home.standin.set_outage(Some(Outage::Refused));
    home.configure(&format!("network_timeout = 1\n{}", home.configuration_with_memory()));
    let mut faketime = program("faketime", "faketime");
    faketime.args(["-f", "+2h"]);
    refresh_by(&home, faketime).fails_with(75);
}

/// Runs `refresh-token` while another one has found the token due and does not hold the profile's lock yet. Returns the
/// tokens of both, that of the quicker one first.
fn refresh_twice(home: &Home) -> [String; 2] {
    let lock = home.cache().join("lock_mail");
    std::fs::remove_file(&lock).unwrap();
    let mut strace = program("strace", "strace");
    strace.args(["-f", "-o", "/dev/null", "-e", "inject=flock:delay_enter=3000000"]);
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| refresh_by(home, strace).token().to_owned());
        eventually("the slow one opens the lock", || lock.exists());
        let quick = home.refresh().token().to_owned();
        [quick, slow.join().unwrap()]
    })
}

#[test]
#[ignore = "tests/run: strace"]
fn of_two_callers_that_find_a_token_due_one_makes_an_attempt() {
    let setup = Setup { refresh_in: Some(serde_json::json!(1)), ..Setup::default() };
    let home = CachingHome::of(Home::with(Standin::start_with(setup)));
    home.store_token("mail");
    let due = home.refresh().token().to_owned();
    std::thread::sleep(Duration::from_secs(2));
    home.standin.inject(Fault::aadsts(50_196));
    assert_eq!(refresh_twice(&home), [due.clone(), due.clone()]);
    assert_eq!(home.standin.token_requests(), 2, "the failed attempt is not repeated");

    std::fs::remove_file(home.cache().join("records_mail.toml")).unwrap(); // ends the pause
    let [quick, slow] = refresh_twice(&home);
    assert!(quick == slow && quick != due);
    assert_eq!(home.standin.token_requests(), 3, "the renewed token is used");
}

/// The quota of a user is 20,000 bytes and 200 keys for all programs together.
#[test]
#[ignore = "tests/run: keyutils, and root to switch to another user"]
fn eight_profiles_stay_cached_and_leave_room_for_other_programs() {
    let setup = Setup { access_token_length: 2_400..=2_400, ..Setup::default() };
    let home = CachingHome::of(Home::with(Standin::start_with(setup)));
    let profiles: Vec<String> = (1..=8).map(|number| format!("profile-{number}")).collect();
    let section = |name: &String| format!("[profiles.{name}]\nscopes = ['https://graph.microsoft.com/Mail.Read']\n");
    home.configure(&(home.configuration_with_memory() + &profiles.iter().map(section).collect::<String>()));
    for profile in &profiles {
        home.store_token(profile);
    }
    let user = OrdinaryUser::of(&home);
    let all = profiles.iter().map(|profile| format!("./refresh-token -p {profile};")).collect::<String>();
    let first = user.run(&all);
    assert_eq!(first.stdout.lines().count(), 8, "{first:?}");
    assert_eq!(user.run(&all).stdout, first.stdout, "all are cached");
    assert_eq!(home.standin.token_requests(), 8);
    let other = user.run("head -c 3900 /dev/zero | keyctl padd user m365auth-test-other @u >/dev/null && echo fits");
    assert!(other.stdout.contains("fits"), "{other:?}");
    let keys = user.run("grep -c ' user ' /proc/keys").stdout;
    assert!(keys.trim().parse::<usize>().unwrap() < 100, "{keys}");
}

#[test]
#[ignore = "tests/run: keyutils, root to switch to another user, hundreds of processes"]
fn many_concurrent_callers_of_one_user_make_one_request() {
    for session in ["", "keyctl session - "] {
        let home = home_with_memory();
        home.configure(&format!("network_timeout = 600\n{}", home.configuration_with_memory()));
        let user = OrdinaryUser::of(&home);
        let callers = crate::support::rounds(300);
        let script = format!("for i in $(seq {callers}); do ./refresh-token & done; wait");
        let run = user.run(&format!("{session}sh -c '{script}'"));
        let tokens: Vec<&str> = run.stdout.lines().filter(|line| line.starts_with("ey")).collect();
        assert_eq!(tokens.len(), callers, "{}", run.stderr.lines().take(5).collect::<String>());
        assert!(tokens.iter().all(|token| *token == tokens[0]));
        assert_eq!(home.standin.token_requests(), 1);
    }
}

/// A user other than root with this home: the one who runs the tests or, if that is root, another one. Root's quota of
/// keys is a thousand times larger.
pub struct OrdinaryUser<'a>(&'a Home);

impl<'a> OrdinaryUser<'a> {
    pub fn of(home: &'a Home) -> Self {
        std::fs::copy(binary("refresh-token"), home.path().join("refresh-token")).unwrap(); // where that user can read it
        if is_root() {
            give(home.path(), PLAIN_USER);
        }
        Self(home)
    }

    /// Returns a command that runs this program.
    pub fn command(&self, name: &str) -> Command {
        let mut command = match is_root() {
            true => {
                let mut setpriv = program("setpriv", "util-linux");
                setpriv.args([&format!("--reuid={PLAIN_USER}"), "--clear-groups", name]);
                setpriv
            }
            false => Command::new(name),
        };
        self.0.prepare(&mut command);
        command.current_dir(self.0.path());
        command
    }

    /// Runs a shell script.
    fn run(&self, script: &str) -> Run {
        finish(self.command("sh").args(["-c", script]))
    }
}

/// Returns whether the tests run as root.
pub fn is_root() -> bool {
    std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap()) == 0
}
