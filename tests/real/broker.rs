//! The identity broker of a managed device: the commands against the double, on a private bus.

mod answers;
mod double;
mod sign_in;

use std::time::Duration;

use standin::{ADA, Broker, BrokerAnswer, BrokerVersion, Setup, Standin};

use crate::login::{Keyring, Login, program};
use crate::memory::refresh_by;
use crate::support::{Home, Run};
use BrokerVersion::{Himmelblau, V2_0_1, V2_5, V3_0_1};

const EVERY_VERSION: [BrokerVersion; 4] = [V2_0_1, V2_5, V3_0_1, Himmelblau];
const SILENT: &str = "acquireTokenSilently";
const INTERACTIVE: &str = "acquireTokenInteractively";

/// A managed device, with a home whose configuration says `broker = true`.
struct Device {
    home: Home,
    broker: Broker,
    login: Login,
}

/// Makes the device of this home a managed one: a session with a broker, and a configuration that uses it.
pub fn manage(home: &mut Home, version: BrokerVersion) -> (Login, Broker) {
    let login = Login::start(home, Keyring::Absent);
    let broker = Broker::start(&home.standin, login.address(), version);
    home.configure(&format!("broker = true\n{}", home.configuration_with_memory()));
    (login, broker)
}

impl Device {
    fn new(version: BrokerVersion) -> Self {
        Self::of(Home::new(), version)
    }

    fn of(mut home: Home, version: BrokerVersion) -> Self {
        let (login, broker) = manage(&mut home, version);
        Self { home, broker, login }
    }

    /// A device on which `get-token` has chosen Ada's account, without a cached access token.
    fn signed_in(version: BrokerVersion) -> Self {
        let device = Self::new(version);
        device.home.configure(&format!("broker = true\n{}", device.home.configuration()));
        device.get_token(&[]).token();
        device.configure("");
        device
    }

    /// Writes the configuration with the cache and these lines.
    fn configure(&self, lines: &str) {
        self.home.configure(&format!("broker = true\n{lines}\n{}", self.home.configuration_with_memory()));
    }

    /// Writes the configuration without the cache.
    fn configure_without_cache(&self) {
        self.home.configure(&format!("broker = true\n{}", self.home.configuration()));
    }

    fn get_token(&self, arguments: &[&str]) -> Run {
        self.home.run("get-token", arguments)
    }

    /// Gives the session a display, so that the broker can open a window.
    fn with_display(mut self) -> Self {
        self.home.environment.push(("DISPLAY".to_owned(), ":0".to_owned()));
        self
    }

    fn answers(&self, text: &str) {
        self.broker.answer_next(SILENT, BrokerAnswer::Text(text.to_owned()));
    }

    /// Asserts that the double did not refuse a request.
    #[track_caller]
    fn assert_no_refusals(&self) {
        let refused: Vec<_> = self.broker.calls().into_iter().filter(|call| call.refused.is_some()).collect();
        assert!(refused.is_empty(), "{refused:?}");
    }
}

#[test]
#[ignore = "tests/run: D-Bus"]
fn every_version_hands_out_tokens() {
    for version in EVERY_VERSION {
        let device = Device::new(version);
        let run = device.get_token(&[]);
        assert!(device.home.standin.is_valid_access_token(run.token()), "{version:?}");
        assert!(run.stderr.contains("Signed in as ada@example.com (profile \"mail\")."), "{run:?}");
        assert!(run.stderr.contains("Access tokens come from the identity broker of this device."), "{run:?}");
        let token = device.home.refresh().token().to_owned();
        assert!(device.home.standin.is_valid_access_token(&token), "{version:?}");
        // The expiry in the answer of an old himmelblau is wrong, so its tokens are not cached.
        assert_eq!(token == run.token(), version != Himmelblau, "{version:?}");
        device.home.run("refresh-token", ["--fresh"]).token();
        assert_eq!(device.broker.count(SILENT), if version == Himmelblau { 3 } else { 2 });
        assert_eq!(device.broker.count("Introspect"), 0, "newer versions cannot be introspected");
        device.assert_no_refusals();
        assert_eq!(device.home.standin.token_requests(), 0, "the refresh token stays with the broker");
        assert!(device.home.token_in_file("mail").is_none());
    }
}

#[test]
#[ignore = "tests/run: D-Bus"]
fn a_request_names_the_app_and_only_the_resource_scopes() {
    let device = Device::new(V3_0_1);
    device.broker.add_account_field();
    device.get_token(&[]).token();
    let calls = device.broker.calls();
    let parameters = &calls.iter().find(|call| call.method == SILENT).unwrap().request["authParameters"];
    let scopes = ["https://outlook.office.com/IMAP.AccessAsUser.All", "https://outlook.office.com/SMTP.Send"];
    assert_eq!(parameters["requestedScopes"], serde_json::json!(scopes));
    assert_eq!(parameters["clientId"], standin::PUBLIC_CLIENT_ID);
    assert_eq!(parameters["authorizationType"], 1);
    assert_eq!(parameters["uxContextHandle"], -1);
    assert_eq!(parameters["account"]["tags"], serde_json::json!({ "kept": [1, null] }), "sent back unchanged");
}

#[test]
#[ignore = "tests/run: D-Bus"]
fn twenty_processes_make_one_request() {
    let device = Device::signed_in(V3_0_1);
    let before = device.broker.count(SILENT);
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| device.home.refresh().token().to_owned());
        }
    });
    assert_eq!(device.broker.count(SILENT), before + 1);
}

#[test]
#[ignore = "tests/run: D-Bus and faketime"]
fn a_cached_token_is_handed_out_while_the_broker_does_not_answer() {
    let setup = Setup { access_token_lifetime: Some(Duration::from_secs(60 * 60)), ..Setup::default() };
    let device = Device::of(Home::with(Standin::start_with(setup)), V3_0_1);
    let token = device.get_token(&[]).token().to_owned();
    let after = |minutes: u32| {
        let mut faketime = program("faketime", "faketime");
        faketime.args(["-f", &format!("+{minutes}m")]);
        refresh_by(&device.home, faketime)
    };
    let silent = || device.broker.count(SILENT);
    assert_eq!((after(20).token(), silent()), (token.as_str(), 1), "not due yet");
    device.broker.answer_next(SILENT, BrokerAnswer::Silence);
    assert_eq!((after(40).token(), silent()), (token.as_str(), 2), "renewed early, but it hangs");
    device.broker.answer_next(SILENT, BrokerAnswer::Error("org.freedesktop.DBus.Error.NoReply"));
    after(58).fails_with(75); // too old
    assert_ne!(after(58).token(), token);
}

#[test]
#[ignore = "tests/run: D-Bus"]
fn get_refresh_token_says_what_to_run_instead() {
    let device = Device::signed_in(V3_0_1);
    let run = device.home.run("get-refresh-token", [""; 0]);
    let error = run.fails_with(78);
    assert!(error.contains("come from the identity broker, which keeps its refresh token"), "{error}");
    assert!(error.contains("`refresh-token --profile mail`"), "{error}");
}

#[test]
#[ignore = "tests/run: D-Bus"]
fn a_sign_out_forgets_the_account_and_says_that_the_broker_does_not() {
    let device = Device::signed_in(V2_5);
    device.home.refresh().token();
    let run = device.get_token(&["--sign-out"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(
        run.stderr.contains("no longer uses ada@example.com. The account is still signed in to the identity broker"),
        "{run:?}"
    );
    let error = device.home.refresh();
    assert!(error.fails_with(77).contains("no account of the identity broker is chosen"), "{error:?}");
    let run = device.get_token(&["--sign-out"]);
    assert!(run.stderr.contains("No account of the identity broker is chosen for \"mail\"."), "{run:?}");
    assert_eq!(device.broker.count("removeAccount"), 0);
}

#[test]
#[ignore = "tests/run: D-Bus"]
fn status_and_check_show_the_broker() {
    let device = Device::signed_in(V3_0_1);
    let run = device.get_token(&["--status", "-p", "mail"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    for text in [
        "mail: signed in as ada@example.com",
        "identity broker 3.0.1 (experimental), signed in: ada@example.com",
        "it returns access tokens without a sign-in",
    ] {
        assert!(run.stdout.contains(text), "{text} in {run:?}");
    }
    let run = device.get_token(&["--check"]);
    for text in [
        "identity broker: version 3.0.1; signed in: ada@example.com (experimental)",
        "chosen account: ada@example.com",
        "refresh: the identity broker returned an access token, valid for",
        "keychain: not used; the identity broker keeps the refresh token",
    ] {
        assert!(run.stdout.contains(text), "{text} in {run:?}");
    }
    device.broker.require_interaction();
    let run = device.get_token(&["--status", "-p", "mail", "--json"]);
    assert_eq!(run.code, Some(77), "{run:?}");
    let status: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let mail = &status[0];
    assert_eq!(mail["state"], "sign_in_needed");
    let broker = serde_json::json!({ "version": "3.0.1", "accounts": [ADA], "silent": false });
    assert_eq!(mail["broker"], broker);
}

#[test]
#[ignore = "tests/run: D-Bus"]
fn without_a_broker_on_the_bus_every_command_says_so() {
    let Device { home, broker, login } = Device::signed_in(V3_0_1);
    drop(broker);
    for arguments in [&[][..], &["--fresh"]] {
        let run = home.run("refresh-token", arguments);
        assert!(run.fails_with(69).contains("the identity broker is not available"), "{run:?}");
    }
    let run = home.run("get-token", ["--status", "-p", "mail"]);
    assert_eq!(run.code, Some(69), "{run:?}");
    let run = home.run("get-token", ["--check"]);
    assert!(run.stdout.contains("identity broker: the identity broker is not available"), "{run:?}");
    drop(login);
    let run = home.refresh();
    assert!(run.fails_with(69).contains("no D-Bus session bus"), "{run:?}");
    assert!(run.stderr.contains(&format!("broker = true from {}\n", home.config_file().display())), "{run:?}");
}
