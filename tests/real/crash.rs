//! `refresh-token` killed at random moments: the stored token is always complete and works.
//!
//! `M365AUTH_TEST_ROUNDS` sets the number of kills for each of the six combinations of store and token.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::login::{Keyring, Login};
use crate::support::{Home, rounds};

/// What the kills did with one store.
#[derive(Debug, Default)]
struct Kills {
    /// Kills before the command ended.
    in_time: usize,
    /// Kills after Microsoft rotated the token and before it was stored.
    lost: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Store {
    File,
    Keychain,
    Programs,
}

const STORES: [Store; 3] = [Store::File, Store::Keychain, Store::Programs];
/// Programs that save the token atomically.
const PROGRAMS: &str = "store.load = ['sh', '-c', 'cat \"$HOME/token\"']\n\
    store.save = ['sh', '-c', 'cat >\"$HOME/new\" && mv \"$HOME/new\" \"$HOME/token\"']\n";

/// Kills `refresh-token` at random moments. With single-use tokens one window cannot be closed: after Microsoft's
/// response and before the token is stored. The next call then fails with 77, and a new sign-in helps.
fn kill(store: Store, single_use: bool) -> Kills {
    let mut home = Home::new();
    let _login = (store == Store::Keychain).then(|| Login::start(&mut home, Keyring::Gnome));
    if store == Store::Programs {
        home.configure(&home.configuration().replace("store = 'file'\n", PROGRAMS));
    }
    home.standin.set_single_use_refresh_tokens(single_use);
    home.sign_in().token();
    let start = Instant::now();
    home.refresh().token();
    let duration = start.elapsed();
    let mut kills = Kills::default();
    for _ in 0..rounds(12) {
        let requests = home.standin.token_requests();
        let mut command = home.command("refresh-token");
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(random_part_of(duration));
        child.kill().unwrap();
        // Waits for stderr to close as well: a program that is saving holds it until the token is saved.
        let output = child.wait_with_output().unwrap();
        kills.in_time += usize::from(output.status.code().is_none());
        let stored = home.run("get-refresh-token", [""; 0]).token().to_owned();
        if home.standin.is_valid_refresh_token(&stored) {
            continue;
        }
        let was_rotated = home.standin.token_requests() > requests;
        assert!(single_use && was_rotated, "the stored token does not work");
        kills.lost += 1;
        home.refresh().fails_with(77);
        home.sign_in().token();
    }
    assert_eq!(home.token_in_file("mail").is_some(), store == Store::File);
    // A save removes temporary files that are older than a minute.
    for file in temporary_files(&home) {
        let earlier = std::time::SystemTime::now() - Duration::from_secs(120);
        std::fs::File::open(file).unwrap().set_modified(earlier).unwrap();
    }
    home.refresh().token();
    assert_eq!(temporary_files(&home), Vec::<PathBuf>::new());
    kills
}

fn random_part_of(time: Duration) -> Duration {
    let random = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0);
    time.mul_f64(random as f64 / u64::MAX as f64)
}

fn temporary_files(home: &Home) -> Vec<PathBuf> {
    let files = home.cache().read_dir().unwrap().map(|entry| entry.unwrap().path());
    files.filter(|file| file.file_name().unwrap().to_str().unwrap().starts_with(".m365auth-")).collect()
}

#[test]
#[ignore = "tests/run: gnome-keyring"]
#[allow(clippy::disallowed_macros, reason = "prints the numbers of kills")]
fn a_kill_leaves_a_token_that_works() {
    for store in STORES {
        let kills = kill(store, false);
        eprintln!("multi-use tokens, {store:?}: {kills:?}");
        assert_eq!(kills.lost, 0);
        assert!(kills.in_time > 0);
    }
}

#[test]
#[ignore = "tests/run: gnome-keyring"]
#[allow(clippy::disallowed_macros, reason = "prints the numbers of kills")]
fn with_single_use_tokens_a_kill_costs_at_most_a_new_sign_in() {
    for store in STORES {
        let kills = kill(store, true);
        eprintln!("single-use tokens, {store:?}: {kills:?}");
        assert!(kills.in_time > 0);
    }
}
