//! `refresh-token` and `get-refresh-token` in the normal case.

use standin::{ADA, Fault, PUBLIC_CLIENT_ID};

use crate::support::Home;

#[test]
fn prints_an_access_token_and_stores_the_new_refresh_token() {
    let home = Home::new();
    let old = home.store_token("mail");
    let run = home.refresh();
    assert!(home.standin.is_valid_access_token(run.token()));
    let new = home.token_in_file("mail").unwrap();
    assert_ne!(new, old);
    assert!(home.standin.is_valid_refresh_token(&new));
    assert_eq!(run.stderr, "", "nothing for a mail program's log");
}

#[test]
fn sends_one_request_over_one_connection() {
    let home = Home::new();
    home.store_token("mail");
    home.refresh().token();
    let paths: Vec<String> = home.standin.requests().into_iter().map(|request| request.path).collect();
    assert_eq!(paths, ["/common/oauth2/v2.0/token"]);
    assert_eq!(home.standin.connections(), 1);
}

#[test]
fn a_response_without_a_refresh_token_keeps_the_old_one() {
    let home = Home::new();
    let old = home.store_token("mail");
    home.standin.inject(Fault::NoRefreshToken);
    home.refresh().token();
    assert_eq!(home.token_in_file("mail"), Some(old));
}

#[test]
fn each_profile_has_its_own_token() {
    let home = Home::new();
    home.configure_with("");
    home.store_token("calendar");
    let run = home.run("refresh-token", ["--profile", "calendar"]);
    assert!(home.standin.is_valid_access_token(run.token()));
    let request = home.standin.requests().pop().unwrap();
    assert!(request.parameters["scope"].contains("https://graph.microsoft.com/Calendars.ReadWrite"));
    home.refresh().fails_with(77);
}

#[test]
fn without_a_token_the_hint_is_to_sign_in() {
    let home = Home::new();
    for command in ["refresh-token", "get-refresh-token"] {
        let stderr = home.run(command, ["-p", "calendar"]).fails_with(77).to_owned();
        assert!(stderr.contains("No refresh token found"), "{stderr}");
        assert!(stderr.contains("get-token --profile calendar"), "{stderr}");
    }
}

#[test]
fn get_refresh_token_prints_the_stored_token_without_network() {
    let home = Home::new();
    let token = home.store_token("mail");
    assert_eq!(home.run("get-refresh-token", [""; 0]).token(), token);
    assert_eq!(home.standin.connections(), 0);
}

#[test]
fn get_refresh_token_needs_no_configuration() {
    let home = Home::new();
    let token = home.store_token("mail");
    std::fs::remove_file(home.config_file()).unwrap();
    assert_eq!(home.run("get-refresh-token", [""; 0]).token(), token);
    home.refresh().fails_with(78);
    // A configuration file that is named explicitly must exist.
    let mut named = home.command("get-refresh-token");
    crate::support::finish(named.env("M365AUTH_CONFIG", home.path().join("nowhere.toml"))).fails_with(78);
}

#[test]
fn a_refused_token_stays_stored() {
    let home = Home::new();
    let token = home.store_token("mail");
    home.standin.revoke_all(700_082);
    let run = home.refresh();
    let stderr = run.fails_with(77);
    assert!(stderr.contains("AADSTS700082") && stderr.contains("trace ") && stderr.contains("get-token"), "{stderr}");
    assert_eq!(home.token_in_file("mail"), Some(token));
}

#[test]
fn the_record_has_account_and_times_and_no_secret() {
    let home = Home::new();
    home.store_token("mail");
    home.refresh().token();
    let record = std::fs::read_to_string(home.cache().join("records_mail.toml")).unwrap();
    for part in [ADA, PUBLIC_CLIENT_ID, &home.standin.authority(), "issued", "last_used", "tenant_id", "object_id"] {
        assert!(record.contains(part), "no {part} in {record}");
    }
    for secret in home.standin.issued_secrets() {
        assert!(!record.contains(&secret));
    }
}

#[test]
fn get_refresh_token_warns_of_an_old_token() {
    let home = Home::new();
    home.store_token("mail");
    home.refresh().token();
    assert_eq!(home.run("get-refresh-token", [""; 0]).stderr, "");

    let file = home.cache().join("records_mail.toml");
    let record = std::fs::read_to_string(&file).unwrap();
    let issued = record.lines().find(|line| line.starts_with("issued")).unwrap();
    let seconds: u64 = issued.split(" = ").nth(1).unwrap().parse().unwrap();
    for (days, warned) in [(74, false), (76, true)] {
        let earlier = format!("issued = {}", seconds - days * 24 * 60 * 60);
        std::fs::write(&file, record.replace(issued, &earlier)).unwrap();
        let run = home.run("get-refresh-token", [""; 0]);
        run.token();
        assert_eq!(run.stderr.contains("warning: this refresh token is 76 days old"), warned, "{}", run.stderr);
    }
}

#[test]
#[cfg(unix)]
fn a_configuration_link_without_its_target_is_78_for_every_command() {
    let home = Home::new();
    home.store_token("mail");
    std::fs::remove_file(home.config_file()).unwrap();
    std::os::unix::fs::symlink(home.path().join("unmounted/config.toml"), home.config_file()).unwrap();
    for command in ["refresh-token", "get-refresh-token", "get-token"] {
        home.run(command, [""; 0]).fails_with(78);
    }
}

#[test]
fn twenty_concurrent_calls_with_single_use_refresh_tokens_all_succeed() {
    let home = Home::new();
    home.standin.set_single_use_refresh_tokens(true);
    home.store_token("mail");
    std::thread::scope(|scope| {
        let callers: Vec<_> = (0..20).map(|_| scope.spawn(|| home.refresh())).collect();
        for caller in callers {
            assert!(home.standin.is_valid_access_token(caller.join().unwrap().token()));
        }
    });
    assert!(home.standin.is_valid_refresh_token(&home.token_in_file("mail").unwrap()));
}

#[test]
fn a_refresh_token_is_not_sent_to_another_client_or_login_host() {
    for (old, new) in
        [(PUBLIC_CLIENT_ID, standin::SINGLE_TENANT_CLIENT_ID), ("https://localhost:", "https://127.0.0.1:")]
    {
        let home = Home::new();
        home.store_token("mail");
        home.refresh().token();
        let requests = home.standin.requests().len();
        home.configure(&home.configuration().replacen(old, new, 1));
        let run = home.refresh();
        let stderr = run.fails_with(78);
        assert!(stderr.contains("was issued for") && stderr.contains("get-token --profile mail"), "{stderr}");
        assert!(stderr.contains(&format!("undo the change in {}\n", home.config_file().display())), "{stderr}");
        assert_eq!(home.standin.requests().len(), requests, "no request was sent");
    }
}

#[test]
fn a_token_that_microsoft_does_not_replace_keeps_its_age() {
    let home = Home::new();
    home.store_token("mail");
    home.refresh().token();
    let file = home.cache().join("records_mail.toml");
    let mut records: toml::Table = std::fs::read_to_string(&file).unwrap().parse().unwrap();
    let issued = records["file"]["issued"].as_integer().unwrap();
    records["file"]["issued"] = (issued - 76 * 24 * 60 * 60).into();
    std::fs::write(&file, records.to_string()).unwrap();
    home.standin.inject(Fault::NoRefreshToken);
    home.refresh().token();
    let run = home.run("get-refresh-token", [""; 0]);
    assert!(run.stderr.contains("this refresh token is 76 days old"), "{run:?}");
}

/// Some hints say to replace `common` with the organisation's own tenant.
#[test]
fn a_changed_tenant_needs_no_new_sign_in() {
    let home = Home::new();
    home.sign_in().token();
    for tenant in ["example.com", standin::TENANT_ID, "organizations", "common"] {
        home.configure(&home.configuration().replace("/common/", &format!("/{tenant}/")));
        home.refresh().token();
    }
}

#[test]
fn letter_case_of_client_id_tenant_and_login_host_does_not_matter() {
    let home = Home::new();
    home.sign_in().token();
    let file = home.cache().join("records_mail.toml");
    let records = std::fs::read_to_string(&file).unwrap();
    let records = records.replace(PUBLIC_CLIENT_ID, &PUBLIC_CLIENT_ID.to_uppercase());
    let records = records.replace("https://localhost:", "https://LocalHost:").replace("/common/", "/Common/");
    std::fs::write(&file, records).unwrap();
    home.refresh().token();
}

#[test]
fn a_refusal_of_a_tenant_without_the_account_is_explained_and_the_token_is_kept() {
    let mut setup = standin::Setup::default();
    let other = "5f1e0d9c-8b7a-4655-9443-322110fedcba";
    setup.tenants.push(standin::Tenant { id: other.to_owned(), domain: "example.org".to_owned() });
    let home = Home::with(standin::Standin::start_with(setup));
    home.sign_in().token();
    let token = home.token_in_file("mail");
    home.configure(&home.configuration().replace("/common/", "/example.org/"));
    assert!(home.refresh().fails_with(77).contains("does not exist in tenant \"example.org\""));
    assert_eq!(home.token_in_file("mail"), token);
    home.configure(&home.configuration());
    home.refresh().token();
}

/// Runs this many refreshes at once. All wait for the lock before the first one sends a request. Calls `meanwhile` when
/// the first one has sent it.
fn refresh_at_once(home: &Home, callers: usize, meanwhile: impl FnOnce()) -> Vec<crate::support::Run> {
    let lock = std::fs::File::create(home.cache().join("lock_mail")).unwrap();
    lock.lock().unwrap();
    home.standin.inject(Fault::Delay { milliseconds: 2_000 });
    std::thread::scope(|scope| {
        let callers: Vec<_> = (0..callers).map(|_| scope.spawn(|| home.refresh())).collect();
        wait_for_waiters(&lock, callers.len());
        drop(lock);
        crate::support::eventually("the first request", || home.standin.token_requests() == 1);
        meanwhile();
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    })
}

/// proc_locks(5) marks the processes that wait for a lock with an arrow.
#[cfg(target_os = "linux")]
fn wait_for_waiters(lock: &std::fs::File, count: usize) {
    let inode = std::os::unix::fs::MetadataExt::ino(&lock.metadata().unwrap());
    let is_waiter = |line: &&str| line.contains("->") && line.contains(&format!(":{inode} "));
    crate::support::eventually("all callers wait", || {
        std::fs::read_to_string("/proc/locks").unwrap().lines().filter(is_waiter).count() == count
    });
}

#[cfg(not(target_os = "linux"))]
fn wait_for_waiters(_: &std::fs::File, count: usize) {
    let start_of_each = std::time::Duration::from_millis(if cfg!(windows) { 700 } else { 100 });
    std::thread::sleep(std::time::Duration::from_secs(2) + start_of_each * count.try_into().unwrap());
}

#[test]
fn thirty_callers_with_a_refused_token_send_one_request() {
    let home = Home::new();
    let token = home.store_token("mail");
    home.standin.revoke_all(700_082);
    let runs = refresh_at_once(&home, 30, || {});
    for run in &runs {
        let stderr = run.fails_with(77);
        assert!(stderr.contains("Microsoft's reference: AADSTS700082, trace "), "{stderr}");
        assert_eq!(stderr, runs[0].stderr, "all errors are identical");
    }
    assert_eq!(home.standin.token_requests(), 1);
    let lock = std::fs::read_to_string(home.cache().join("lock_mail")).unwrap();
    assert!(lock.contains("700082") && !lock.contains(&token), "{lock}");
    // A later call asks Microsoft again.
    home.refresh().fails_with(77);
    assert_eq!(home.standin.token_requests(), 2);
    home.run("get-token", ["--sign-out"]);
    let lock = std::fs::read_to_string(home.cache().join("lock_mail")).unwrap();
    assert!(!lock.contains("700082"), "{lock}");
}

#[test]
fn a_new_token_is_not_blocked_by_the_refusal_of_the_old_one() {
    let home = Home::new();
    home.store_token("mail");
    home.standin.revoke_all(700_082);
    let runs = refresh_at_once(&home, 5, || _ = home.store_token("mail"));
    let refused = runs.iter().filter(|run| run.code == Some(77)).count();
    let succeeded = runs.iter().filter(|run| run.code == Some(0)).count();
    assert_eq!((refused, succeeded, home.standin.token_requests()), (1, 4, 5), "{runs:?}");
}

#[test]
fn a_sign_in_is_not_blocked_by_a_refusal() {
    let home = Home::new();
    home.sign_in().token();
    home.standin.revoke_all(700_082);
    home.refresh().fails_with(77);
    home.sign_in().token();
    home.refresh().token();
}

/// A refusal depends on the scopes and on the client as well.
#[test]
fn another_configuration_is_not_blocked_by_a_refusal() {
    let home = Home::new();
    home.store_token("mail");
    home.standin.revoke_all(700_082);
    let scopes = "[profiles.mail]\nscopes = ['https://outlook.office.com/SMTP.Send']\n";
    let file = home.path().join("other.toml");
    std::fs::write(&file, home.configuration() + scopes).unwrap();
    home.standin.inject(Fault::Delay { milliseconds: 2_000 });
    std::thread::scope(|scope| {
        let first = scope.spawn(|| home.refresh());
        crate::support::eventually("the first request", || home.standin.token_requests() == 1);
        home.run("refresh-token", ["--config", file.to_str().unwrap()]).fails_with(77);
        first.join().unwrap().fails_with(77);
    });
    assert_eq!(home.standin.token_requests(), 2);
}
