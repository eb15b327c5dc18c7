//! The callback under attack, by other programs on this machine and by pages in the browser. The person signs in all the
//! same.
#![cfg(unix)]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};
use standin::ADA;

use crate::support::{Home, SignIn, binary};

/// Twice the descriptors that a login mostly has.
const CONNECTIONS: usize = 2000;

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// Sends a request, and returns what comes until the listener closes.
fn ask(port: u16, request: &str) -> String {
    let mut stream = connect(port);
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    _ = stream.read_to_end(&mut answer); // who says too much may be cut off
    String::from_utf8_lossy(&answer).into_owned()
}

fn get(port: u16, target: &str) -> String {
    ask(port, &format!("GET {target} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n"))
}

fn home(scheme: &str) -> Home {
    let home = Home::new();
    home.configure(&home.configuration().replace("redirect_uri = 'https:", &format!("redirect_uri = '{scheme}:")));
    home
}

/// A sign-in whose callback speaks HTTP, so that an attack is plain to read.
fn over_http() -> (Home, SignIn) {
    let home = home("http");
    let mut command = home.command("get-token");
    let sign_in = SignIn::begin(command.args(["--browser", "never"]));
    (home, sign_in)
}

fn state(sign_in: &SignIn) -> String {
    sign_in.address.split("state=").nth(1).unwrap().split('&').next().unwrap().to_owned()
}

#[test]
fn a_thousand_wrong_states_are_refused() {
    let (home, sign_in) = over_http();
    for number in 0..1000 {
        let answer = get(home.callback_port, &format!("/?code=stolen&state=guess{number}"));
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
    sign_in.approve(ADA);
    sign_in.finish().token();
}

#[test]
fn pages_of_other_sites_get_nothing_and_start_nothing() {
    let (home, sign_in) = over_http();
    let (port, state) = (home.callback_port, state(&sign_in));
    let right = format!("/?code=stolen&state={state}");
    let host = format!("Host: localhost:{port}\r\nOrigin: https://evil.example\r\n");
    // A name that was made to lead here, a form, a script, and what a browser asks before a script may.
    for (request, status) in [
        (format!("GET {right} HTTP/1.1\r\nHost: evil.example:{port}\r\n\r\n"), 421),
        (format!("GET {right} HTTP/1.1\r\nHost: localhost.evil.example\r\n\r\n"), 421),
        (format!("POST / HTTP/1.1\r\n{host}Content-Length: 11\r\n\r\ncode=stolen"), 405),
        (format!("POST {right} HTTP/1.1\r\n{host}Content-Length: 0\r\n\r\n"), 405),
        (format!("OPTIONS / HTTP/1.1\r\n{host}Access-Control-Request-Method: GET\r\n\r\n"), 405),
        (format!("GET / HTTP/1.1\r\n{host}\r\n"), 400),
    ] {
        let answer = ask(port, &request);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{request}{answer}");
        assert!(!answer.to_lowercase().contains("access-control-allow"), "{answer}");
    }
    sign_in.approve(ADA);
    sign_in.finish().token();
}

#[test]
fn endless_headers_and_slow_ones_and_no_http_at_all_end_nothing() {
    let (home, sign_in) = over_http();
    let port = home.callback_port;
    let header = format!("X: {}\r\n", "a".repeat(8000));
    let endless = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}", header.repeat(200));
    assert!(!ask(port, &endless).starts_with("HTTP/1.1 2"));
    assert!(!ask(port, &format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(1 << 20))).starts_with("HTTP/1.1 2"));
    assert!(!ask(port, "\x16\x03\x01\x02\0\x01 no HTTP\r\n\r\n").starts_with("HTTP/1.1 2"));
    let slow: Vec<TcpStream> = (0..200)
        .map(|_| {
            let mut stream = connect(port);
            stream.write_all(b"GET / HTTP/1.1\r\nHost: local").unwrap();
            stream
        })
        .collect();
    sign_in.approve(ADA);
    sign_in.finish().token();
    drop(slow);
}

#[test]
fn thousands_of_open_connections_leave_room_for_the_browser() {
    let limit = getrlimit(Resource::Nofile);
    let needed = CONNECTIONS as u64 + 500;
    assert!(limit.maximum.is_none_or(|maximum| maximum >= needed), "raise the hard limit of open files (`ulimit -Hn`)");
    setrlimit(Resource::Nofile, rustix::process::Rlimit { current: limit.maximum, ..limit }).unwrap();
    for scheme in ["http", "https"] {
        let home = home(scheme);
        // With the limit that a login mostly has.
        let mut shell = std::process::Command::new("sh");
        home.prepare(&mut shell);
        let get_token = binary("get-token");
        let script = format!("ulimit -Sn 1024; exec '{}' --browser never", get_token.display());
        let sign_in = SignIn::begin(shell.args(["-c", &script]));
        let silent: Vec<TcpStream> = (0..CONNECTIONS).map(|_| connect(home.callback_port)).collect();
        sign_in.approve(ADA);
        sign_in.finish().token();
        drop(silent);
    }
}
