//! Changes to the keychain while `refresh-token` waits for Microsoft's response.

use std::sync::Arc;

use standin::Fault;
use tokio::sync::Notify;

use super::{home, promptly};
use crate::login::{Keyring, Login};
use crate::support::{Home, Run, eventually};

/// Runs `refresh-token`, and `change` between its load and its save.
fn refresh_during(home: &Home, change: impl FnOnce()) -> Run {
    let release = Arc::new(Notify::new());
    home.standin.inject(Fault::Held(Arc::clone(&release)));
    std::thread::scope(|scope| {
        let requests = home.standin.token_requests();
        let refresh = scope.spawn(|| home.refresh());
        eventually("the token request", || home.standin.token_requests() > requests);
        change();
        release.notify_one();
        refresh.join().unwrap()
    })
}

#[test]
#[ignore = "tests/run: gnome-keyring"]
fn if_the_keychain_disappears_or_is_locked_the_token_goes_to_the_file() {
    for change in [Login::end_keyring as fn(&mut Login), |login| login.lock()] {
        let (home, mut login) = home(Keyring::Gnome);
        home.sign_in().token();
        home.standin.set_single_use_refresh_tokens(true);
        let run = refresh_during(&home, || change(&mut login));
        run.token();
        assert!(run.stderr.contains("warning: ") && run.stderr.contains("refresh_token_mail"), "{}", run.stderr);
        assert!(home.standin.is_valid_refresh_token(&home.token_in_file("mail").unwrap()));
        promptly(&home, "refresh-token").token();
    }
}

#[test]
#[ignore = "tests/run: gnome-keyring and Python's keyring"]
fn an_entry_that_disappears_is_created_again() {
    let (home, login) = home(Keyring::Gnome);
    home.sign_in().token();
    let delete = "keyring.delete_password('m365auth-mail', 'refresh_token')";
    refresh_during(&home, || assert_eq!(login.python(&home, delete).code, Some(0))).token();
    assert_eq!(login.items(&home), 1);
    assert!(home.standin.is_valid_refresh_token(&login.python_reads(&home)));
}

#[test]
#[ignore = "tests/run: gnome-keyring and Python's keyring"]
fn an_entry_that_becomes_another_programs_is_not_overwritten() {
    let (home, login) = home(Keyring::Gnome);
    home.sign_in().token();
    let before = login.python_reads(&home);
    let rename = "import secretstorage\n\
                  entry, = secretstorage.search_items(secretstorage.dbus_init(), {'service': 'm365auth-mail'})\n\
                  entry.set_attributes({**entry.get_attributes(), 'service': 'm365auth-other'})";
    refresh_during(&home, || assert_eq!(login.python(&home, rename).code, Some(0))).token();
    let read = "print(keyring.get_password('m365auth-other', 'refresh_token'))";
    assert_eq!(login.python(&home, read).stdout.trim(), before);
    let ours = login.python_reads(&home);
    assert_ne!(ours, before);
    assert_eq!(promptly(&home, "get-refresh-token").token(), ours);
}
