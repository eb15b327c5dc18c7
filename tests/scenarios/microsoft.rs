//! Answers that are refusals, and answers that are none.

use standin::Fault;

use crate::support::Home;

/// Orders a fault for a refresh and for whatever is tried after it, and asserts the exit code and these words; the stored token survives.
#[track_caller]
fn fault(fault: Fault, code: i32, words: &[&str]) {
    let home = Home::new();
    let token = home.store_token("mail");
    home.configure_with("network_timeout = 1");
    home.standin.order_times(fault, 5);
    let run = home.refresh();
    let stderr = run.fails_with(code);
    for word in words {
        assert!(stderr.contains(word), "{word} in {stderr}");
    }
    assert_eq!(home.token_in_file("mail"), Some(token));
    if code != 75 {
        assert_eq!(home.standin.token_requests(), 1, "what does not pass is not tried again");
    }
    home.standin.clear_orders();
    home.refresh().token();
}

#[test]
fn what_is_no_answer_of_microsoft_is_76_and_hints_at_captive_portals() {
    let faults = [Fault::Html, Fault::Empty, Fault::NotJson, Fault::Huge, Fault::Redirect];
    std::thread::scope(|scope| {
        for order in faults {
            scope.spawn(move || fault(order, 76, &["no answer of the Microsoft identity platform", "captive portal"]));
        }
    });
}

#[test]
fn an_odd_access_token_is_76_and_the_new_refresh_token_is_kept() {
    for order in [Fault::AccessToken("two lines\nof text".to_owned()), Fault::NoAccessToken] {
        let home = Home::new();
        let old = home.store_token("mail");
        home.standin.set_single_use_refresh_tokens(true);
        home.standin.order(order);
        assert!(home.refresh().fails_with(76).contains("the access token in it is none"));
        assert_ne!(home.token_in_file("mail"), Some(old));
        home.refresh().token();
    }
}

#[test]
fn an_odd_id_token_or_lifetime_costs_a_refresh_nothing_else() {
    for order in [Fault::BrokenIdToken, Fault::WrongAudience, Fault::NoIdToken, Fault::ExpiresInText] {
        let home = Home::new();
        home.sign_in().token(); // the account is recorded
        home.standin.set_single_use_refresh_tokens(true);
        home.standin.order(order);
        assert!(home.standin.is_valid_access_token(home.refresh().token()));
        home.refresh().token();
    }
}

#[test]
fn what_passes_is_75() {
    fault(Fault::Hang, 75, &["did not answer within 1 seconds", "network_timeout"]);
    fault(Fault::Reset, 75, &["cannot be reached", "still good"]);
    for status in [408, 429, 500, 503] {
        fault(Fault::Status { status, retry_after: None }, 75, &["cannot answer now", "still good"]);
    }
    fault(Fault::Truncated, 75, &["cannot be reached", "still good"]);
    fault(Fault::aadsts(50_196), 75, &["AADSTS50196", "try again later"]);
}

#[test]
fn what_passes_is_tried_again() {
    for order in [
        Fault::Reset,
        Fault::AnswerLost,
        Fault::Truncated,
        Fault::Status { status: 408, retry_after: None },
        Fault::Status { status: 429, retry_after: None },
        Fault::Status { status: 503, retry_after: Some("0".to_owned()) },
        Fault::aadsts(50_196),
        Fault::aadsts(90_033),
        Fault::Aadsts { code: 0, error: "temporarily_unavailable".to_owned(), suberror: None, status: 400 },
    ] {
        let home = Home::new();
        home.store_token("mail");
        home.standin.order(order.clone());
        assert!(home.standin.is_valid_access_token(home.refresh().token()), "{order:?}");
        assert_eq!(home.standin.token_requests(), 2, "{order:?}");
        assert!(home.standin.is_valid_refresh_token(&home.token_in_file("mail").unwrap()), "{order:?}");
    }
}

#[test]
fn microsoft_is_left_alone_for_as_long_as_it_wants() {
    let home = Home::new();
    home.store_token("mail");
    home.standin.order(Fault::Status { status: 429, retry_after: Some("1".to_owned()) });
    let begun = std::time::Instant::now();
    home.refresh().token();
    assert!(begun.elapsed() >= std::time::Duration::from_secs(1));

    // Longer than we may take: it is said, and not waited.
    home.standin.order(Fault::Status { status: 503, retry_after: Some("31".to_owned()) });
    let asked = home.standin.token_requests();
    assert!(home.refresh().fails_with(75).contains("try again in 31 seconds"));
    assert_eq!(home.standin.token_requests(), asked + 1);
}

#[test]
fn a_code_is_sent_again_only_where_nobody_answered() {
    let home = Home::new();
    home.standin.order(Fault::Reset);
    home.sign_in().token();

    let home = Home::new();
    home.standin.order(Fault::Status { status: 503, retry_after: None });
    home.sign_in().fails_with(75);
    assert_eq!(home.standin.token_requests(), 1);
}

#[test]
fn a_slow_answer_is_an_answer() {
    let home = Home::new();
    home.store_token("mail");
    home.standin.order(Fault::ByteByByte);
    home.refresh().token();
}

#[test]
fn a_refusal_shows_what_microsofts_support_asks_for() {
    let home = Home::new();
    home.store_token("mail");
    home.standin.order(Fault::aadsts(53_003));
    let run = home.refresh();
    let stderr = run.fails_with(77);
    for part in ["AADSTS53003", "trace ", "correlation "] {
        assert!(stderr.contains(part), "{part} in {stderr}");
    }
    assert!(!stderr.contains("http"), "no error_uri: {stderr}");
}

#[test]
fn text_from_outside_cannot_steer_the_terminal() {
    let home = Home::new();
    home.store_token("mail");
    home.standin.order(Fault::HostileText);
    let run = home.refresh();
    assert_ne!(run.code, Some(0));
    assert!(run.stderr.lines().all(|line| !line.contains(char::is_control)), "{:?}", run.stderr);
}

#[test]
fn a_wrong_configuration_at_microsoft_is_78() {
    fault(Fault::aadsts(7_000_218), 78, &["AADSTS7000218", "app registration"]);
    fault(Fault::aadsts(700_016), 78, &["AADSTS700016"]);
}

#[test]
fn an_unknown_certificate_authority_is_75_and_hints_at_ca_file() {
    let home = Home::new();
    home.store_token("mail");
    home.configure(&home.configuration_without("ca_file"));
    assert!(home.refresh().fails_with(75).contains("ca_file"));
    // The variables are honoured.
    let mut trusting = home.command("refresh-token");
    crate::support::finish(trusting.env("SSL_CERT_FILE", home.standin.ca_file())).token();
    #[cfg(target_os = "linux")]
    {
        // In the form in which OpenSSL's `c_rehash` names them.
        let folder = home.path().join("authorities");
        std::fs::create_dir(&folder).unwrap();
        std::fs::copy(home.standin.ca_file(), folder.join("0a1b2c3d.0")).unwrap();
        crate::support::finish(home.command("refresh-token").env("SSL_CERT_DIR", &folder)).token();
        // A file that knows another authority does not hide the folder; alone, it vouches for nobody here.
        let other = standin::Standin::start();
        let with_other = || {
            let mut command = home.command("refresh-token");
            command.env("SSL_CERT_FILE", other.ca_file());
            command
        };
        crate::support::finish(with_other().env("SSL_CERT_DIR", &folder)).token();
        crate::support::finish(&mut with_other()).fails_with(75);
    }
}

#[test]
fn a_proxy_is_used_where_a_variable_names_one() {
    let home = Home::new();
    home.store_token("mail");
    let nobody = format!("http://localhost:{}", crate::support::free_port());
    let run = crate::support::finish(home.command("refresh-token").env("HTTPS_PROXY", &nobody));
    assert!(run.fails_with(75).contains("cannot be reached"));
    assert_eq!(home.standin.connections(), 0);
    let mut without = home.command("refresh-token");
    crate::support::finish(without.env("HTTPS_PROXY", &nobody).env("NO_PROXY", "localhost")).token();
}

/// The codes and causes of the table, as the troubleshooting page shows them; a unit test compares the two.
fn table() -> Vec<(u32, &'static str)> {
    let page = include_str!("../../docs/troubleshooting.md").split_once("## AADSTS codes").unwrap().1;
    let rows = page.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        Some((cells.next()?.parse().ok()?, cells.next()?))
    });
    rows.collect()
}

#[test]
fn every_code_of_the_table_shows_cause_and_next_step_and_keeps_the_token() {
    let home = Home::new();
    let token = home.store_token("mail");
    let table = table();
    assert!(table.len() > 70);
    home.configure_with("network_timeout = 1");
    for (code, cause) in table {
        home.standin.clear_orders();
        home.standin.order_times(Fault::aadsts(code), 5);
        let run = home.refresh();
        assert!([75, 77, 78].contains(&run.code.unwrap()), "{code}: {run:?}");
        let stderr = run.fails_with(run.code.unwrap());
        assert!(stderr.contains(&format!("error: {cause}\nhint: ")), "{code}: {stderr}");
        assert!(stderr.contains(&format!("AADSTS{code}, trace ")), "{code}: {stderr}");
        assert_eq!(home.token_in_file("mail").as_ref(), Some(&token), "{code}");
    }
    home.standin.clear_orders();
    home.refresh().token();
}

#[test]
fn the_error_decides_the_exit_code_and_the_aadsts_code_the_words() {
    for (code, error, suberror, exit) in [
        (53_003, "invalid_grant", None, 77),
        (65_001, "invalid_grant", Some("consent_required"), 77),
        (700_082, "invalid_grant", Some("bad_token"), 77),
        (50_076, "interaction_required", Some("basic_action"), 77),
        (700_016, "unauthorized_client", None, 78),
        (90_002, "invalid_request", None, 78),
        (70_011, "invalid_scope", None, 78),
        (999_999, "invalid_client", None, 78),
        (700_082, "invalid_client", None, 78),
        (50_196, "invalid_grant", None, 75),
        (90_033, "invalid_request", None, 75),
        (999_999, "temporarily_unavailable", None, 75),
    ] {
        let suberror = suberror.map(str::to_owned);
        fault(Fault::Aadsts { code, error: error.to_owned(), suberror, status: 400 }, exit, &[]);
    }
}

#[test]
fn an_administrators_consent_shows_the_address_to_forward() {
    let home = Home::new();
    home.store_token("mail");
    home.standin.order(Fault::aadsts(90_094));
    let run = home.refresh();
    // "common" is no organisation to consent for.
    let organizations = home.standin.authority_of("organizations");
    let address = format!("{organizations}adminconsent?client_id={}", standin::PUBLIC_CLIENT_ID);
    assert!(run.fails_with(77).contains(&address), "{run:?}");
}
