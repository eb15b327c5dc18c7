//! The browser does what a person's does, and looks at the certificate.

mod support;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::thread::JoinHandle;

use standin::{ADA, Browser, GRACE, Standin};
use support::*;

/// A callback as the program has it: takes the code, redirects away from it, shows a page. Returns what it was asked.
fn callback() -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let answers = [
        "HTTP/1.1 303 See Other\r\nlocation: /done\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\nDone",
    ];
    let thread = std::thread::spawn(move || {
        answers.map(|answer| {
            let (mut stream, _) = listener.accept().expect("a connection");
            let lines = BufReader::new(stream.try_clone().expect("a second handle")).lines().map_while(Result::ok);
            let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            stream.write_all(answer.as_bytes()).expect("an answer");
            head[0].clone()
        })
    });
    (format!("http://localhost:{port}/"), std::thread::spawn(move || thread.join().expect("no panic").into()))
}

#[test]
fn it_follows_the_redirect_of_the_callback() {
    let standin = Standin::start();
    let (redirect_uri, asked) = callback();
    let url = authorize_url(&standin, "common", &[("redirect_uri", redirect_uri.as_str())]);
    let page = Browser::approve(&url, GRACE, None).expect("a page");
    assert_eq!((page.status, page.url, page.body), (200, format!("{redirect_uri}done"), "Done".into()));
    let asked = asked.join().expect("no panic");
    assert!(asked[0].starts_with("GET /?code=1.AXoA"), "{asked:?}");
    assert_eq!(asked[1], "GET /done HTTP/1.1");
}

#[test]
fn declining_is_told_to_the_callback() {
    let standin = Standin::start();
    let (redirect_uri, asked) = callback();
    let url = authorize_url(&standin, "common", &[("redirect_uri", redirect_uri.as_str())]);
    Browser::decline(&url, ADA, None).expect("a page");
    let asked = asked.join().expect("no panic");
    let path = asked[0].split(' ').nth(1).expect("a path");
    let address = format!("http://localhost{path}");
    assert_eq!(parameter(&address, "error").as_deref(), Some("access_denied"));
    assert!(parameter(&address, "error_description").is_some_and(|text| text.starts_with("AADSTS65004: ")));
    assert_eq!(parameter(&address, "state").as_deref(), Some("a state+with/odd=characters&"));
    assert_eq!(parameter(&address, "code"), None);
}

#[test]
fn it_goes_no_further_than_the_fingerprint() {
    let standin = Standin::start();
    // Any HTTPS server will do for a callback; this one does not know the page.
    let callback = Standin::start();
    let redirect_uri = format!("{}/", callback.origin());
    let url = authorize_url(&standin, "common", &[("redirect_uri", redirect_uri.as_str())]);
    let error = Browser::approve(&url, ADA, Some("00:11")).expect_err("another certificate");
    let error = format!("{error:#}");
    let shown = error.split("has the fingerprint ").nth(1).and_then(|rest| rest.split(',').next());
    assert_eq!(callback.requests().len(), 0);
    let page = Browser::approve(&url, ADA, shown).expect("a page");
    assert_eq!((page.status, callback.requests().len()), (404, 1));
}

#[test]
fn it_opens_loopback_only() {
    let error = Browser::get("https://login.example.com/").expect_err("not on loopback");
    assert!(error.to_string().contains("loopback only"), "{error}");
}
