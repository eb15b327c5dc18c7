//! Access tokens that are kept in memory between two calls.
#![cfg(target_os = "linux")]

use std::ops::Deref;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use standin::{ADA, Fault, GRACE, PUBLIC_CLIENT_ID, Setup, Standin};

use crate::support::Home;

/// One home at a time, and its keys are forgotten with it: a user's keys may take 20,000 bytes in all.
struct Memory {
    home: Home,
    _turn: MutexGuard<'static, ()>,
}

fn home_with_memory() -> Memory {
    with_memory(Home::new())
}

fn with_memory(home: Home) -> Memory {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    home.configure(&home.configuration_with_memory());
    Memory { home, _turn: turn }
}

impl Deref for Memory {
    type Target = Home;

    fn deref(&self) -> &Home {
        &self.home
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        _ = self.run("get-token", ["--sign-out", "--profile", "mail", "--profile", "calendar"]);
    }
}

#[test]
fn the_second_call_needs_no_microsoft_no_store_and_no_lock() {
    let home = home_with_memory();
    // With programs as the store there is no token file, whose change would end the cached token.
    let kept = home.path().join("kept");
    std::fs::write(&kept, home.standin.seed_refresh_token(PUBLIC_CLIENT_ID, ADA)).unwrap();
    let kept = kept.display();
    let programs = format!("{{ load = ['cat', '{kept}'], save = ['sh', '-c', 'cat >{kept}'] }}");
    home.configure(&home.configuration_with_store(&programs).replace("cache = 'none'\n", ""));
    let token = home.refresh().token().to_owned();
    std::fs::remove_dir_all(home.cache()).unwrap();
    assert_eq!(home.refresh().token(), token);
    assert_eq!(home.standin.token_requests(), 1);
    assert!(!home.cache().exists(), "nothing was even opened there");
}

#[test]
fn a_token_file_that_was_replaced_or_removed_ends_the_cached_token() {
    let home = home_with_memory();
    home.sign_in().token();
    let cached = home.refresh().token().to_owned();
    assert_eq!(home.refresh().token(), cached);
    // A restore, rsync, or the Python tool.
    home.put_token("mail", &home.standin.seed_refresh_token(PUBLIC_CLIENT_ID, ADA));
    let other = home.refresh().token().to_owned();
    assert_ne!(other, cached);
    home.put_token("mail", &home.standin.seed_refresh_token(PUBLIC_CLIENT_ID, GRACE));
    assert!(home.refresh().fails_with(77).contains(GRACE), "not Ada's token");
    std::fs::remove_file(home.token_file("mail")).unwrap();
    home.refresh().fails_with(77);
}

#[test]
fn a_cached_token_ends_when_the_store_is_read_and_contains_another_refresh_token() {
    let home = home_with_memory();
    let kept = home.path().join("kept");
    let programs = format!("{{ load = ['cat', '{0}'], save = ['sh', '-c', 'cat >{0}'] }}", kept.display());
    home.configure(&home.configuration_with_store(&programs).replace("cache = 'none'\n", ""));
    home.sign_in().token();
    let cached = home.refresh().token().to_owned();
    std::fs::write(&kept, home.standin.seed_refresh_token(PUBLIC_CLIENT_ID, GRACE)).unwrap();
    assert_eq!(home.refresh().token(), cached, "a hit reads no store");
    home.run("get-refresh-token", [""; 0]).token();
    home.refresh().fails_with(77);
}

#[test]
fn fresh_goes_past_the_memory_and_fills_it() {
    let home = home_with_memory();
    home.store_token("mail");
    let first = home.refresh().token().to_owned();
    let second = home.run("refresh-token", ["--fresh"]).token().to_owned();
    assert_ne!(first, second);
    assert_eq!(home.refresh().token(), second);
    assert_eq!(home.standin.token_requests(), 2);
}

#[test]
fn a_fresh_token_that_microsoft_refuses_leaves_the_kept_one() {
    let home = home_with_memory();
    home.store_token("mail");
    let kept = home.refresh().token().to_owned();
    home.standin.order(Fault::aadsts(53_003));
    home.run("refresh-token", ["--fresh"]).fails_with(77);
    assert_eq!(home.refresh().token(), kept);
}

#[test]
fn nothing_is_kept_where_the_configuration_says_none() {
    let home = home_with_memory();
    home.configure(&format!("cache = 'none'\n{}", home.configuration_with_memory()));
    home.store_token("mail");
    assert_ne!(home.refresh().token(), home.refresh().token());
}

#[test]
fn a_sign_in_fills_the_memory_and_a_sign_out_empties_it() {
    let home = home_with_memory();
    let token = home.sign_in().token().to_owned();
    assert_eq!(home.refresh().token(), token);
    assert_eq!(home.run("get-token", ["--sign-out"]).code, Some(0));
    home.refresh().fails_with(77);
}

#[test]
fn another_account_takes_the_memory_over() {
    let home = home_with_memory();
    home.sign_in().token();
    std::fs::remove_file(home.cache().join("records_mail.toml")).unwrap(); // so that nobody asks
    let sign_in = home.begin_sign_in(&[]);
    sign_in.approve(GRACE);
    let graces = sign_in.finish().token().to_owned();
    assert_eq!(home.refresh().token(), graces);
}

#[test]
fn whatever_changes_in_the_configuration_is_a_miss() {
    let home = home_with_memory();
    home.store_token("mail");
    let usual = home.configuration_with_memory();
    for changed in [
        format!("username = '{ADA}'\n{usual}"),
        format!("{usual}\n[profiles.mail]\nscopes = ['https://outlook.office.com/IMAP.AccessAsUser.All']"),
        usual.replace("/common/", "/organizations/"),
        usual.replace(PUBLIC_CLIENT_ID, standin::SINGLE_TENANT_CLIENT_ID),
    ] {
        home.configure(&usual);
        let kept = home.refresh().token().to_owned();
        assert_eq!(home.refresh().token(), kept);
        home.configure(&changed);
        let run = home.refresh();
        // The last two may not even send the stored token; what counts is that they print no other's.
        assert_ne!(run.stdout.trim(), kept, "{changed}");
    }
}

#[test]
fn each_profile_has_its_own() {
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
fn a_token_that_ends_within_ten_minutes_or_nobody_knows_when_is_not_kept() {
    let short = Setup { access_token_lifetime: Duration::from_secs(10 * 60), ..Setup::default() };
    let home = with_memory(Home::with(Standin::start_with(short)));
    home.store_token("mail");
    assert_ne!(home.refresh().token(), home.refresh().token());
    drop(home);

    let home = home_with_memory();
    home.store_token("mail");
    home.standin.order(Fault::NoExpiresIn);
    assert_ne!(home.refresh().token(), home.refresh().token());
}

#[test]
fn a_kept_token_is_gone_ten_minutes_before_it_expires() {
    let short = Setup { access_token_lifetime: Duration::from_secs(10 * 60 + 2), ..Setup::default() };
    let home = with_memory(Home::with(Standin::start_with(short)));
    home.store_token("mail");
    let kept = home.refresh().token().to_owned();
    crate::support::eventually("the kept one is too old", || home.refresh().token() != kept);
}

#[test]
fn twenty_that_miss_together_make_one_request() {
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

/// A home whose refresh token is in the file `kept`, so that no change of the token file ends a cached token.
fn home_with_programs(save: &str) -> Memory {
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
    home.standin.order(Fault::NoExpiresIn);
    let sign_in = home.begin_sign_in(&[]);
    sign_in.approve(GRACE);
    sign_in.finish().token();
    assert_ne!(home.refresh().token(), adas, "Grace signed in last");
}

/// Otherwise the next call would print a token, and the user would hear of the lost sign-in an hour later.
#[test]
fn an_access_token_is_cached_only_after_its_refresh_token_is_stored() {
    let home = home_with_programs("kill -9 $PPID");
    home.standin.set_single_use_refresh_tokens(true);
    std::fs::write(home.path().join("kept"), home.standin.seed_refresh_token(PUBLIC_CLIENT_ID, ADA)).unwrap();
    assert_eq!(home.refresh().code, None);
    home.refresh().fails_with(77);

    let sign_in = home.begin_sign_in(&[]);
    _ = standin::Browser::approve(&sign_in.address, ADA, None);
    assert_eq!(sign_in.finish().code, None);
    home.refresh().fails_with(77);
}
