//! Error responses of Microsoft, and responses that did not come from Microsoft.

use standin::Fault;

use crate::support::{Home, SHORT_TIMEOUT};

/// Injects a fault into a refresh and its retries, and asserts the exit code and the texts. The stored token is kept.
#[track_caller]
fn fault(fault: Fault, code: i32, texts: &[&str]) {
    let home = Home::new();
    let token = home.store_token("mail");
    home.configure_with(&format!("network_timeout = {SHORT_TIMEOUT}"));
    home.standin.inject_times(fault, 50);
    let run = home.refresh();
    let stderr = run.fails_with(code);
    for text in texts {
        assert!(stderr.contains(text), "{text} in {stderr}");
    }
    assert_eq!(home.token_in_file("mail"), Some(token));
    if code != 75 {
        assert_eq!(home.standin.token_requests(), 1, "permanent failures are not retried");
    }
    home.standin.clear_faults();
    home.refresh().token();
}

#[test]
fn a_response_that_is_not_from_microsoft_is_76_and_hints_at_captive_portals() {
    let faults = [Fault::Html, Fault::Empty, Fault::NotJson, Fault::Huge, Fault::Redirect];
    std::thread::scope(|scope| {
        for injected in faults {
            scope
                .spawn(move || fault(injected, 76, &["unexpected response (not from Microsoft?): ", "captive portal"]));
        }
    });
}

#[test]
fn a_malformed_access_token_exits_with_76_and_the_new_refresh_token_is_stored() {
    for injected in [Fault::AccessToken("two lines\nof text".to_owned()), Fault::NoAccessToken] {
        let home = Home::new();
        let old = home.store_token("mail");
        home.standin.set_single_use_refresh_tokens(true);
        home.standin.inject(injected);
        assert!(home.refresh().fails_with(76).contains("the access token is not valid"));
        assert_ne!(home.token_in_file("mail"), Some(old));
        home.refresh().token();
    }
}

#[test]
fn transient_failures_exit_with_75() {
    fault(Fault::Hang, 75, &["error: the request to localhost:", " timed out after ", "increase network_timeout in "]);
    fault(Fault::Reset, 75, &["error: localhost:", " cannot be reached: ", "the stored token is kept"]);
    for status in [408, 429, 500, 503] {
        fault(
            Fault::Status { status, retry_after: None },
            75,
            &["is temporarily unavailable", "the stored token is kept"],
        );
    }
    fault(Fault::Truncated, 75, &["the response from localhost:", " was cut off", "the stored token is kept"]);
    fault(Fault::aadsts(50_196), 75, &["AADSTS50196", "try again later"]);
}

#[test]
fn an_error_response_shows_microsofts_sentence_and_reference() {
    let home = Home::new();
    home.store_token("mail");
    home.standin.inject(Fault::aadsts(53_003));
    let run = home.refresh();
    let stderr = run.fails_with(77);
    let message = "error: blocked by your organisation's Conditional Access policy (AADSTS53003). \
                   Microsoft: \"Access has been blocked by Conditional Access policies. \
                   The access policy does not allow token issuance.\"\n";
    for part in [message, "\nMicrosoft's reference: AADSTS53003, trace ", ", correlation "] {
        assert!(stderr.contains(part), "{part} in {stderr}");
    }
    assert!(!stderr.contains("http"), "no error_uri: {stderr}");
}

#[test]
fn text_from_outside_cannot_control_the_terminal() {
    let home = Home::new();
    home.store_token("mail");
    home.standin.inject(Fault::HostileText);
    let run = home.refresh();
    assert_ne!(run.code, Some(0));
    // U+202E is not a control character: it reverses the text that follows.
    let is_harmless = |c: char| !c.is_control() && c != '\u{202e}';
    assert!(run.stderr.contains("[2J"), "{run:?}");
    assert!(run.stderr.lines().all(|line| line.chars().all(is_harmless)), "{:?}", run.stderr);
    // Control characters in a path are replaced only when the message is printed. Windows has no file names with
    // control characters.
    let run = home.run("refresh-token", ["--config", "/nonexistent/\u{1b}[2J\r\u{9b}2J"]);
    assert!(
        run.fails_with(if cfg!(windows) { 74 } else { 78 }).lines().all(|line| line.chars().all(is_harmless)),
        "{:?}",
        run.stderr
    );
}

#[test]
fn a_wrong_app_registration_exits_with_78_and_shows_the_values() {
    let client_id = standin::PUBLIC_CLIENT_ID;
    fault(Fault::aadsts(7_000_218), 78, &["AADSTS7000218", client_id, "app registration"]);
    fault(Fault::aadsts(50_011), 78, &["the redirect URI https://localhost:", client_id, "config.toml"]);
}

/// Returns the codes with the causes and hints of `docs/aadsts.md`, filled in with the values of this home. A unit test
/// compares the page with the table of the program.
fn table(home: &Home) -> Vec<(u32, String, String)> {
    let redirect_uri = format!("https://localhost:{}/", home.callback_port);
    let authority = home.standin.authority();
    let consent_url =
        format!("{}adminconsent?client_id={}", home.standin.authority_for("organizations"), standin::PUBLIC_CLIENT_ID);
    let file = home.config_file().display().to_string();
    let message = |cell: &str| {
        let cell = cell.replacen("Try again", "try again", 1);
        let text = match cell.starts_with("Microsoft") {
            true => cell.to_owned(),
            false => cell[..1].to_lowercase() + &cell[1..],
        };
        text.replace("ADMIN_CONSENT_URL", &consent_url)
            .replace("REDIRECT_URI", &redirect_uri)
            .replace("CLIENT_ID", standin::PUBLIC_CLIENT_ID)
            .replace("TENANT", authority.trim_end_matches('/').rsplit('/').next().unwrap())
            .replace("efresh token or code", "efresh token")
            .replace("SCOPES", SCOPES)
            .replace("`get-token`", "`get-token --profile mail`")
            .replace("the reference in the message", "the reference below")
            .replace("PROFILE", "mail")
            .replace("CONFIG_FILE", &file)
    };
    let mut hint = String::new();
    let mut rows = Vec::new();
    for line in include_str!("../../docs/aadsts.md").lines() {
        if let Some(text) = line.strip_prefix("**").and_then(|line| line.strip_suffix(":**")) {
            hint = message(text);
        } else if let Some((codes, cause)) = line.strip_prefix("- ").and_then(|line| line.split_once(": ")) {
            rows.extend(codes.split(", ").map(|code| (code.parse().unwrap(), message(cause), hint.clone())));
        }
    }
    rows
}

/// The built-in scopes of the profile `mail`.
const SCOPES: &str = "https://outlook.office.com/IMAP.AccessAsUser.All https://outlook.office.com/SMTP.Send";

#[test]
fn every_code_of_the_table_shows_its_cause_and_hint_and_keeps_the_token() {
    let home = Home::new();
    let token = home.store_token("mail");
    let codes = table(&home);
    assert!(codes.len() > 90);
    home.configure_with("network_timeout = 1");
    for (code, cause, hint) in codes {
        home.standin.clear_faults();
        home.standin.inject_times(Fault::aadsts(code), 5);
        let run = home.refresh();
        assert!([75, 77, 78].contains(&run.code.unwrap()), "{code}: {run:?}");
        let stderr = run.fails_with(run.code.unwrap());
        let expected = format!("error: {cause} (AADSTS{code}). Microsoft: \"");
        assert!(stderr.starts_with(&expected), "{expected} in {stderr}");
        let kept = if hint == "try again later" { "; the stored token is kept" } else { "" };
        let expected = format!(" hint: {hint}{kept} Microsoft's reference: AADSTS{code}, trace ");
        assert!(stderr.replace('\n', " ").contains(&expected), "{expected} in {stderr}");
        assert_eq!(home.token_in_file("mail").as_ref(), Some(&token), "{code}");
    }
    home.standin.clear_faults();
    home.refresh().token();
}

/// `suberror`, or `error`, of a response without a code: the exit code and what the message says.
const WITHOUT_CODE: &[(&str, i32, &str)] = &[
    ("basic_action", 77, "requires an interactive sign-in"),
    ("additional_action", 77, "requires an additional step"),
    ("user_password_expired", 77, "your password has expired"),
    ("consent_required", 77, "you have not consented to the scopes of profile \"mail\""),
    ("bad_token", 77, "the refresh token is not valid"),
    ("token_expired", 77, "the refresh token has expired"),
    ("client_mismatch", 78, "the refresh token was issued to a client other than"),
    ("message_only", 77, "blocked by a policy of your organisation"),
    ("protection_policy_required", 77, "requires an Intune app protection policy"),
    ("device_authentication_failed", 77, "requires a registered device"),
    ("invalid_scope", 78, SCOPES),
    ("interaction_required", 77, "Microsoft requires an interactive sign-in"),
    ("login_required", 77, "Microsoft requires an interactive sign-in"),
    ("expired_token", 77, "the device code has expired"),
    ("authorization_declined", 77, "the sign-in was declined"),
];

#[test]
fn without_a_code_suberror_or_error_chooses_the_message() {
    let home = Home::new();
    home.store_token("mail");
    for (name, exit, cause) in WITHOUT_CODE {
        let errors =
            ["invalid_scope", "interaction_required", "login_required", "expired_token", "authorization_declined"];
        let (error, suberror) = match *name {
            name if errors.contains(&name) => (name, None),
            "protection_policy_required" => ("unauthorized_client", Some((*name).to_owned())),
            _ => ("invalid_grant", Some((*name).to_owned())),
        };
        home.standin.inject(Fault::WithoutCode { error: error.to_owned(), suberror: suberror.clone() });
        let run = home.refresh();
        let stderr = run.fails_with(*exit);
        let (message, hint) = stderr.split_once("\nhint: ").unwrap();
        assert!(message.contains(cause) && message.ends_with("Microsoft: \"The request was refused.\""), "{message}");
        assert!(!hint.is_empty(), "{name}");
        // With the general code 70000, `suberror` still chooses the message; any other code of the table is more
        // precise.
        if let Some(suberror) = suberror {
            let refusal =
                |code| Fault::Aadsts { code, error: error.to_owned(), suberror: Some(suberror.clone()), status: 400 };
            home.standin.inject(refusal(70_000));
            let run = home.refresh();
            let message = run.fails_with(*exit);
            assert!(message.contains(cause) && message.contains("(AADSTS70000)"), "{message}");
            home.standin.inject(refusal(50_057));
            assert!(home.refresh().stderr.starts_with("error: your account is disabled (AADSTS50057)."), "{suberror}");
        }
    }
}

#[test]
fn scopes_that_are_refused_are_named_with_what_personal_accounts_require() {
    let personal = "mail scopes of personal accounts begin with https://outlook.office.com/";
    let invalid_scope = || Fault::WithoutCode { error: "invalid_scope".to_owned(), suberror: None };
    for refusal in [invalid_scope(), Fault::aadsts(650_053), Fault::aadsts(70_011)] {
        fault(refusal, 78, &[SCOPES, "config.toml", personal]);
    }
    let home = Home::new();
    home.standin.inject(invalid_scope());
    assert!(home.sign_in().fails_with(78).contains(SCOPES));
}

#[test]
fn a_request_that_a_policy_blocks_is_not_retried() {
    for code in [50_005, 53_003, 53_009, 530_034, 530_084, 135_010, 135_011] {
        fault(Fault::aadsts(code), 77, &["IT department", "signing in again does not help"]);
    }
}

#[test]
fn a_managed_device_is_told_of_the_add_on_that_presents_its_credential() {
    for code in [50_097, 53_000, 53_001, 530_003] {
        fault(Fault::aadsts(code), 77, &["IT department", "add linux-entra-sso to the browser"]);
    }
}

#[test]
fn the_error_decides_the_exit_code_and_the_aadsts_code_the_message() {
    for (code, error, suberror, exit) in [
        (53_003, "invalid_grant", None, 77),
        (53_009, "unauthorized_client", Some("protection_policy_required"), 77),
        (999_999, "unauthorized_client", Some("protection_policy_required"), 77),
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
fn administrator_consent_shows_the_url_to_forward() {
    let home = Home::new();
    home.store_token("mail");
    home.standin.inject(Fault::aadsts(90_094));
    let run = home.refresh();
    // An administrator cannot consent for "common".
    let organizations = home.standin.authority_for("organizations");
    let url = format!("{organizations}adminconsent?client_id={}", standin::PUBLIC_CLIENT_ID);
    assert!(run.fails_with(77).contains(&url), "{run:?}");
}
