//! `get-token` with the stand-in's browser: the listener, the code exchange, the result page and the terminal output.

use std::io::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};

use standin::{ADA, Browser, CLIENT_SECRET, CONFIDENTIAL_CLIENT_ID, Fault, PUBLIC_CLIENT_ID};

use crate::support::Home;
#[cfg(unix)]
use crate::support::SignIn;

#[test]
fn stores_the_refresh_token_shows_the_account_and_prints_the_access_token() {
    let home = Home::new();
    let run = home.sign_in();
    assert!(home.standin.is_valid_access_token(run.token()));
    assert!(home.standin.is_valid_refresh_token(&home.token_in_file("mail").unwrap()));
    let summary = format!("\nSigned in as {ADA} (profile \"mail\").\nRefresh token saved in ");
    assert!(run.stderr.contains(&summary), "the first line says who signed in: {}", run.stderr);
    home.refresh().token();
}

#[test]
fn the_summary_names_what_is_granted_and_warns_of_what_is_not() {
    let home = Home::new();
    let run = home.sign_in();
    assert!(run.stderr.contains("\nGranted: IMAP, SMTP.\n") && !run.stderr.contains("warning:"), "{}", run.stderr);
    assert!(!run.stderr.contains("Next:"), "only a person on a terminal needs the next steps: {}", run.stderr);
    home.standin.inject(Fault::Scope("https://outlook.office.com/imap.accessasuser.all".to_owned()));
    let run = home.sign_in();
    run.token();
    assert!(run.stderr.contains("\nGranted: IMAP.\n"), "{}", run.stderr);
    assert!(
        run.stderr.contains("warning: Microsoft did not grant SMTP.Send to the profile \"mail\""),
        "{}",
        run.stderr
    );
}

#[test]
fn the_request_has_state_nonce_pkce_and_select_account() {
    let home = Home::new();
    home.sign_in().token();
    let requests = home.standin.requests();
    let authorize = requests.iter().find(|request| request.path.ends_with("/authorize")).unwrap();
    let parameter = |name: &str| authorize.parameters.get(name).map(String::as_str);
    assert!(parameter("state").unwrap().len() >= 43, "256 bits");
    assert!(parameter("nonce").unwrap().len() >= 43, "256 bits");
    assert_eq!(parameter("code_challenge_method"), Some("S256"));
    assert_eq!(parameter("prompt"), Some("select_account"));
    assert_eq!(parameter("login_hint"), None);
    assert!(!authorize.parameters.contains_key("client_secret"));
}

#[test]
fn a_username_is_sent_as_login_hint() {
    let home = Home::new();
    home.configure_with(&format!("username = '{ADA}'"));
    home.sign_in().token();
    let requests = home.standin.requests();
    let authorize = requests.iter().find(|request| request.path.ends_with("/authorize")).unwrap();
    assert_eq!(authorize.parameters.get("login_hint").map(String::as_str), Some(ADA));
    assert!(!authorize.parameters.contains_key("prompt"));
}

#[test]
fn a_confidential_client_signs_in_with_its_secret() {
    let home = Home::new();
    let confidential = home.configuration().replace(PUBLIC_CLIENT_ID, CONFIDENTIAL_CLIENT_ID);
    home.configure(&format!("client_secret = '{CLIENT_SECRET}'\n{confidential}"));
    home.sign_in().token();
}

#[test]
fn the_result_page_shows_the_account_and_no_secret() {
    let home = Home::new();
    let sign_in = home.begin_sign_in(&[]);
    let page = sign_in.approve(ADA);
    assert_eq!(page.status, 200);
    assert!(page.body.contains("You are signed in") && page.body.contains(ADA), "{}", page.body);
    assert!(!page.url.contains("code="), "the URL still contains the code: {}", page.url);
    assert_eq!(page.headers["cache-control"], "no-store");
    assert_eq!(page.headers["referrer-policy"], "no-referrer");
    assert!(page.headers["content-security-policy"].starts_with("default-src 'none'"));
    assert!(!page.body.contains("<script") && !page.body.contains("http"), "{}", page.body);
    sign_in.finish().token();
}

#[test]
fn a_declined_sign_in_is_reported_on_the_page_and_in_the_terminal() {
    let home = Home::new();
    let sign_in = home.begin_sign_in(&[]);
    let page = sign_in.decline(ADA);
    assert!(
        page.body.contains("Microsoft did not complete the sign-in") && page.body.contains("AADSTS65004"),
        "{}",
        page.body
    );
    let run = sign_in.finish();
    let stderr = run.fails_with(77);
    assert!(stderr.contains("declined") && stderr.contains("AADSTS65004"), "{stderr}");
    assert_eq!(home.token_in_file("mail"), None);
}

#[test]
fn a_failed_exchange_is_reported_on_the_page_and_in_the_terminal() {
    let home = Home::new();
    home.standin.inject(Fault::aadsts(7_000_218));
    let sign_in = home.begin_sign_in(&[]);
    assert!(sign_in.approve(ADA).body.contains("AADSTS7000218"));
    assert!(sign_in.finish().fails_with(78).contains("AADSTS7000218"));
}

#[test]
fn other_requests_are_rejected_and_the_wait_continues() {
    let home = Home::new();
    let sign_in = home.begin_sign_in(&[]);
    let callback = format!("https://localhost:{}", home.callback_port);
    for (path, status) in [
        ("/favicon.ico", 404),
        ("/?code=stolen", 400),
        ("/?code=stolen&state=wrong", 400),
        ("/?error=access_denied&state=", 400),
        ("/other?code=x", 404),
        ("/", 400),
    ] {
        assert_eq!(Browser::get(&format!("{callback}{path}")).unwrap().status, status, "{path}");
    }
    // An aborted handshake, plain HTTP, and a connection without data.
    for bytes in [b"\x16\x03".as_slice(), b"GET / HTTP/1.0\r\n\r\n", b""] {
        TcpStream::connect(("127.0.0.1", home.callback_port)).unwrap().write_all(bytes).unwrap();
    }
    sign_in.approve(ADA);
    sign_in.finish().token();
}

#[test]
fn a_redirect_without_a_code_is_rejected_and_the_wait_continues() {
    let home = Home::new();
    let sign_in = home.begin_sign_in(&[]);
    let url = sign_in.url.clone();
    let state = url.split("state=").nth(1).unwrap().split('&').next().unwrap();
    let page = Browser::get(&format!("https://localhost:{}/?state={state}", home.callback_port)).unwrap();
    assert_eq!(page.status, 400);
    sign_in.approve(ADA);
    sign_in.finish().token();
}

#[test]
fn listens_on_ipv4_and_ipv6_loopback_only() {
    let home = Home::new();
    let sign_in = home.begin_sign_in(&[]);
    TcpStream::connect((Ipv4Addr::LOCALHOST, home.callback_port)).unwrap();
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
        TcpStream::connect((Ipv6Addr::LOCALHOST, home.callback_port)).unwrap();
    }
    // The whole of 127.0.0.0/8 reaches this machine, so 127.0.0.2 represents its other addresses.
    assert!(TcpStream::connect(("127.0.0.2", home.callback_port)).is_err());
    sign_in.approve(ADA);
    sign_in.finish().token();
}

#[test]
fn a_port_in_use_on_either_address_exits_with_69() {
    for address in ["127.0.0.1", "::1"] {
        let home = Home::new();
        let Ok(_listener) = TcpListener::bind((address, home.callback_port)) else { continue };
        let run = home.run("get-token", ["--browser", "never", "--timeout", "5"]);
        let stderr = run.fails_with(69);
        let redirect_uri = format!("https://localhost:{}/", home.callback_port);
        let hint = format!("change the port of redirect_uri in {} (", home.config_file().display());
        assert!(stderr.contains(&redirect_uri) && stderr.contains(&hint), "{stderr}");
    }
}

#[test]
fn a_sign_in_times_out() {
    let home = Home::new();
    let run = home.run("get-token", ["--browser", "never", "--timeout", "1"]);
    assert!(run.fails_with(75).contains("nobody signed in within 1 second (profile \"mail\")"));
}

#[test]
fn the_certificate_is_reused_unless_others_can_read_its_key() {
    let home = Home::new();
    let first = home.begin_sign_in(&[]);
    let fingerprint = first.fingerprint.clone();
    first.approve(ADA);
    first.finish().token();
    let second = home.begin_sign_in(&[]);
    assert_eq!(second.fingerprint, fingerprint);
    second.approve(ADA);
    second.finish().token();
    #[cfg(unix)]
    {
        let key = home.cache().join("server.key");
        std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
        let renewed = home.begin_sign_in(&[]);
        assert_ne!(renewed.fingerprint, fingerprint);
        renewed.approve(ADA);
        renewed.finish().token();
        let mode = std::os::unix::fs::PermissionsExt::mode(&key.metadata().unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn a_new_sign_in_replaces_a_token_of_another_client() {
    let home = Home::new();
    home.store_token("mail");
    home.refresh().token();
    let confidential = home.configuration().replace(PUBLIC_CLIENT_ID, CONFIDENTIAL_CLIENT_ID);
    home.configure(&format!("client_secret = '{CLIENT_SECRET}'\n{confidential}"));
    home.refresh().fails_with(78);
    let sign_in = home.begin_sign_in(&[]);
    sign_in.approve(ADA);
    sign_in.finish().token();
    home.refresh().token();
}

#[test]
#[cfg(unix)]
fn the_browser_gets_the_url_but_not_our_stdout() {
    let home = Home::new();
    let browser = home.path().join("browser");
    std::fs::write(&browser, "#!/bin/sh\necho token-like-noise\nprintf '%s' \"$1\" >\"$0.url\"\n").unwrap();
    std::fs::set_permissions(&browser, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    // The library recognises the text browser `lynx` by its name, and lets it use our terminal.
    let text_browser = home.path().join("lynx");
    std::fs::copy(&browser, &text_browser).unwrap();
    for browser in [browser, text_browser] {
        let mut command = home.command("get-token");
        let sign_in = SignIn::begin(command.args(["--browser", "always"]).env("BROWSER", &browser));
        let opened = browser.with_extension("url");
        crate::support::eventually("the browser is opened", || {
            std::fs::read_to_string(&opened).is_ok_and(|url| url == sign_in.url)
        });
        sign_in.approve(ADA);
        assert!(home.standin.is_valid_access_token(sign_in.finish().token()));
    }
}

#[test]
#[cfg(unix)]
fn over_ssh_no_browser_is_opened_unless_a_display_is_forwarded() {
    let home = Home::new();
    let browser = home.path().join("browser");
    std::fs::write(&browser, "#!/bin/sh\ntouch \"$0.opened\"\n").unwrap();
    std::fs::set_permissions(&browser, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let opened = browser.with_extension("opened");
    for display in [false, true] {
        let mut command = home.command("get-token");
        command.arg("--server").env("BROWSER", &browser).env("SSH_CONNECTION", "192.0.2.1 50000 192.0.2.2 22");
        if display {
            command.env("DISPLAY", "localhost:10.0");
        }
        let sign_in = SignIn::begin(&mut command);
        sign_in.approve(ADA);
        sign_in.finish().token();
        if display {
            crate::support::eventually("the browser is opened", || opened.exists());
        } else {
            assert!(!opened.exists());
        }
    }
}

#[test]
fn over_http_there_is_no_certificate_and_any_free_port_works() {
    let home = Home::new();
    let redirect_uri = format!("https://localhost:{}/", home.callback_port);
    for written in ["http://localhost/".to_owned(), format!("http://localhost:{}/", home.callback_port)] {
        home.configure(&home.configuration().replace(&redirect_uri, &written));
        let sign_in = home.begin_sign_in(&[]);
        assert_eq!(sign_in.fingerprint, "");
        assert!(sign_in.approve(ADA).url.starts_with("http://localhost:"));
        assert!(home.standin.is_valid_access_token(sign_in.finish().token()));
    }
}

#[test]
fn a_sign_in_is_stored_even_if_another_process_holds_the_lock() {
    let home = Home::new();
    home.configure_with("network_timeout = 1");
    std::fs::create_dir_all(home.cache()).unwrap();
    let lock = std::fs::File::create(home.cache().join("lock_mail")).unwrap();
    lock.lock().unwrap();
    let run = home.sign_in();
    run.token();
    assert!(run.stderr.contains("warning: continuing without the lock"), "{}", run.stderr);
    assert!(home.standin.is_valid_refresh_token(&home.token_in_file("mail").unwrap()));
}
