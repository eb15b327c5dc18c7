//! The sign-in in a real browser, with its certificate warning, aborted handshakes and request for an icon.

use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use sha2::{Digest as _, Sha256};
use standin::{ADA, Fault, Standin};

use crate::support::Home;
use crate::webdriver::Chromium;

/// Starts a Chromium that trusts the stand-in's certificate, as browsers trust Microsoft's. It must warn of the
/// callback's certificate.
fn chromium(home: &Home) -> Chromium {
    Chromium::start(home, &key_of(&home.standin))
}

/// Returns the SHA-256 of the server's public key in base64, as Chromium's option expects it.
fn key_of(standin: &Standin) -> String {
    /// The start of a P-256 public key in DER; 65 bytes follow.
    const PREFIX: [u8; 26] =
        *b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00";
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(standin.ca_file()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let client = client.with_root_certificates(roots).with_no_client_auth();
    let mut client = ClientConnection::new(client.into(), "localhost".try_into().unwrap()).unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", standin.port())).unwrap();
    while client.is_handshaking() {
        client.complete_io(&mut stream).unwrap();
    }
    let certificate = client.peer_certificates().unwrap()[0].to_vec();
    let start = certificate.windows(PREFIX.len()).position(|bytes| bytes == PREFIX).expect("a P-256 key");
    STANDARD.encode(Sha256::digest(&certificate[start..start + PREFIX.len() + 65]))
}

/// Accepts the certificate warning, which takes two clicks.
fn accept_the_warning(browser: &Chromium, test: &str) {
    browser.page_with("ERR_CERT_AUTHORITY_INVALID");
    screenshot(browser, &format!("{test}-2-warning"));
    browser.click("#details-button");
    browser.click("#proceed-link");
}

/// Saves a screenshot in the folder that `M365AUTH_SCREENSHOTS` names, if it is set.
fn screenshot(browser: &Chromium, name: &str) {
    if let Some(folder) = std::env::var_os("M365AUTH_SCREENSHOTS") {
        browser.screenshot(&PathBuf::from(folder).join(format!("{name}.png")));
    }
}

/// Returns a home whose redirect URI is an HTTP one.
fn over_http() -> Home {
    let home = Home::new();
    let redirect_uri = format!("https://localhost:{}/", home.callback_port);
    home.configure(&home.configuration().replace(&redirect_uri, "http://localhost/"));
    home
}

#[test]
#[ignore = "tests/run: Chromium and its driver"]
fn a_user_signs_in_with_chromium() {
    let home = Home::new();
    let browser = chromium(&home);
    let sign_in = home.begin_sign_in(&[]);
    browser.open(&sign_in.url);
    browser.page_with("Continue as Ada Example");
    screenshot(&browser, "approve-1-login");
    browser.click("#approve-ada");
    accept_the_warning(&browser, "approve");

    let page = browser.page_with("You are signed in");
    screenshot(&browser, "approve-3-page");
    assert!(page.contains(ADA), "{page}");
    assert!(!browser.url().contains("code="), "{}", browser.url());
    assert!(home.standin.is_valid_access_token(sign_in.finish().token()));
    home.refresh().token();
}

#[test]
#[ignore = "tests/run: Chromium and its driver"]
fn a_user_declines_in_chromium() {
    let home = Home::new();
    let browser = chromium(&home);
    let sign_in = home.begin_sign_in(&[]);
    browser.open(&sign_in.url);
    browser.click("#cancel");
    accept_the_warning(&browser, "decline");

    let page = browser.page_with("Microsoft did not complete the sign-in");
    screenshot(&browser, "decline-3-page");
    assert!(page.contains("declined") && page.contains("AADSTS65004"), "{page}");
    let run = sign_in.finish();
    assert!(run.fails_with(77).contains("declined"), "{run:?}");
    assert_eq!(home.token_in_file("mail"), None);
}

#[test]
#[ignore = "tests/run: Chromium and its driver"]
fn over_http_chromium_shows_no_warning() {
    let home = over_http();
    let browser = chromium(&home);
    let sign_in = home.begin_sign_in(&[]);
    browser.open(&sign_in.url);
    browser.click("#approve-ada");

    browser.page_with("You are signed in");
    assert!(browser.url().starts_with("http://localhost:"), "{}", browser.url());
    assert!(home.standin.is_valid_access_token(sign_in.finish().token()));
}

#[test]
#[ignore = "tests/run: Chromium and its driver"]
fn a_sign_in_with_the_wrong_account_in_chromium_is_not_stored() {
    let home = Home::new();
    home.sign_in().token();
    let token = home.token_in_file("mail");
    let browser = chromium(&home);
    let sign_in = home.begin_sign_in(&[]);
    browser.open(&sign_in.url);
    browser.click("#approve-grace");
    accept_the_warning(&browser, "other");

    let page = browser.page_with("Wrong account");
    screenshot(&browser, "other-3-page");
    assert!(page.contains(ADA) && page.contains(standin::GRACE), "{page}");
    let lines = browser.value("[...document.querySelectorAll('code')].map(code => code.getClientRects().length)");
    assert_eq!(lines, serde_json::json!([1, 1]), "no command is split over two lines");
    sign_in.finish().fails_with(77);
    assert_eq!(home.token_in_file("mail"), token);
}

#[test]
#[ignore = "tests/run: Chromium and its driver"]
fn long_words_do_not_scroll_the_page_sideways_in_a_narrow_window() {
    let long_name = format!("{}@example.com", "ada.example.".repeat(20));
    for (fault, heading) in [
        (Fault::UserName(long_name), "You are signed in"),
        (Fault::aadsts(90094), "Microsoft did not complete the sign-in"), // its hint has a long URL
    ] {
        let home = over_http();
        let browser = chromium(&home);
        for theme in ["light", "dark"] {
            home.standin.inject(fault.clone());
            let sign_in = home.begin_sign_in(&[]);
            browser.emulate(320, theme);
            browser.open(&sign_in.url);
            browser.click("#approve-ada");
            browser.page_with(heading);
            screenshot(&browser, &format!("narrow-{theme}-{}", heading.len()));
            assert_eq!(browser.value("innerWidth"), 320);
            let width = browser.value("document.documentElement.scrollWidth").as_u64().unwrap();
            assert!(width <= 320, "{heading}: {width}");
            let background = browser.value("getComputedStyle(document.body).backgroundColor");
            let expected = if theme == "dark" { "rgb(27, 27, 27)" } else { "rgb(250, 250, 250)" };
            assert_eq!(background, expected, "the style is applied despite the content security policy");
            sign_in.finish();
            home.run("get-token", ["--sign-out"]);
        }
    }
}

#[test]
#[ignore = "tests/run: Chromium and its driver"]
fn a_tab_of_an_earlier_sign_in_shows_that_its_link_has_expired() {
    let home = Home::new();
    home.configure(&home.configuration().replace("redirect_uri = 'https:", "redirect_uri = 'http:"));
    let browser = chromium(&home);
    browser.emulate(900, "dark");
    let sign_in = home.begin_sign_in(&[]);
    browser.open(&format!("http://localhost:{}/?code=old&state=old", home.callback_port));
    browser.page_with("This link has expired. Start again with get-token.");
    screenshot(&browser, "expired");
    browser.open(&sign_in.url);
    browser.click("#approve-ada");
    browser.page_with("You are signed in");
    screenshot(&browser, "wide-dark");
    sign_in.finish().token();
}
