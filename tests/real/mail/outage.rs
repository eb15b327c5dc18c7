//! Mail programs on a timer, while Microsoft cannot be reached and while a sign-in is needed.

use std::time::{Duration, Instant};

use serde_json::json;
use standin::{ADA, Fault, PUBLIC_CLIENT_ID, Setup};

use super::{MailSetup, mbsync, msmtp};
use crate::login::{Keyring, Login};
use crate::memory;
use crate::support::eventually;

/// How long Microsoft cannot be reached. A second of the test stands for a minute: an outage of 25 minutes, and a token
/// that is valid for 75 minutes.
const OUTAGE: Duration = Duration::from_secs(25);
const LIFETIME: Duration = Duration::from_secs(75);

/// Fetches and sends mail again and again, and calls `halfway` once. Returns the number of runs.
fn runs_in_an_outage(setup: &MailSetup, mut halfway: impl FnMut()) -> usize {
    let (begun, mut runs) = (Instant::now(), 0);
    while begun.elapsed() < OUTAGE {
        let run = mbsync::mbsync(setup);
        assert_eq!(run.code, Some(0), "{run:?}\n{}", setup.server.log());
        let run = msmtp::msmtp(setup);
        assert_eq!(run.code, Some(0), "{run:?}\n{}", setup.server.log());
        runs += 1;
        if runs == 2 {
            halfway();
        }
    }
    runs
}

#[test]
#[ignore = "tests/run: dovecot, mbsync with its SASL plugin, msmtp, gnome-keyring"]
fn mail_goes_on_in_an_outage_and_with_a_locked_keychain_and_the_alarm_comes_before_it_stops() {
    let _turn = memory::take_turn();
    let setup = Setup { access_token_lifetime: Some(LIFETIME), refresh_in: Some(json!(1)), ..Setup::default() };
    let mut setup = MailSetup::with(setup).receive_mail();
    let mut login = Login::start(&mut setup.home, Keyring::Gnome);
    let configuration = std::fs::read_to_string(setup.home.config_file()).unwrap().replace("cache = 'none'\n", "");
    let alarm = setup.home.path().join("alarm");
    setup.home.configure(&format!("on_sign_in_needed = ['touch', '{}']\n{configuration}", alarm.display()));
    setup.home.put_token("mail", &setup.home.standin.seed_refresh_token(PUBLIC_CLIENT_ID, ADA));
    setup.home.refresh().token();

    setup.home.standin.inject_times(Fault::Hang, 1000);
    let before = setup.home.standin.token_requests();
    let runs = runs_in_an_outage(&setup, || login.lock());
    let requests = setup.home.standin.token_requests() - before;
    assert!(runs >= 3, "{runs} runs");
    assert!((1..=5).contains(&requests), "a pause of 3 s after an attempt of 3 s, and none while locked: {requests}");
    assert!(!alarm.exists(), "a locked keychain raises no alarm");

    // The keychain is unlocked again, Microsoft answers again, and the token was revoked meanwhile.
    setup.home.standin.clear_faults();
    login.restart_keyring(&setup.home);
    setup.home.standin.revoke_all(50_173);
    eventually("the alarm comes while mail still flows", || {
        assert_eq!(mbsync::mbsync(&setup).code, Some(0));
        alarm.exists()
    });
}
