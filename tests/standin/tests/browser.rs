//! The browser signs in as a user does, and checks the certificate.

mod support;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::thread::JoinHandle;

use standin::{ADA, Browser, GRACE, Standin};
use support::*;

/// Starts a callback like the program's: it receives the code, redirects to a URL without the code, and shows a page.
/// Returns its URL and, when the thread ends, the request lines.
fn callback() -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("a socket address").port();
    let responses = [
        "HTTP/1.1 303 See Other\r\nlocation: /done\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\nDone",
    ];
    let thread = std::thread::spawn(move || {
        responses.map(|response| {
            let (mut stream, _) = listener.accept().expect("a connection");
            let lines = BufReader::new(stream.try_clone().expect("a second handle")).lines().map_while(Result::ok);
            let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            stream.write_all(response.as_bytes()).expect("the response is sent");
            head[0].clone()
        })
    });
    (format!("http://localhost:{port}/"), std::thread::spawn(move || thread.join().expect("no panic").into()))
}

#[test]
fn the_browser_follows_the_callbacks_redirect() {
    let standin = Standin::start();
    let (redirect_uri, requests) = callback();
    let url = authorize_url(&standin, "common", &[("redirect_uri", redirect_uri.as_str())]);
    let page = Browser::approve(&url, GRACE, None).expect("a page");
    assert_eq!((page.status, page.url, page.body), (200, format!("{redirect_uri}done"), "Done".into()));
    let requests = requests.join().expect("no panic");
    assert!(requests[0].starts_with("GET /?code=1.AXoA"), "{requests:?}");
    assert_eq!(requests[1], "GET /done HTTP/1.1");
}

#[test]
fn the_callback_receives_the_error_when_the_user_declines() {
    let standin = Standin::start();
    let (redirect_uri, requests) = callback();
    let url = authorize_url(&standin, "common", &[("redirect_uri", redirect_uri.as_str())]);
    Browser::decline(&url, ADA, None).expect("a page");
    let requests = requests.join().expect("no panic");
    let path = requests[0].split(' ').nth(1).expect("a path");
    let url = format!("http://localhost{path}");
    assert_eq!(parameter(&url, "error").as_deref(), Some("access_denied"));
    assert!(parameter(&url, "error_description").is_some_and(|text| text.starts_with("AADSTS65004: ")));
    assert_eq!(parameter(&url, "state").as_deref(), Some("a state+with/odd=characters&"));
    assert_eq!(parameter(&url, "code"), None);
}

#[test]
fn a_certificate_with_another_fingerprint_is_rejected() {
    let standin = Standin::start();
    // Any HTTPS server can be the callback. This one responds with 404.
    let callback = Standin::start();
    let redirect_uri = format!("{}/", callback.origin());
    let url = authorize_url(&standin, "common", &[("redirect_uri", redirect_uri.as_str())]);
    let error = Browser::approve(&url, ADA, Some("00:11")).expect_err("another certificate");
    let error = format!("{error:#}");
    let actual = error.split("has the fingerprint ").nth(1).and_then(|rest| rest.split(',').next());
    assert_eq!(callback.requests().len(), 0);
    let page = Browser::approve(&url, ADA, actual).expect("a page");
    assert_eq!((page.status, callback.requests().len()), (404, 1));
}

#[test]
fn the_browser_opens_loopback_urls_only() {
    let error = Browser::get("https://login.example.com/").expect_err("not on loopback");
    assert!(error.to_string().contains("loopback URLs only"), "{error}");
}
