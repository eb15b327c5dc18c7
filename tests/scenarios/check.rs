//! `get-token --check`, as far as it needs no mail server.

use standin::{CLIENT_SECRET, CONFIDENTIAL_CLIENT_ID, Fault, PUBLIC_CLIENT_ID};

use crate::support::{Home, Run, finish};

/// Runs `--check` without mail servers: nothing listens on their ports.
fn check(home: &Home) -> Run {
    let nobody = crate::support::free_port();
    home.configure_with(&format!("imap_host = 'localhost:{nobody}'\nsmtp_host = 'localhost:{nobody}'"));
    let run = home.run("get-token", ["--check"]);
    assert_eq!(run.stderr, "");
    run
}

#[test]
fn the_check_reports_each_result_on_a_line_and_ends_with_the_verdict() {
    let home = Home::new();
    home.store_token("mail");
    let run = check(&home);
    for good in [
        "configuration: ",
        "folders: ",
        "callback: ",
        "network: ",
        "clock: less than 5 minutes off",
        "stored token: ",
        "refresh: ",
    ] {
        assert!(run.stdout.contains(&format!("✓ {good}")), "{good} in {}", run.stdout);
    }
    for good in ["scopes: https://outlook.office.com/IMAP.AccessAsUser.All", "account: ada@example.com", "length: "] {
        assert!(run.stdout.contains(&format!("✓ {good}")), "{good} in {}", run.stdout);
    }
    assert!(run.stdout.contains("✗ IMAP: localhost:") && run.stdout.contains("✗ SMTP: "), "{}", run.stdout);
    assert!(run.stdout.contains("– Graph: the profile has no Graph scope"), "{}", run.stdout);
    assert!(run.stdout.contains("– keychain: not used; new tokens are stored unencrypted in "), "{}", run.stdout);
    assert_eq!(run.code, Some(75), "the mail servers cannot be reached");
    // Of 13 checks, or of 12 if mbsync is not installed.
    assert!(run.stdout.contains("\n2 of 1") && run.stdout.ends_with(" checks failed: IMAP, SMTP.\n"), "{}", run.stdout);
    for secret in home.standin.issued_secrets() {
        assert!(!run.stdout.contains(&secret));
    }
}

/// The bug report form asks for this output.
#[test]
fn the_output_of_the_check_contains_no_secret() {
    let home = Home::new();
    let nobody = crate::support::free_port();
    let application = home.configuration().replace(PUBLIC_CLIENT_ID, CONFIDENTIAL_CLIENT_ID);
    home.configure(&format!(
        "client_secret = '{CLIENT_SECRET}'\nimap_host = 'localhost:{nobody}'\nsmtp_host = 'localhost:{nobody}'\n\
         network_timeout = 5\n{application}"
    ));
    home.sign_in().token();
    let proxy = format!("http://ada:proxy-password@127.0.0.1:{nobody}");
    for (proxy, refresh) in [("", "✓ refresh"), (&proxy, "✗ refresh")] {
        for arguments in [&["--check"][..], &["--check", "--verbose"], &["--check", "--json"]] {
            let run = finish(home.command("get-token").args(arguments).env("HTTPS_PROXY", proxy));
            assert!(run.stdout.contains(refresh) || arguments.contains(&"--json"), "{}", run.stdout);
            let issued = home.standin.issued_secrets();
            for secret in issued.iter().map(String::as_str).chain([CLIENT_SECRET, "proxy-password"]) {
                assert!(!run.stdout.contains(secret) && !run.stderr.contains(secret), "{secret} in {run:?}");
            }
        }
    }
}

#[test]
fn the_check_of_a_calendar_sends_a_request_to_graph() {
    let home = Home::new();
    home.store_token("calendar");
    let graph = format!("graph_host = 'localhost:{}'\n", home.standin.port());
    home.configure(&(graph + &home.configuration()));
    let run = home.run("get-token", ["--check", "-p", "calendar"]);
    assert!(run.stdout.contains("✓ Graph: localhost:") && run.stdout.contains("shows the calendar"), "{}", run.stdout);
    assert!(run.stdout.contains("– IMAP: the profile has no IMAP scope"), "{}", run.stdout);
    assert!(run.stdout.contains("– mbsync's plugin: the profile has no IMAP scope"), "{}", run.stdout);
}

#[test]
fn the_check_of_graph_mail_reads_the_inbox_and_sends_no_mail() {
    for (scopes, expected) in [
        ("'https://graph.microsoft.com/Mail.Send', 'https://graph.microsoft.com/Mail.Read'", "✓ Graph: localhost:"),
        (
            "'https://graph.microsoft.com/Mail.Send', 'https://graph.microsoft.com/Mail.Read'",
            "shows the inbox; Mail.Send is not tried, because that would send mail",
        ),
        ("'https://graph.microsoft.com/Mail.Send'", " accepts the token, which has Mail.Send; no mail was sent"),
        ("'Mail.Send.Shared'", " accepts the token, which has Mail.Send.Shared; no mail was sent"),
        ("'Calendars.ReadWrite', 'Mail.ReadWrite', 'Calendars.Read'", "shows the calendar and the inbox"),
    ] {
        let home = Home::new();
        home.store_token("work");
        let graph = format!("graph_host = 'localhost:{}'\n", home.standin.port());
        home.configure(&format!("{graph}{}[profiles.work]\nscopes = [{scopes}]\n", home.configuration()));
        let run = home.run("get-token", ["--check", "-p", "work"]);
        assert!(run.stdout.contains(expected), "{}", run.stdout);
        assert_eq!(run.code, Some(0), "{}", run.stdout);
    }
}

#[test]
fn the_check_of_the_profile_send_asks_graph_and_sends_no_mail() {
    let home = Home::new();
    home.store_token("send");
    home.configure_with(&format!("graph_host = 'localhost:{}'", home.standin.port()));
    let check = || home.run("get-token", ["--check", "-p", "send"]);
    let run = check();
    assert_eq!(run.code, Some(0), "{}", run.stdout);
    assert!(run.stdout.contains("✓ scopes: profile openid https://graph.microsoft.com/Mail.Send\n"), "{}", run.stdout);
    assert!(run.stdout.contains("✓ Graph: localhost:"), "{}", run.stdout);
    let requests = home.standin.requests();
    let graph: Vec<_> = requests.iter().filter(|request| request.path.starts_with("/v1.0/")).collect();
    assert_eq!((graph.len(), graph[0].method.as_str(), graph[0].path.as_str()), (1, "GET", "/v1.0/me"), "{graph:?}");

    home.standin.inject(Fault::AccessToken("not-a-token-of-microsoft".to_owned()));
    let run = check();
    assert!(run.stdout.contains(" rejected the token (HTTP status 401)"), "{}", run.stdout);
    assert_eq!(run.code, Some(77), "{}", run.stdout);

    home.standin.inject(Fault::Scope("User.Read".to_owned()));
    let run = check();
    assert!(run.stdout.contains("✗ scopes: Microsoft did not grant Mail.Send"), "{}", run.stdout);
    assert!(run.stdout.contains("– Graph: Mail.Send was not granted"), "{}", run.stdout);
    assert_eq!(run.code, Some(77), "{}", run.stdout);
}

#[test]
fn the_check_as_json_has_the_results_and_the_exit_code_of_the_text() {
    let home = Home::new();
    home.store_token("mail");
    let nobody = crate::support::free_port();
    home.configure_with(&format!("imap_host = 'localhost:{nobody}'\nsmtp_host = 'localhost:{nobody}'"));
    let run = home.run("get-token", ["--check", "--json", "-p", "mail", "-p", "calendar"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(77), ""), "{run:?}");
    let all: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((&all[0]["profile"], &all[1]["profile"]), (&"mail".into(), &"calendar".into()));
    let check = |profile: usize, name: &str| {
        let checks = all[profile]["checks"].as_array().unwrap();
        checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("{name} in {all}")).clone()
    };
    let imap = check(0, "IMAP");
    assert_eq!((&imap["result"], &imap["exit"]), (&"failed".into(), &75.into()));
    assert!(imap["hint"].as_str().unwrap().contains("check whether your network"), "{imap}");
    let refresh = check(0, "refresh");
    assert_eq!((&refresh["result"], &refresh["hint"]), (&"passed".into(), &serde_json::Value::Null));
    assert_eq!(check(1, "stored token")["exit"], 77);
    for secret in home.standin.issued_secrets() {
        assert!(!run.stdout.contains(&secret));
    }
    assert_eq!(home.run("get-token", ["--sign-out", "--json"]).code, Some(64));
}

#[test]
fn a_mail_server_that_does_not_respond_fails_within_seconds() {
    let home = Home::new();
    home.store_token("mail");
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    home.configure_with(&format!("imap_host = '127.0.0.1:{port}'\nsmtp_host = '127.0.0.1:{port}'"));
    let run = home.run("get-token", ["--check"]);
    let expected = format!("✗ IMAP: 127.0.0.1:{port} did not respond within 5 seconds");
    assert!(run.stdout.contains(&expected) && run.stdout.contains("✗ SMTP: "), "{run:?}");
    assert_eq!(run.code, Some(75));
}

/// A variable that cron does not set makes the difference.
#[cfg(unix)]
#[test]
fn the_check_as_cron_runs_without_the_variables_of_the_session_and_names_them() {
    let mut home = Home::new();
    home.store_token("mail");
    assert_eq!(home.run("get-token", ["--as-cron"]).code, Some(64));
    let alone = home.run("get-token", ["--check", "--as-cron"]);
    assert!(alone.stdout.contains("✓ refresh: ") && alone.stdout.contains("\n  PATH="), "{alone:?}");
    assert_eq!(alone.code, home.run("get-token", ["--check"]).code);

    home.configure(&home.configuration_without("ca_file"));
    let ca_file = home.standin.ca_file().display().to_string();
    home.environment.push(("SSL_CERT_FILE".to_owned(), ca_file.clone()));
    home.environment.push(("NO_PROXY".to_owned(), "ada:hunter2@localhost".to_owned()));
    let run = home.run("get-token", ["--check"]);
    assert!(run.stdout.contains("✓ network: "), "{run:?}");
    let run = home.run("get-token", ["--check", "--as-cron"]);
    assert!(run.stdout.contains("✗ network: ") && run.stdout.contains("certificate"), "{run:?}");
    assert!(run.stdout.contains(&format!("\n  SSL_CERT_FILE={ca_file}\n")), "{run:?}");
    assert!(run.stdout.contains("NO_PROXY=…") && !run.stdout.contains("hunter2"), "{run:?}");
    assert!(run.stdout.trim_end().lines().last().unwrap().contains(" checks failed: "), "{run:?}");

    let mut elsewhere = home.command("get-token");
    elsewhere.current_dir(home.config_file().parent().unwrap()).args(["--check", "--config", "config.toml"]);
    assert!(finish(&mut elsewhere).stdout.contains("✓ configuration: "), "relative to the current folder");
    let run = finish(elsewhere.arg("--as-cron"));
    assert_eq!(run.code, Some(78), "cron starts in the home folder: {run:?}");
}

#[cfg(windows)]
#[test]
fn the_check_as_cron_is_a_usage_error_on_windows() {
    let home = Home::new();
    home.store_token("mail");
    assert!(home.run("get-token", ["--check", "--as-cron"]).fails_with(64).contains("cron"));
    assert_eq!(home.standin.token_requests(), 0);
}

#[test]
fn the_check_names_programs_that_cannot_send_a_token_of_that_length() {
    for (length, words) in [(3_500, "too many for msmtp"), (8_000, "too many for mbsync, msmtp and OfflineIMAP")] {
        let setup = standin::Setup { access_token_length: length..=length, ..standin::Setup::default() };
        let home = Home::with(standin::Standin::start_with(setup));
        home.store_token("mail");
        let run = check(&home);
        assert!(
            run.stdout.contains(&format!("✗ length: the access token has {length} characters, {words}")),
            "{run:?}"
        );
        assert_eq!(run.code, Some(78));
    }
}

#[test]
fn a_mail_server_that_closes_the_connection_is_named_without_a_link() {
    let server = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = server.local_addr().unwrap().port();
    std::thread::spawn(move || server.accept().map(drop));
    let home = Home::new();
    home.store_token("mail");
    let nobody = crate::support::free_port();
    home.configure_with(&format!("imap_host = 'localhost:{nobody}'\nsmtp_host = '127.0.0.1:{port}'"));
    let run = home.run("get-token", ["--check"]);
    assert!(run.stdout.contains(&format!("✗ SMTP: 127.0.0.1:{port} closed the connection\n")), "{}", run.stdout);
}

#[test]
fn the_check_of_a_calendar_reports_that_graph_cannot_be_reached() {
    let home = Home::new();
    home.store_token("calendar");
    home.configure_with(&format!("graph_host = 'localhost:{}'", crate::support::free_port()));
    let run = home.run("get-token", ["--check", "-p", "calendar"]);
    assert!(run.stdout.contains("✗ Graph: localhost:"), "{}", run.stdout);
    assert_eq!(run.code, Some(75));
}

#[test]
fn the_check_of_a_calendar_says_whether_graph_is_busy_or_refuses_and_names_the_next_step() {
    let home = Home::new();
    home.store_token("calendar");
    home.configure_with(&format!("graph_host = 'localhost:{}'", home.standin.port()));
    for (status, code, error, hint) in [
        (429, 75, "is temporarily unavailable (429", "try again later"),
        (503, 75, "is temporarily unavailable (503", "try again later"),
        (404, 77, "has no /calendar for this account (HTTP status 404)", "has a mailbox in Exchange Online"),
        (403, 77, "rejected the token (HTTP status 403)", "compare the scopes of profile \"calendar\""),
    ] {
        home.standin.inject_into_graph(Fault::Status { status, retry_after: None });
        let run = home.run("get-token", ["--check", "-p", "calendar"]);
        assert!(run.stdout.contains(error) && run.stdout.contains(hint), "{}", run.stdout);
        assert_eq!(run.code, Some(code), "{}", run.stdout);
    }
}

/// The hint asks for the reference, which a person sees on a line of its own.
#[test]
fn the_check_as_json_has_microsofts_reference_in_the_message() {
    let home = Home::new();
    home.store_token("mail");
    home.standin.inject(Fault::aadsts(53_003));
    let run = home.run("get-token", ["--check", "--json"]);
    assert!(run.stdout.contains("quote Microsoft's reference"), "{}", run.stdout);
    assert!(run.stdout.contains("; Microsoft's reference: AADSTS53003, trace "), "{}", run.stdout);
}

#[test]
fn the_check_explains_a_failure_and_skips_mail_without_a_token() {
    let home = Home::new();
    let run = check(&home);
    assert!(run.stdout.contains("✗ stored token: No refresh token found"), "{}", run.stdout);
    assert!(run.stdout.contains("– refresh: it needs a stored token"), "{}", run.stdout);
    assert!(run.stdout.contains("– mail and calendar: no access token to test with"), "{}", run.stdout);

    let home = Home::new();
    home.store_token("mail");
    home.standin.inject(Fault::aadsts(53_003));
    let run = check(&home);
    assert!(
        run.stdout.contains("✗ refresh: blocked by your organisation's Conditional Access policy"),
        "{}",
        run.stdout
    );
    assert!(run.stdout.contains("AADSTS53003"), "{}", run.stdout);

    let home = Home::new();
    let _taken = std::net::TcpListener::bind(("127.0.0.1", home.callback_port)).unwrap();
    assert!(check(&home).stdout.contains("✗ callback: cannot listen"));
}

#[test]
fn what_was_asked_and_not_granted_fails_and_its_service_is_not_tried() {
    let home = Home::new();
    home.store_token("mail");
    home.standin.inject(Fault::Scope("IMAP.AccessAsUser.All".to_owned()));
    let run = check(&home);
    assert!(run.stdout.contains("✗ scopes: Microsoft did not grant SMTP.Send"), "{}", run.stdout);
    assert!(run.stdout.contains("– SMTP: SMTP.Send was not granted"), "{}", run.stdout);
    assert!(run.stdout.contains("✗ IMAP: localhost:"), "a scope without its resource counts: {}", run.stdout);
    assert_eq!(run.code, Some(77));
}

#[test]
fn the_check_counts_all_named_profiles_and_the_failure_that_matters_most_decides_the_exit_code() {
    let home = Home::new();
    let dead = crate::support::free_port();
    home.configure_with(&format!("imap_host = 'localhost:{dead}'\nsmtp_host = 'localhost:{dead}'"));
    home.store_token("mail");
    let run = home.run("get-token", ["--check", "-p", "mail", "-p", "calendar"]);
    assert_eq!(run.code, Some(77), "that nobody signed in matters more than a server that cannot be reached: {run:?}");
    let verdict = run.stdout.lines().next_back().unwrap();
    assert!(
        verdict.ends_with(" checks failed: IMAP of \"mail\", SMTP of \"mail\", stored token of \"calendar\"."),
        "{verdict}"
    );
    assert!(verdict.starts_with("3 of "), "{verdict}");
}

#[test]
#[cfg(target_os = "linux")]
fn the_check_says_whether_mail_keeps_working_in_an_outage() {
    let lifetime = Some(std::time::Duration::from_secs(3600));
    let setup = standin::Setup { access_token_lifetime: lifetime, ..standin::Setup::default() };
    let home = crate::memory::with_memory(Home::with(standin::Standin::start_with(setup)));
    home.store_token("mail");
    home.run("get-token", ["--check"]);
    let requests = home.standin.token_requests();
    let shown = |home: &Home| home.run("get-token", ["--check"]).stdout;
    let text = shown(&home);
    let expected = "✓ cache: the access token is in kernel memory: renewed after 30 minutes, used for up to 55 minutes if \
                    that fails";
    assert!(text.contains(expected), "{text}");
    assert_eq!(home.standin.token_requests(), requests + 1, "a real request, although a token is cached");
    home.configure(&home.configuration());
    let text = shown(&home);
    let expected = "– cache: the access token is not cached (the configuration says cache = \"none\"); each command \
                    requests a new one, so an outage stops mail at once";
    assert!(text.contains(expected), "{text}");
}
