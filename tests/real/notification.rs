//! The notification of the desktop when a sign-in is needed, with a service on a real bus.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, SystemTime};

use standin::Fault;
use zbus::zvariant::OwnedValue;

use crate::login::{Keyring, Login, program};
use crate::memory::refresh_by;
use crate::support::Home;

const NAME: &str = "org.freedesktop.Notifications";

/// A notification service, which hangs without a receiver. zbus refuses a call whose arguments do not have the types of
/// the specification.
struct Service(Option<Sender<(String, String)>>);

#[zbus::interface(name = "org.freedesktop.Notifications")]
impl Service {
    #[allow(clippy::too_many_arguments, reason = "those of the specification")]
    async fn notify(
        &self,
        _app_name: String,
        replaces_id: u32,
        _app_icon: String,
        summary: String,
        body: String,
        actions: Vec<String>,
        _hints: HashMap<String, OwnedValue>,
        _expire_timeout: i32,
    ) -> u32 {
        assert!(replaces_id == 0 && actions.is_empty());
        match &self.0 {
            Some(receiver) => receiver.send((summary, body)).unwrap(),
            None => std::future::pending().await,
        }
        1
    }
}

fn start_service(login: &Login) -> (zbus::blocking::Connection, Receiver<(String, String)>) {
    let (sender, shown) = channel();
    (serve(login, Service(Some(sender))), shown)
}

fn serve(login: &Login, service: Service) -> zbus::blocking::Connection {
    let builder = zbus::blocking::connection::Builder::address(login.address()).unwrap();
    let builder = builder.name(NAME).unwrap().serve_at("/org/freedesktop/Notifications", service).unwrap();
    builder.build().unwrap()
}

fn home() -> (Home, Login) {
    let mut home = Home::new();
    let login = Login::start(&mut home, Keyring::Absent);
    home.store_token("mail");
    home.refresh().token();
    (home, login)
}

#[test]
#[ignore = "tests/run: D-Bus"]
fn a_notification_is_shown_once_an_hour_and_its_text_is_escaped() {
    let (home, login) = home();
    let (_service, shown) = start_service(&login);
    home.standin.inject(Fault::HostileText);
    home.refresh().fails_with(77);
    let (summary, body) = shown.recv_timeout(Duration::from_secs(10)).unwrap();
    assert_eq!(summary, "Microsoft 365: action needed for the profile \"mail\"");
    assert!(body.contains("&lt;script&gt;") && !body.contains(['<', '>', '\u{1b}', '\u{202e}']), "{body}");
    assert!(body.contains("run `get-token --profile mail`"), "{body}");
    home.standin.inject(Fault::aadsts(50_173));
    home.refresh().fails_with(77);
    assert!(shown.try_recv().is_err(), "once an hour");
    home.refresh().token();
    home.standin.inject(Fault::aadsts(7_000_222));
    home.refresh().fails_with(78);
    let (_, body) = shown.recv_timeout(Duration::from_secs(10)).unwrap();
    assert!(body.contains("the client secret of client"), "{body}");
}

/// The system calls that write the time stamp are slow, as on a busy disk.
#[test]
#[ignore = "tests/run: strace"]
fn of_two_callers_that_fail_at_the_same_time_one_runs_the_program() {
    let home = Home::new();
    home.configure_with("on_sign_in_needed = ['sh', '-c', 'echo >>$HOME/notified']");
    home.sign_in().token();
    home.standin.revoke_all(50_173);
    let two_hours_ago = SystemTime::now() - Duration::from_secs(2 * 60 * 60);
    for notifications in [1, 2] {
        std::thread::scope(|scope| {
            for _ in 0..2 {
                let mut strace = program("strace", "strace");
                // strace waits for the program, too.
                strace.args(["-f", "-o", "/dev/null", "-e", "inject=fsync,utimensat:delay_enter=1000000"]);
                scope.spawn(|| refresh_by(&home, strace).fails_with(77).len());
            }
        });
        assert_eq!(std::fs::read(home.path().join("notified")).unwrap().len(), notifications);
        let stamp = std::fs::File::options().write(true).open(home.cache().join("told_mail")).unwrap();
        stamp.set_modified(two_hours_ago).unwrap();
    }
}

#[test]
#[ignore = "tests/run: D-Bus"]
fn an_empty_on_sign_in_needed_switches_notifications_off() {
    let (home, login) = home();
    let (_service, shown) = start_service(&login);
    home.configure_with("on_sign_in_needed = []");
    home.standin.inject(Fault::aadsts(50_173));
    home.refresh().fails_with(77);
    assert!(shown.try_recv().is_err());
}

#[test]
#[ignore = "tests/run: D-Bus"]
fn a_program_replaces_the_notification() {
    let (home, login) = home();
    let (_service, shown) = start_service(&login);
    home.configure_with("on_sign_in_needed = ['true']");
    home.standin.inject(Fault::aadsts(50_173));
    home.refresh().fails_with(77);
    assert!(shown.try_recv().is_err());
}

#[test]
#[ignore = "tests/run: D-Bus"]
fn a_notification_service_is_never_started() {
    let (home, login) = home();
    let started = home.path().join("started");
    login.add_service(NAME, &format!("/bin/sh -c 'touch {}; exit 1'", started.display()));
    home.standin.inject(Fault::aadsts(50_173));
    home.refresh().fails_with(77);
    assert!(!started.exists());
    // The bus would start it: otherwise this test would show nothing.
    _ = zbus::blocking::connection::Builder::address(login.address())
        .and_then(|builder| builder.build())
        .and_then(|bus| bus.call_method(Some(NAME), "/", Some("org.freedesktop.DBus.Peer"), "Ping", &()));
    assert!(started.exists());
}

#[test]
#[ignore = "tests/run: D-Bus"]
fn a_service_that_does_not_respond_delays_the_command_by_a_second_at_most() {
    let (home, login) = home();
    let _service = serve(&login, Service(None));
    home.standin.inject(Fault::aadsts(50_173));
    let begun = std::time::Instant::now();
    home.refresh().fails_with(77);
    assert!(begun.elapsed() < Duration::from_secs(20), "D-Bus waits for 25 s");
}
