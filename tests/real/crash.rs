//! Killed at any moment: whatever is stored afterwards is whole, and works.
//!
//! `M365AUTH_TEST_ROUNDS` says how many kills each of the six ways gets; without it there are few.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::login::{Keyring, Login};
use crate::support::{Home, rounds};

/// What the kills of one way of storing did.
#[derive(Debug, Default)]
struct Kills {
    /// Before the command had ended.
    in_time: usize,
    /// After Microsoft had rotated the token, and before it was stored.
    lost: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Store {
    File,
    Keychain,
    Programs,
}

const STORES: [Store; 3] = [Store::File, Store::Keychain, Store::Programs];
/// As safe as such programs can be.
const PROGRAMS: &str = "store.load = ['sh', '-c', 'cat \"$HOME/kept\"']\n\
    store.save = ['sh', '-c', 'cat >\"$HOME/new\" && mv \"$HOME/new\" \"$HOME/kept\"']\n";

/// Kills refreshes at random moments. For single-use tokens one window cannot be closed: Microsoft has answered, and the
/// token is not stored yet. The next call then says so, and a sign-in helps.
fn kill(store: Store, single_use: bool) -> Kills {
    let mut home = Home::new();
    let _login = (store == Store::Keychain).then(|| Login::start(&mut home, Keyring::Unlocked));
    if store == Store::Programs {
        home.configure(&home.configuration().replace("store = 'file'\n", PROGRAMS));
    }
    home.standin.set_single_use_refresh_tokens(single_use);
    home.sign_in().token();
    let begun = Instant::now();
    home.refresh().token();
    let usual = begun.elapsed();
    let mut kills = Kills::default();
    for _ in 0..rounds(12) {
        let asked = home.standin.token_requests();
        let mut command = home.command("refresh-token");
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(random_part_of(usual));
        child.kill().unwrap();
        // A program that is saving outlives us, and has our stderr until it ends.
        let ended = child.wait_with_output().unwrap();
        kills.in_time += usize::from(ended.status.code().is_none());
        let stored = home.run("get-refresh-token", [""; 0]).token().to_owned();
        if home.standin.is_valid_refresh_token(&stored) {
            continue;
        }
        let was_answered = home.standin.token_requests() > asked;
        assert!(single_use && was_answered, "a token that does not work");
        kills.lost += 1;
        home.refresh().fails_with(77);
        home.sign_in().token();
    }
    assert_eq!(home.token_in_file("mail").is_some(), store == Store::File);
    // What was half written is gone after a minute, with the next save.
    for file in unfinished(&home) {
        let before = std::time::SystemTime::now() - Duration::from_secs(120);
        std::fs::File::open(file).unwrap().set_modified(before).unwrap();
    }
    home.refresh().token();
    assert_eq!(unfinished(&home), Vec::<PathBuf>::new());
    kills
}

fn random_part_of(time: Duration) -> Duration {
    let random = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0);
    time.mul_f64(random as f64 / u64::MAX as f64)
}

fn unfinished(home: &Home) -> Vec<PathBuf> {
    let files = home.cache().read_dir().unwrap().map(|entry| entry.unwrap().path());
    files.filter(|file| file.file_name().unwrap().to_str().unwrap().starts_with(".m365auth-")).collect()
}

#[test]
#[ignore = "tests/run: gnome-keyring"]
#[allow(clippy::disallowed_macros, reason = "the figures of a campaign")]
fn whoever_is_killed_leaves_a_token_that_works() {
    for store in STORES {
        let kills = kill(store, false);
        eprintln!("multi-use tokens, {store:?}: {kills:?}");
        assert_eq!(kills.lost, 0);
        assert!(kills.in_time > 0);
    }
}

#[test]
#[ignore = "tests/run: gnome-keyring"]
#[allow(clippy::disallowed_macros, reason = "the figures of a campaign")]
fn with_single_use_tokens_the_window_is_small() {
    for store in STORES {
        let kills = kill(store, true);
        eprintln!("single-use tokens, {store:?}: {kills:?}");
        assert!(kills.in_time > 0);
    }
}
