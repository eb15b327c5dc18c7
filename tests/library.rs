//! The library's interface, against the stand-in. Also passes without default features:
//! `cargo test --no-default-features --test library`.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

#[path = "../examples/token.rs"]
#[allow(dead_code, reason = "the test needs no main function")]
mod example;
mod support;

use std::error::Error as _;
use std::fs;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use m365auth::{ErrorKind, Refusal, Session};
use standin::{ADA, Fault};
use support::{Home, eventually};

/// Opens a session with the home's files, but not through the environment.
fn open(home: &Home) -> Session {
    builder(home).open("mail").unwrap()
}

fn builder(home: &Home) -> m365auth::SessionBuilder {
    Session::builder().config(home.config_file()).cache_dir(home.cache())
}

/// Returns a home with a stored refresh token.
fn signed_in() -> Home {
    let home = Home::new();
    home.store_token("mail");
    home
}

#[test]
fn the_complete_program_of_the_documentation_gets_a_token() {
    let home = signed_in();
    let access = example::access_token(&home.config_file(), &home.cache()).unwrap();
    assert!(home.standin.is_valid_access_token(access.token().secret()));
}

fn tokio() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn a_session_has_the_files_that_the_program_names() {
    let home = signed_in();
    let before = home.token_in_file("mail");
    let session = open(&home);
    let access = session.access_token().unwrap();
    assert!(home.standin.is_valid_access_token(access.token().secret()));
    assert!(access.expires_at().unwrap() > SystemTime::now() + Duration::from_secs(60));
    assert!(access.scopes().any(|scope| scope.ends_with("/IMAP.AccessAsUser.All")));
    assert_eq!(access.account().unwrap().name, ADA);
    assert_ne!(home.token_in_file("mail"), before, "the new refresh token is saved");
    assert_eq!(Some(session.refresh_token().unwrap().secret()), home.token_in_file("mail").as_deref());
    assert_eq!((session.profile().name(), session.profile().username()), ("mail", None));
    assert_eq!(session.profile().imap_server().host(), "outlook.office365.com");
    assert_eq!(session.profile().smtp_server().port(), 587);
}

#[test]
fn a_username_that_nobody_confirmed_needs_a_sign_in() {
    let home = signed_in();
    open(&home).access_token().unwrap();
    home.configure_with("username = 'grace@example.com'");
    let session = open(&home);
    for error in [session.access_token().unwrap_err(), session.refresh_token().unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::SignIn, "{error}");
        assert!(error.to_string().contains(ADA) && error.to_string().contains("grace@example.com"), "{error}");
    }
}

#[test]
fn the_hint_for_a_missing_configuration_names_the_file_that_the_program_names() {
    let home = Home::new();
    let file = home.path().join("fetcher.toml");
    let error = Session::builder().config(&file).cache_dir(home.cache()).open("mail").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
    let hint = error.next_step().unwrap();
    assert!(hint.contains(&format!("run `get-token --config {}` to create it", file.display())), "{hint}");
}

#[test]
#[cfg(unix)]
fn a_configuration_whose_link_has_no_target_is_a_mistake_in_the_configuration() {
    let home = signed_in();
    fs::remove_file(home.config_file()).unwrap();
    std::os::unix::fs::symlink(home.path().join("not-mounted"), home.config_file()).unwrap();
    let error = builder(&home).open("mail").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
    assert!(error.to_string().contains("is a symbolic link to a file that does not exist"), "{error}");
}

#[test]
#[cfg(target_os = "linux")]
fn an_access_token_is_cached_in_kernel_memory() {
    let home = signed_in();
    home.configure(&home.configuration_with_memory());
    let first = open(&home).access_token().unwrap();
    let second = open(&home).access_token().unwrap();
    assert_eq!(first.token().secret(), second.token().secret());
    assert_eq!(second.account(), first.account());
    assert_eq!(home.standin.token_requests(), 1);
    assert_ne!(open(&home).fresh_access_token().unwrap().token().secret(), first.token().secret());
}

#[test]
#[cfg(unix)]
fn the_users_programs_store_the_token() {
    let home = Home::new();
    let file = home.path().join("token");
    fs::write(&file, home.standin.seed_refresh_token(standin::PUBLIC_CLIENT_ID, ADA)).unwrap();
    let before = fs::read_to_string(&file).unwrap();
    let store = format!("{{ load = ['cat', '{0}'], save = ['sh', '-c', 'cat > {0}'] }}", file.display());
    home.configure(&home.configuration_with_store(&store));
    open(&home).access_token().unwrap();
    let after = fs::read_to_string(&file).unwrap();
    assert!(after != before && home.standin.is_valid_refresh_token(after.trim()), "{after}");
    assert_eq!(home.token_in_file("mail"), None);
}

#[test]
#[cfg(not(feature = "keychain"))]
fn without_keychain_support_a_token_in_a_file_is_enough() {
    let home = signed_in();
    home.configure(&home.configuration_with_store("'auto'"));
    open(&home).access_token().unwrap();
    assert!(home.token_in_file("mail").is_some());
}

#[test]
#[cfg(not(feature = "keychain"))]
fn without_keychain_support_the_keychain_is_not_taken_for_empty() {
    let home = Home::new();
    for store in ["'auto'", "'keychain'"] {
        home.configure(&home.configuration_with_store(store));
        let session = open(&home);
        for error in [session.access_token().unwrap_err(), session.refresh_token().unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
            assert!(error.to_string().contains("built without keychain support"), "{error}");
            assert!(error.next_step().unwrap().contains("the feature `keychain`"), "{error:?}");
        }
    }
    assert_eq!(home.standin.token_requests(), 0);
}

#[test]
#[cfg(not(feature = "keychain"))]
fn without_keychain_support_there_is_no_identity_broker() {
    let home = Home::new();
    home.configure_with("broker = true");
    let error = builder(&home).open("mail").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
}

#[test]
fn a_blocking_call_may_be_made_within_an_async_runtime() {
    let home = signed_in();
    tokio().block_on(async {
        let session = open(&home);
        assert!(home.standin.is_valid_access_token(session.access_token().unwrap().token().secret()));
        session.fresh_access_token().unwrap();
        session.refresh_token().unwrap();
    });
}

#[test]
fn an_async_call_needs_no_particular_runtime() {
    let home = signed_in();
    let session = Arc::new(open(&home));
    let in_tokio = tokio().block_on(session.access_token_async()).unwrap();
    assert!(home.standin.is_valid_access_token(in_tokio.token().secret()));
    home.standin.revoke_all(50173);
    let mut future = Box::pin(session.access_token_async());
    let mut result = Poll::Pending;
    eventually("the future completes", || {
        result = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        result.is_ready()
    });
    assert!(matches!(result, Poll::Ready(Err(error)) if error.kind() == ErrorKind::SignIn));
}

#[test]
fn a_dropped_future_loses_no_refresh_token() {
    let home = signed_in();
    let before = home.token_in_file("mail");
    home.standin.inject(Fault::LateResponse { milliseconds: 100 });
    let session = Arc::new(open(&home));
    tokio().block_on(async {
        let waited = tokio::time::timeout(Duration::from_millis(1), session.access_token_async()).await;
        assert!(waited.is_err(), "the response is late");
    });
    eventually("the new refresh token is saved", || home.token_in_file("mail") != before);
}

#[test]
fn an_error_has_a_source() {
    let home = signed_in();
    home.standin.inject(Fault::aadsts(50173));
    let error = open(&home).access_token().unwrap_err();
    assert_eq!(error.source().unwrap().downcast_ref::<Refusal>().unwrap().code, Some(50173));
    fs::remove_file(home.config_file()).unwrap();
    let error = builder(&home).open("mail").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert_eq!(error.source().unwrap().downcast_ref::<io::Error>().unwrap().kind(), io::ErrorKind::NotFound);
}

#[test]
fn debug_output_contains_no_secret() {
    let home = signed_in();
    home.configure_with("client_secret = 'hunter2'");
    let session = open(&home);
    let shown = format!("{:?} {session:?} {:?} {:?}", builder(&home), session.profile(), session.refresh_token());
    assert!(!shown.contains("hunter2") && !shown.contains(&home.token_in_file("mail").unwrap()), "{shown}");
    home.configure(&home.configuration());
    let access = open(&home).access_token().unwrap();
    assert!(!format!("{access:?} {:?}", access.token()).contains(access.token().secret()));
}

#[test]
fn threads_share_a_session() {
    let home = signed_in();
    let session = open(&home);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| session.access_token().unwrap());
        }
    });
}
