//! The network: connections that fail, retries, certificates.

use standin::Fault;

use crate::support::{Home, SHORT_TIMEOUT};

#[test]
fn transient_failures_are_retried() {
    for injected in [
        Fault::Reset,
        Fault::ResponseLost,
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
        home.standin.inject(injected.clone());
        assert!(home.standin.is_valid_access_token(home.refresh().token()), "{injected:?}");
        assert_eq!(home.standin.token_requests(), 2, "{injected:?}");
        assert!(home.standin.is_valid_refresh_token(&home.token_in_file("mail").unwrap()), "{injected:?}");
    }
}

#[test]
fn retry_after_is_honoured() {
    let home = Home::new();
    home.store_token("mail");
    home.standin.inject(Fault::Status { status: 429, retry_after: Some("1".to_owned()) });
    let begun = std::time::Instant::now();
    home.refresh().token();
    assert!(begun.elapsed() >= std::time::Duration::from_secs(1));

    // Longer than the time limit: the hint says so, and the command does not wait.
    home.standin.inject(Fault::Status { status: 503, retry_after: Some("31".to_owned()) });
    let requests = home.standin.token_requests();
    assert!(home.refresh().fails_with(75).contains("try again in 31 seconds"));
    assert_eq!(home.standin.token_requests(), requests + 1);
}

/// A busy server that answers has usually not used the code, so the code is sent again; but it may have, so only once.
#[test]
fn an_authorization_code_is_resent_once_after_a_response() {
    for injected in [
        Fault::Reset,
        Fault::Status { status: 429, retry_after: None },
        Fault::Status { status: 503, retry_after: Some("0".to_owned()) },
        Fault::Truncated,
    ] {
        let home = Home::new();
        home.standin.inject(injected);
        home.sign_in().token();
        assert_eq!(home.standin.token_requests(), 2);
    }

    let home = Home::new();
    home.standin.inject_times(Fault::Status { status: 503, retry_after: None }, 3);
    home.sign_in().fails_with(75);
    assert_eq!(home.standin.token_requests(), 2);
}

#[test]
fn if_the_first_attempt_used_the_authorization_code_its_error_is_reported() {
    for (first, text) in [
        (Fault::Status { status: 502, retry_after: None }, "is temporarily unavailable (502"),
        (Fault::Truncated, "was cut off"),
        (Fault::ResponseLost, "cannot be reached"),
    ] {
        let home = Home::new();
        home.standin.inject(first);
        home.standin.inject(Fault::aadsts(54_005));
        let run = home.sign_in();
        let stderr = run.fails_with(75);
        assert!(stderr.contains(text) && !stderr.contains("54005"), "{stderr}");
    }
    // Without an earlier failure, Microsoft's response is reported.
    let home = Home::new();
    home.standin.inject(Fault::aadsts(54_005));
    assert!(home.sign_in().fails_with(77).contains("54005"));
}

#[test]
fn a_connection_that_ends_early_is_named_without_a_link() {
    for (injected, text) in
        [(Fault::Truncated, " was cut off\n"), (Fault::Closed, " cannot be reached: the connection was closed\n")]
    {
        let home = Home::new();
        home.store_token("mail");
        home.configure_with(&format!("network_timeout = {SHORT_TIMEOUT}"));
        home.standin.inject_times(injected, 50);
        let run = home.refresh();
        let stderr = run.fails_with(75);
        assert!(stderr.contains(text) && !stderr.contains("http"), "{stderr}");
    }
}

#[test]
fn a_slow_response_is_accepted() {
    let home = Home::new();
    home.store_token("mail");
    home.standin.inject(Fault::ByteByByte);
    home.refresh().token();
}

#[test]
fn an_unknown_certificate_authority_is_75_and_hints_at_ca_file() {
    let home = Home::new();
    home.store_token("mail");
    home.configure(&home.configuration_without("ca_file"));
    assert!(home.refresh().fails_with(75).contains("ca_file"));
    // SSL_CERT_FILE and SSL_CERT_DIR work, too.
    let mut trusting = home.command("refresh-token");
    crate::support::finish(trusting.env("SSL_CERT_FILE", home.standin.ca_file())).token();
    #[cfg(target_os = "linux")]
    {
        // A file name as OpenSSL's `c_rehash` creates it.
        let folder = home.path().join("authorities");
        std::fs::create_dir(&folder).unwrap();
        std::fs::copy(home.standin.ca_file(), folder.join("0a1b2c3d.0")).unwrap();
        crate::support::finish(home.command("refresh-token").env("SSL_CERT_DIR", &folder)).token();
        // A bundle without the stand-in's authority does not hide the folder; alone, it does not verify the stand-in.
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
