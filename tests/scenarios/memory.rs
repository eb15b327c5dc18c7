//! The cache of access tokens in kernel memory.
#![cfg(target_os = "linux")]

use std::ops::Deref;
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use standin::{ADA, Fault, GRACE, PUBLIC_CLIENT_ID, Setup, Standin};

use crate::support::{Home, eventually};

/// A home with a cache. Only one exists at a time, because all keys of a user share a quota of 20,000 bytes.
pub(crate) struct HomeWithMemory {
    home: Home,
    _lock: MutexGuard<'static, ()>,
}

fn home_with_memory() -> HomeWithMemory {
    with_memory(Home::new())
}

pub(crate) fn with_memory(home: Home) -> HomeWithMemory {
    static LOCK: Mutex<()> = Mutex::new(());
    let lock = LOCK.lock().unwrap_or_else(PoisonError::into_inner);
    home.configure(&home.configuration_with_memory());
    HomeWithMemory { home, _lock: lock }
}

impl Deref for HomeWithMemory {
    type Target = Home;

    fn deref(&self) -> &Home {
        &self.home
    }
}

#[test]
fn a_cached_token_is_printed_without_network_store_or_lock() {
    let home = home_with_memory();
    // With programs as store there is no token file, whose removal would invalidate the cached token.
    let file = home.path().join("token");
    std::fs::write(&file, home.standin.seed_refresh_token(PUBLIC_CLIENT_ID, ADA)).unwrap();
    let file = file.display();
    let programs = format!("{{ load = ['cat', '{file}'], save = ['sh', '-c', 'cat >{file}'] }}");
    home.configure(&home.configuration_with_store(&programs).replace("cache = 'none'\n", ""));
    let token = home.refresh().token().to_owned();
    std::fs::remove_dir_all(home.cache()).unwrap();
    assert_eq!(home.refresh().token(), token);
    assert_eq!(home.standin.token_requests(), 1);
    assert!(!home.cache().exists(), "the cache folder is not touched");
}

#[test]
fn a_token_file_that_was_replaced_or_removed_invalidates_the_cached_token() {
    let home = home_with_memory();
    home.sign_in().token();
    let cached = home.refresh().token().to_owned();
    assert_eq!(home.refresh().token(), cached);
    // A backup, rsync or the Python tool can replace the file.
    home.put_token("mail", &home.standin.seed_refresh_token(PUBLIC_CLIENT_ID, ADA));
    let other = home.refresh().token().to_owned();
    assert_ne!(other, cached);
    home.put_token("mail", &home.standin.seed_refresh_token(PUBLIC_CLIENT_ID, GRACE));
    assert!(home.refresh().fails_with(77).contains(GRACE), "not Ada's token");
    std::fs::remove_file(home.token_file("mail")).unwrap();
    home.refresh().fails_with(77);
}

/// As with `cp --preserve`: neither size nor modification time tells that the file was written.
#[test]
fn a_token_file_that_was_written_and_has_its_old_time_invalidates_the_cached_token() {
    let home = home_with_memory();
    let cached = home.sign_in().token().to_owned();
    assert_eq!(home.refresh().token(), cached);
    let token = home.token_in_file("mail").unwrap();
    let modified = std::fs::metadata(home.token_file("mail")).unwrap().modified().unwrap();
    let changed = || std::fs::metadata(home.token_file("mail")).map(|file| (file.ctime(), file.ctime_nsec())).unwrap();
    let before = changed();
    eventually("the clock of the file system ticks", || {
        std::fs::write(home.token_file("mail"), &token).unwrap();
        changed() != before
    });
    std::fs::File::options().write(true).open(home.token_file("mail")).unwrap().set_modified(modified).unwrap();
    assert_ne!(home.refresh().token(), cached);
}

#[test]
fn a_cached_token_is_invalidated_when_the_store_is_read_and_contains_another_refresh_token() {
    let home = home_with_memory();
    let file = home.path().join("token");
    let programs = format!("{{ load = ['cat', '{0}'], save = ['sh', '-c', 'cat >{0}'] }}", file.display());
    home.configure(&home.configuration_with_store(&programs).replace("cache = 'none'\n", ""));
    home.sign_in().token();
    let cached = home.refresh().token().to_owned();
    std::fs::write(&file, home.standin.seed_refresh_token(PUBLIC_CLIENT_ID, GRACE)).unwrap();
    assert_eq!(home.refresh().token(), cached, "a hit does not read the store");
    home.run("get-refresh-token", [""; 0]).token();
    home.refresh().fails_with(77);
}

#[test]
fn a_cached_token_is_invalidated_when_a_refresh_finds_another_refresh_token_or_none() {
    for account in [Some(GRACE), None] {
        let home = home_with_memory();
        let file = home.path().join("token");
        let programs = format!("{{ load = ['cat', '{0}'], save = ['sh', '-c', 'cat >{0}'] }}", file.display());
        home.configure(&home.configuration_with_store(&programs).replace("cache = 'none'\n", ""));
        home.sign_in().token();
        let token = account.map(|account| home.standin.seed_refresh_token(PUBLIC_CLIENT_ID, account));
        std::fs::write(&file, token.unwrap_or_default()).unwrap();
        home.run("refresh-token", ["--fresh"]).fails_with(77);
        home.refresh().fails_with(77);
    }
}

#[test]
fn fresh_skips_the_cache_and_updates_it() {
    let home = home_with_memory();
    home.store_token("mail");
    let first = home.refresh().token().to_owned();
    let second = home.run("refresh-token", ["--fresh"]).token().to_owned();
    assert_ne!(first, second);
    assert_eq!(home.refresh().token(), second);
    assert_eq!(home.standin.token_requests(), 2);
}

#[test]
fn a_refused_fresh_request_keeps_the_cached_token() {
    let home = home_with_memory();
    home.store_token("mail");
    let cached = home.refresh().token().to_owned();
    home.standin.inject(Fault::aadsts(53_003));
    home.run("refresh-token", ["--fresh"]).fails_with(77);
    assert_eq!(home.refresh().token(), cached);
}

#[test]
fn cache_none_caches_nothing() {
    let home = home_with_memory();
    home.configure(&format!("cache = 'none'\n{}", home.configuration_with_memory()));
    home.store_token("mail");
    assert_ne!(home.refresh().token(), home.refresh().token());
}

#[test]
fn a_sign_in_fills_the_cache_and_a_sign_out_clears_it() {
    let home = home_with_memory();
    let token = home.sign_in().token().to_owned();
    assert_eq!(home.refresh().token(), token);
    assert_eq!(home.run("get-token", ["--sign-out"]).code, Some(0));
    home.refresh().fails_with(77);
}

#[test]
fn signing_in_with_another_account_replaces_the_cached_token() {
    let home = home_with_memory();
    home.sign_in().token();
    std::fs::remove_file(home.cache().join("records_mail.toml")).unwrap(); // the account is unknown, so get-token does not ask
    let sign_in = home.begin_sign_in(&[]);
    sign_in.approve(GRACE);
    let graces = sign_in.finish().token().to_owned();
    assert_eq!(home.refresh().token(), graces);
}

#[test]
fn a_cached_token_is_not_used_after_the_configuration_changed() {
    let home = home_with_memory();
    home.store_token("mail");
    let original = home.configuration_with_memory();
    for changed in [
        format!("username = '{ADA}'\n{original}"),
        format!("{original}\n[profiles.mail]\nscopes = ['https://outlook.office.com/IMAP.AccessAsUser.All']"),
        original.replace("/common/", "/organizations/"),
        original.replace(PUBLIC_CLIENT_ID, standin::SINGLE_TENANT_CLIENT_ID),
    ] {
        home.configure(&original);
        let cached = home.refresh().token().to_owned();
        assert_eq!(home.refresh().token(), cached);
        home.configure(&changed);
        let run = home.refresh();
        // With the last two, refresh-token fails: the stored token is for another authority or client.
        assert_ne!(run.stdout.trim(), cached, "{changed}");
    }
}

#[test]
fn each_profile_has_its_own_cached_token() {
    let home = home_with_memory();
    home.store_token("mail");
    home.store_token("calendar");
    let mail = home.refresh().token().to_owned();
    let calendar = home.run("refresh-token", ["-p", "calendar"]).token().to_owned();
    assert_ne!(mail, calendar);
    assert_eq!(home.refresh().token(), mail);
    assert_eq!(home.run("refresh-token", ["-p", "calendar"]).token(), calendar);
}

#[test]
fn a_token_without_a_lifetime_or_with_none_left_is_not_cached() {
    let short = Setup { access_token_lifetime: Some(Duration::from_secs(1)), ..Setup::default() };
    let home = with_memory(Home::with(Standin::start_with(short)));
    home.store_token("mail");
    assert_ne!(home.refresh().token(), home.refresh().token());
    drop(home);

    let home = home_with_memory();
    home.store_token("mail");
    home.standin.inject(Fault::NoExpiresIn);
    assert_ne!(home.refresh().token(), home.refresh().token());
}

#[test]
fn twenty_concurrent_misses_make_one_request() {
    let home = home_with_memory();
    home.store_token("mail");
    let tokens: Vec<String> = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..20).map(|_| scope.spawn(|| home.refresh().token().to_owned())).collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    });
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    assert!(home.standin.is_valid_access_token(&tokens[0]));
    assert_eq!(home.standin.token_requests(), 1);
}

/// A home whose refresh token is in the file `kept`, so changes of the token file do not invalidate a cached token.
fn home_with_programs(save: &str) -> HomeWithMemory {
    let home = home_with_memory();
    let programs = format!("{{ load = ['sh', '-c', 'cat $HOME/kept'], save = ['sh', '-c', '{save}'] }}");
    home.configure(&home.configuration_with_store(&programs).replace("cache = 'none'\n", ""));
    home
}

#[test]
fn a_sign_in_removes_a_cached_token_even_if_the_new_one_is_not_cached() {
    let home = home_with_programs("cat >$HOME/kept");
    let adas = home.sign_in().token().to_owned();
    assert_eq!(home.refresh().token(), adas);
    std::fs::remove_file(home.cache().join("records_mail.toml")).unwrap(); // so that get-token does not ask
    home.standin.inject(Fault::NoExpiresIn);
    let sign_in = home.begin_sign_in(&[]);
    sign_in.approve(GRACE);
    sign_in.finish().token();
    assert_ne!(home.refresh().token(), adas, "Grace signed in last");
}

/// Otherwise the next call would print a token, so the user would notice the lost sign-in only an hour later.
#[test]
fn an_access_token_is_cached_only_after_its_refresh_token_is_stored() {
    let home = home_with_programs("kill -9 $PPID");
    home.standin.set_single_use_refresh_tokens(true);
    std::fs::write(home.path().join("kept"), home.standin.seed_refresh_token(PUBLIC_CLIENT_ID, ADA)).unwrap();
    assert_eq!(home.refresh().code, None);
    home.refresh().fails_with(77);

    let sign_in = home.begin_sign_in(&[]);
    _ = standin::Browser::approve(&sign_in.url, ADA, None);
    assert_eq!(sign_in.finish().code, None);
    home.refresh().fails_with(77);
}
