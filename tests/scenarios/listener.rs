//! Attacks on the listener by other programs on this machine and by pages in the browser. The sign-in succeeds
//! regardless.
#![cfg(unix)]

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};
use standin::ADA;

use crate::support::{Home, Run, SignIn, binary, finish};

/// About twice the usual soft limit of open files.
const CONNECTIONS: usize = 2000;

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// Sends a request, and returns the response up to the end of the connection.
fn send(port: u16, request: &str) -> String {
    let mut stream = connect(port);
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = Vec::new();
    _ = stream.read_to_end(&mut response); // fails if the listener resets the connection of a request that is too long
    String::from_utf8_lossy(&response).into_owned()
}

fn get(port: u16, target: &str) -> String {
    send(port, &format!("GET {target} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n"))
}

fn home(scheme: &str) -> Home {
    let home = Home::new();
    home.configure(&home.configuration().replace("redirect_uri = 'https:", &format!("redirect_uri = '{scheme}:")));
    home
}

/// Starts a sign-in with an HTTP listener, which keeps the requests of the tests simple.
fn over_http() -> (Home, SignIn) {
    let home = home("http");
    let mut command = home.command("get-token");
    let sign_in = SignIn::begin(command.args(["--browser", "never"]));
    (home, sign_in)
}

fn state(sign_in: &SignIn) -> String {
    sign_in.url.split("state=").nth(1).unwrap().split('&').next().unwrap().to_owned()
}

#[test]
fn a_thousand_wrong_states_are_rejected() {
    let (home, sign_in) = over_http();
    for number in 0..1000 {
        let response = get(home.callback_port, &format!("/?code=stolen&state=guess{number}"));
        assert!(response.starts_with("HTTP/1.1 400"), "{response}");
    }
    sign_in.approve(ADA);
    sign_in.finish().token();
}

#[test]
fn a_state_that_begins_like_the_right_one_gets_the_same_response_as_any_other() {
    let (home, sign_in) = over_http();
    let right = state(&sign_in);
    let (start, last) = right.split_at(right.len() - 1);
    let changed = if last == "A" { "B" } else { "A" };
    let of = |query: &str| {
        let response = get(home.callback_port, &format!("/?{query}"));
        response.lines().filter(|line| !line.starts_with("date:")).collect::<Vec<_>>().join("\n")
    };
    let expected = of("code=stolen&state=wrong");
    assert!(expected.starts_with("HTTP/1.1 400") && expected.contains("This link has expired."), "{expected}");
    for wrong in ["", &right[..1], start, &format!("{start}{changed}"), &format!("{right}{changed}")] {
        for query in [format!("code=stolen&state={wrong}"), format!("error=access_denied&state={wrong}")] {
            assert_eq!(of(&query), expected, "{query}");
        }
    }
    sign_in.approve(ADA);
    sign_in.finish().token();
}

#[test]
fn requests_of_other_sites_are_rejected() {
    let (home, sign_in) = over_http();
    let (port, state) = (home.callback_port, state(&sign_in));
    let redirect = format!("/?code=stolen&state={state}");
    let host = format!("Host: localhost:{port}\r\nOrigin: https://evil.example\r\n");
    // DNS rebinding, a form, a script, and a CORS preflight.
    for (request, status) in [
        (format!("GET {redirect} HTTP/1.1\r\nHost: evil.example:{port}\r\n\r\n"), 421),
        (format!("GET {redirect} HTTP/1.1\r\nHost: localhost.evil.example\r\n\r\n"), 421),
        (format!("POST / HTTP/1.1\r\n{host}Content-Length: 11\r\n\r\ncode=stolen"), 405),
        (format!("POST {redirect} HTTP/1.1\r\n{host}Content-Length: 0\r\n\r\n"), 405),
        (format!("OPTIONS / HTTP/1.1\r\n{host}Access-Control-Request-Method: GET\r\n\r\n"), 405),
        (format!("GET / HTTP/1.1\r\n{host}\r\n"), 400),
    ] {
        let response = send(port, &request);
        assert!(response.starts_with(&format!("HTTP/1.1 {status}")), "{request}{response}");
        assert!(!response.to_lowercase().contains("access-control-allow"), "{response}");
    }
    sign_in.approve(ADA);
    sign_in.finish().token();
}

#[test]
fn huge_requests_slow_requests_and_other_protocols_do_not_end_the_sign_in() {
    let (home, sign_in) = over_http();
    let port = home.callback_port;
    let header = format!("X: {}\r\n", "a".repeat(8000));
    let huge = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}", header.repeat(200));
    assert!(!send(port, &huge).starts_with("HTTP/1.1 2"));
    assert!(!send(port, &format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(1 << 20))).starts_with("HTTP/1.1 2"));
    assert!(!send(port, "\x16\x03\x01\x02\0\x01 not HTTP\r\n\r\n").starts_with("HTTP/1.1 2"));
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

/// Returns `get-token` in a shell that first runs `before`.
fn in_shell(home: &Home, before: &str, arguments: &str) -> std::process::Command {
    let mut shell = std::process::Command::new("sh");
    home.prepare(&mut shell);
    shell.args(["-c", &format!("{before}; exec '{}' {arguments}", binary("get-token").display())]);
    shell
}

#[test]
fn the_browser_and_a_program_that_stores_tokens_have_the_limit_of_open_files_that_the_user_chose() {
    let home = Home::new();
    let browser = home.path().join("browser");
    std::fs::write(&browser, "#!/bin/sh\nulimit -Sn >\"$0.limit\"\n").unwrap();
    std::fs::set_permissions(&browser, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let save = "ulimit -Sn >\"$HOME/save.limit\"; cat >\"$HOME/token\"";
    home.configure(&home.configuration_with_store(&format!("{{ load = ['true'], save = ['sh', '-c', '{save}'] }}")));
    let sign_in = SignIn::begin(in_shell(&home, "ulimit -Sn 1000", "").env("BROWSER", &browser));
    let limit = |name: &str| std::fs::read_to_string(home.path().join(name)).unwrap_or_default();
    crate::support::eventually("the browser is opened", || limit("browser.limit").ends_with('\n'));
    sign_in.approve(ADA);
    sign_in.finish().token();
    assert_eq!([limit("browser.limit"), limit("save.limit")], ["1000\n"; 2]);
}

#[test]
fn without_descriptors_for_the_listener_get_token_exits_with_75() {
    let home = Home::new();
    let mut limit = 5;
    // Either it fails with this error, or it waits and has enough descriptors for the whole sign-in.
    while let Some(run) = run_unless_it_waits(&home, limit) {
        let stderr = run.fails_with(75);
        assert!(
            ["cannot listen", "cannot connect"].iter().any(|what| stderr.contains(what))
                && stderr.contains("ulimit -n"),
            "{limit}: {stderr}"
        );
        limit += 1;
    }
    assert!(limit > 6, "fewer descriptors than a listener needs were tried");
    let sign_in = SignIn::begin(&mut in_shell(&home, &format!("ulimit -n {limit}"), "--browser never"));
    sign_in.approve(ADA);
    sign_in.finish().token();
}

/// Runs `get-token` with this limit of open files. Returns `None` if it waits for the redirect.
fn run_unless_it_waits(home: &Home, limit: u32) -> Option<Run> {
    let run = finish(&mut in_shell(home, &format!("ulimit -n {limit}"), "--browser never --timeout 1"));
    (!run.stderr.contains("nobody signed in")).then_some(run)
}

#[test]
fn thousands_of_open_connections_do_not_block_the_browser() {
    let limit = getrlimit(Resource::Nofile);
    let needed = CONNECTIONS as u64 + 500;
    assert!(limit.maximum.is_none_or(|maximum| maximum >= needed), "raise the hard limit of open files (`ulimit -Hn`)");
    setrlimit(Resource::Nofile, rustix::process::Rlimit { current: limit.maximum, ..limit }).unwrap();
    for scheme in ["http", "https"] {
        let home = home(scheme);
        // 1024 is the usual soft limit.
        let sign_in = SignIn::begin(&mut in_shell(&home, "ulimit -Sn 1024", "--browser never"));
        let idle: Vec<TcpStream> = (0..CONNECTIONS).map(|_| connect(home.callback_port)).collect();
        if scheme == "http" {
            assert!(get(home.callback_port, "/favicon.ico").starts_with("HTTP/1.1 404"));
            // Once a connection has been silent for a minute, the listener closes it, and serves a browser that had to
            // wait.
            idle[0].set_nonblocking(true).unwrap();
            let read = (&idle[0]).read(&mut [0]).map_err(|error| error.kind());
            assert_eq!(read, Err(ErrorKind::WouldBlock), "the browser is served while the idle connections are open");
        }
        sign_in.approve(ADA);
        sign_in.finish().token();
    }
}
