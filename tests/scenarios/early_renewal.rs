//! A cached token is renewed early, and handed out while it is valid: an outage does not interrupt mail.
#![cfg(target_os = "linux")]

mod pause;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};
use std::time::{Duration, Instant, SystemTime};

use serde_json::json;
use standin::{ADA, Fault, GRACE, Outage, PUBLIC_CLIENT_ID, Setup, Standin};

use crate::memory::{HomeWithMemory, with_memory};
use crate::support::{Home, eventually, finish};

/// In seconds. Long enough that no test ever reaches the floor, or the end of the pause after a failure.
const LIFETIME: u64 = 3600;

/// A home whose tokens are valid for this many seconds and are due after one second.
fn home_with_lifetime(seconds: u64) -> HomeWithMemory {
    let lifetime = Some(Duration::from_secs(seconds));
    let setup = Setup { access_token_lifetime: lifetime, refresh_in: Some(json!(1)), ..Setup::default() };
    let home = with_memory(Home::with(Standin::start_with(setup)));
    // A call that waits for the full limit fails in `assert_hands_out`.
    home.configure(&format!("network_timeout = 60\n{}", home.configuration_with_memory()));
    home
}

/// Returns a cached token once it is due.
fn due_token(home: &Home) -> String {
    let token = home.refresh().token().to_owned();
    let now = || SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let issued = now();
    eventually("the token is due", || now() > issued);
    token
}

/// A home with Ada's token and a cached access token that is due.
fn home_with_due_token() -> (HomeWithMemory, String) {
    let home = home_with_lifetime(LIFETIME);
    home.store_token("mail");
    let token = due_token(&home);
    (home, token)
}

#[track_caller]
fn assert_hands_out(home: &Home, token: &str) {
    let begun = Instant::now();
    let run = home.refresh();
    assert_eq!(run.token(), token);
    assert_eq!(run.stderr, "");
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(30), "an attempt may take 3 s, and the usual limit is 60 s: {took:?}");
}

/// Uses programs that keep the token in the file `kept`, after these lines of a shell script.
fn configure_programs(home: &Home, load: &str, save: &str) {
    let load = format!("{load}\ncat $HOME/kept");
    let save = format!("{save}\ncat >$HOME/kept");
    let programs = format!("{{ load = ['sh', '-c', '''{load}'''], save = ['sh', '-c', '''{save}'''] }}");
    home.configure(&home.configuration_with_store(&programs).replace("cache = 'none'\n", ""));
}

#[test]
fn a_due_token_is_renewed() {
    let (home, due) = home_with_due_token();
    let renewed = home.refresh().token().to_owned();
    assert_ne!(renewed, due);
    assert!(home.standin.is_valid_access_token(&renewed));
    assert_eq!(home.standin.token_requests(), 2);
}

#[test]
fn a_token_is_due_after_half_its_lifetime_unless_microsoft_says_when() {
    for refresh_in in [None, Some(json!(0)), Some(json!("soon")), Some(json!(3600))] {
        let lifetime = Some(Duration::from_secs(LIFETIME));
        let setup = Setup { access_token_lifetime: lifetime, refresh_in, ..Setup::default() };
        let home = with_memory(Home::with(Standin::start_with(setup)));
        home.store_token("mail");
        let cached = due_token(&home);
        assert_hands_out(&home, &cached);
        assert_eq!(home.standin.token_requests(), 1);
    }
}

#[test]
fn in_an_outage_a_due_token_is_handed_out_and_one_attempt_is_made() {
    for outage in [Outage::Refused, Outage::Silent] {
        let (home, due) = home_with_due_token();
        home.standin.set_outage(Some(outage));
        let before = home.standin.connections();
        for _ in 0..5 {
            assert_hands_out(&home, &due);
        }
        if outage == Outage::Silent {
            assert_eq!(home.standin.connections(), before + 1);
        }
    }
}

/// Listens at a port whose queue of connections is full: the system drops the packets of further ones (listen(2)).
fn drop_packets(port: u16) -> Vec<(TcpListener, Vec<TcpStream>)> {
    let localhost: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    let bound = localhost.into_iter().filter_map(|address| TcpListener::bind((address, port)).ok());
    let full = bound.map(|listener| {
        let address = listener.local_addr().unwrap();
        let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(300)).ok();
        (listener, std::iter::from_fn(connect).collect())
    });
    full.collect()
}

#[test]
fn a_due_token_is_handed_out_while_packets_are_dropped() {
    let (home, due) = home_with_due_token();
    home.standin.set_outage(Some(Outage::Refused)); // leaves the port
    let _full = drop_packets(home.standin.port());
    let run = home.run("refresh-token", ["--verbose"]);
    assert_eq!(run.token(), due);
    assert!(
        run.stderr.contains("the cached token was not renewed: ") && run.stderr.contains("did not respond within ")
    );
    assert_hands_out(&home, &due);
}

#[test]
fn whatever_the_failure_a_due_token_is_handed_out() {
    for fault in [
        Fault::Status { status: 503, retry_after: None },
        Fault::Reset,
        Fault::Html,
        Fault::aadsts(50_173),
        Fault::aadsts(700_016),
        Fault::aadsts(50_196),
    ] {
        let (home, due) = home_with_due_token();
        home.standin.inject(fault.clone());
        let run = home.run("refresh-token", ["--verbose"]);
        assert_eq!(run.token(), due, "{fault:?}");
        let said = run.stderr.lines().filter(|line| line.contains("the cached token was not renewed: ")).count();
        assert_eq!(said, 1, "{}", run.stderr);
        assert_hands_out(&home, &due);
        assert_eq!(home.standin.token_requests(), 2, "no retry, and a pause: {fault:?}");
    }
}

#[test]
fn an_early_renewal_that_fails_does_not_warn_of_another_store() {
    let home = home_with_lifetime(LIFETIME);
    home.configure(&home.configuration_with_store("'auto'").replace("cache = 'none'\n", ""));
    home.store_token("mail");
    let due = due_token(&home);
    home.standin.inject(Fault::aadsts(50_173)); // then the keychain is tried, which this home does not have
    assert_hands_out(&home, &due);
}

#[test]
fn fresh_never_falls_back() {
    let (home, _) = home_with_due_token();
    home.standin.set_outage(Some(Outage::Refused));
    home.configure(&format!("network_timeout = 1\n{}", home.configuration_with_memory()));
    home.run("refresh-token", ["--fresh"]).fails_with(75);
}

#[test]
fn below_the_floor_a_token_is_not_handed_out() {
    let home = home_with_lifetime(4);
    home.configure(&format!("network_timeout = 1\n{}", home.configuration_with_memory()));
    home.store_token("mail");
    let cached = due_token(&home);
    home.standin.set_outage(Some(Outage::Refused));
    eventually("the floor is reached", || home.refresh().code == Some(75));
    assert!(home.standin.is_valid_access_token(&cached) || home.refresh().code == Some(75));
    home.standin.set_outage(None);
    assert_ne!(home.refresh().token(), cached);
}

/// Runs fifty `refresh-token` at once. Returns their tokens.
fn fifty_callers(home: &Home) -> Vec<String> {
    std::thread::scope(|scope| {
        let callers: Vec<_> = (0..50).map(|_| scope.spawn(|| home.refresh().token().to_owned())).collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    })
}

#[test]
fn fifty_callers_in_an_outage_make_one_attempt_and_nobody_waits_for_another() {
    let (home, due) = home_with_due_token();
    home.standin.set_outage(Some(Outage::Silent));
    let before = home.standin.connections();
    assert!(fifty_callers(&home).iter().all(|token| *token == due));
    assert_eq!(home.standin.connections(), before + 1);
}

#[test]
fn fifty_callers_make_one_attempt_if_it_fails_at_once() {
    let (home, due) = home_with_due_token();
    home.standin.inject_times(Fault::aadsts(50_196), 50);
    assert!(fifty_callers(&home).iter().all(|token| *token == due));
    assert_eq!(home.standin.token_requests(), 2);
}

#[test]
fn fifty_callers_renew_a_token_once() {
    let (home, due) = home_with_due_token();
    let tokens = fifty_callers(&home);
    let new = home.refresh().token().to_owned();
    assert!(new != due && tokens.iter().all(|token| *token == due || *token == new));
    assert_eq!(home.standin.token_requests(), 2);
}

#[test]
fn a_due_token_is_handed_out_while_another_process_holds_the_lock() {
    let (home, due) = home_with_due_token();
    let lock = std::fs::File::options().write(true).open(home.cache().join("lock_mail")).unwrap();
    lock.lock().unwrap();
    assert_hands_out(&home, &due);
    assert_eq!(home.standin.token_requests(), 1);
}

#[test]
fn no_early_attempt_is_made_where_it_cannot_be_recorded() {
    let (home, due) = home_with_due_token();
    // As on a full disk: the records can be read, and no file can be written.
    let mut shell = std::process::Command::new("sh");
    home.prepare(&mut shell);
    let run = finish(shell.args(["-c", "ulimit -f 0; refresh-token"]));
    assert_eq!((run.token(), run.stderr.as_str()), (due.as_str(), ""));
    assert_eq!(home.standin.token_requests(), 1);
}

#[test]
fn no_early_attempt_is_made_without_readable_records() {
    let (home, due) = home_with_due_token();
    let records = home.cache().join("records_mail.toml");
    std::fs::remove_file(&records).unwrap();
    std::fs::create_dir(&records).unwrap();
    assert_hands_out(&home, &due);
    assert_eq!(home.standin.token_requests(), 1);
}

#[test]
fn a_save_is_not_cut_off_when_the_answer_came_in_time() {
    let home = home_with_lifetime(LIFETIME);
    std::fs::write(home.path().join("kept"), home.standin.seed_refresh_token(PUBLIC_CLIENT_ID, ADA)).unwrap();
    configure_programs(&home, "", "");
    let due = due_token(&home);
    configure_programs(&home, "", "sleep 5");
    home.standin.set_single_use_refresh_tokens(true);
    // Nearly the three seconds of an attempt: a machine that is busy needs some of them itself.
    home.standin.inject(Fault::LateResponse { milliseconds: 2_800 });
    let begun = Instant::now();
    let renewed = home.refresh().token().to_owned();
    assert_ne!(renewed, due);
    assert!(begun.elapsed() > Duration::from_millis(7_800), "{:?}", begun.elapsed());
    let kept = std::fs::read_to_string(home.path().join("kept")).unwrap();
    assert!(home.standin.is_valid_refresh_token(kept.trim()));
}

#[test]
fn a_program_is_run_once_for_each_token_and_ended_with_its_children() {
    let home = home_with_lifetime(20); // a pause of 1 s for other stores
    std::fs::write(home.path().join("kept"), home.standin.seed_refresh_token(PUBLIC_CLIENT_ID, ADA)).unwrap();
    configure_programs(&home, "", "");
    let due = due_token(&home);
    // A child that would outlive its parent, as a window for a passphrase would.
    configure_programs(&home, "echo noise >&2\nsleep 40 & echo $! >>$HOME/children\nwait", "");
    assert_hands_out(&home, &due);
    assert_hands_out(&home, &due);
    let children = std::fs::read_to_string(home.path().join("children")).unwrap();
    // proc_pid_stat(5): Z is a process that has ended.
    let is_running =
        |child: &str| std::fs::read_to_string(format!("/proc/{child}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
    eventually("the program's child has ended", || !children.lines().any(is_running));
    let asked_again = Instant::now() + Duration::from_secs(2);
    eventually("the pause of other stores is over", || Instant::now() > asked_again);
    assert_hands_out(&home, &due);
    assert_eq!(std::fs::read_to_string(home.path().join("children")).unwrap(), children);
}

/// Otherwise it would take up the user's quota although nobody uses it.
#[test]
fn the_kernel_removes_a_token_at_its_floor() {
    let home = home_with_lifetime(3600);
    home.store_token("mail");
    home.refresh().token();
    let keys = std::fs::read_to_string("/proc/keys").unwrap();
    let ours = keys.lines().find(|line| line.contains(&*home.path().to_string_lossy())).unwrap();
    // keyrings(7): the fourth field is the time that is left.
    let left = ours.split_whitespace().nth(3).unwrap();
    assert!(["54m", "55m"].contains(&left), "{ours}");
}

#[test]
fn a_due_token_of_another_refresh_token_is_not_handed_out() {
    let home = home_with_lifetime(LIFETIME);
    std::fs::write(home.path().join("kept"), home.standin.seed_refresh_token(PUBLIC_CLIENT_ID, ADA)).unwrap();
    configure_programs(&home, "", "");
    home.configure(
        &std::fs::read_to_string(home.config_file()).unwrap().replace("client_id", "network_timeout = 1\nclient_id"),
    );
    let due = due_token(&home);
    std::fs::write(home.path().join("kept"), home.standin.seed_refresh_token(PUBLIC_CLIENT_ID, GRACE)).unwrap();
    home.standin.set_outage(Some(Outage::Refused));
    let run = home.refresh();
    assert_ne!(run.stdout.trim(), due);
    run.fails_with(75);
}

#[test]
fn json_says_when_a_due_token_expires() {
    let (home, due) = home_with_due_token();
    home.standin.set_outage(Some(Outage::Refused));
    let run = home.run("refresh-token", ["--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(run.stdout.trim()).unwrap();
    assert_eq!(json["access_token"], due);
    let left = json["expires_at"].as_u64().unwrap() - SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    assert!((LIFETIME - 60..LIFETIME).contains(&left), "{left}");
}
