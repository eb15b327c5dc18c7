//! Proxies: which one is used, and how a proxy that does not work is reported.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::{Home, Run, finish, free_port};

const VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// A proxy on loopback that sends the same response to each CONNECT, and connects if the status is 200.
struct Proxy {
    port: u16,
    requests: Arc<AtomicUsize>,
    /// How often it was sent a password.
    passwords: Arc<AtomicUsize>,
}

impl Proxy {
    fn start(answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let proxy = Self { port, requests: Arc::default(), passwords: Arc::default() };
        let (requests, passwords) = (Arc::clone(&proxy.requests), Arc::clone(&proxy.passwords));
        std::thread::spawn(move || {
            while let Ok((mut client, _)) = listener.accept() {
                requests.fetch_add(1, Ordering::Relaxed);
                let head = head(&mut client);
                passwords.fetch_add(head.to_lowercase().matches("proxy-authorization").count(), Ordering::Relaxed);
                _ = client.write_all(format!("HTTP/1.1 {answer}\r\n\r\n").as_bytes());
                let target = head.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next());
                if let Some(target) = target.filter(|_| answer.starts_with("200")) {
                    connect(client, TcpStream::connect(target).unwrap());
                }
            }
        });
        proxy
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

fn head(client: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && client.read(&mut byte).is_ok_and(|read| read == 1) {
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

fn connect(client: TcpStream, server: TcpStream) {
    for (mut from, mut to) in [(client.try_clone(), server.try_clone()), (Ok(server), Ok(client))]
        .map(|(from, to)| (from.unwrap(), to.unwrap()))
    {
        std::thread::spawn(move || {
            _ = std::io::copy(&mut from, &mut to);
            _ = to.shutdown(Shutdown::Write);
        });
    }
}

fn home() -> Home {
    let home = Home::new();
    home.store_token("mail");
    home.configure_with("network_timeout = 5");
    home
}

fn refresh(home: &Home, variable: &str, value: &str) -> Run {
    finish(home.command("refresh-token").arg("-v").env(variable, value))
}

#[test]
fn a_variable_names_the_proxy() {
    let (home, proxy) = (home(), Proxy::start("200 Connection established"));
    for variable in VARIABLES {
        refresh(&home, variable, &format!("http://localhost:{}", proxy.port)).token();
    }
    assert_eq!(proxy.requests(), 4);
    // HTTPS_PROXY takes precedence over ALL_PROXY, and NO_PROXY over both.
    let mut command = home.command("refresh-token");
    let unused = format!("http://localhost:{}", free_port());
    command.env("ALL_PROXY", &unused).env("HTTPS_PROXY", format!("http://localhost:{}", proxy.port));
    finish(&mut command).token();
    assert_eq!(proxy.requests(), 5);
    finish(command.env("NO_PROXY", "example.com, LOCALHOST")).token();
    assert_eq!(proxy.requests(), 5);
}

#[test]
fn white_space_letter_case_and_a_missing_scheme_do_not_matter() {
    let (home, proxy) = (home(), Proxy::start("200 Connection established"));
    let server = format!("LocalHost:{}", proxy.port);
    let values = [format!(" HTTP://{server}/\n"), server.clone(), format!("http://user:p%23ss@{server}")];
    for value in &values {
        refresh(&home, "HTTPS_PROXY", value).token();
    }
    assert_eq!(proxy.requests(), values.len());
    refresh(&home, "HTTPS_PROXY", "  ").token();
    assert_eq!(proxy.requests(), values.len(), "a blank variable is not set");
}

#[test]
fn a_value_that_is_not_the_url_of_a_proxy_is_78_and_is_not_shown() {
    let (home, proxy) = (home(), Proxy::start("200 Connection established"));
    let server = format!("localhost:{}", proxy.port);
    for value in [
        format!(r"DOM\hunter1:hunter2@{server}"),
        format!(r"http://DOM\hunter1:hunter2@{server}"),
        format!("htp://hunter1:hunter2@{server}"),
        format!("http://hunter1:1#hunter2@{server}"),
        format!("http://hunter1:hun#ter2@{server}"),
        format!("http://hunter1:1?hunter2@{server}"),
        format!("http://hunter1:1/hunter2@{server}"),
        format!("http://{server}/hunter2.pac"),
        "http://hunter1:hunter2@".to_owned(),
    ] {
        for variable in VARIABLES {
            let run = refresh(&home, variable, &value);
            let stderr = run.fails_with(78);
            // On Windows, names of variables that differ in letter case are the same.
            let named = if cfg!(windows) { variable.to_uppercase() } else { variable.to_owned() };
            assert!(stderr.contains(&format!("error: {named} is not the URL of a proxy")), "{value}: {stderr}");
            assert!(!stderr.contains("hunter") && !stderr.contains("ter2"), "{stderr}");
        }
        let mut direct = home.command("refresh-token");
        finish(direct.env("HTTPS_PROXY", &value).env("no_proxy", "localhost")).token();
    }
    assert_eq!(proxy.requests(), 0);
}

#[test]
fn a_proxy_that_cannot_be_reached_is_named_with_its_port() {
    let home = home();
    let port = free_port();
    for (value, server) in [
        (format!("http://localhost:{port}"), format!("localhost:{port}")),
        (format!("http://ada:hunter2@localhost:{port}"), format!("localhost:{port}")),
        (format!("socks5h://127.0.0.1:{port}"), format!("127.0.0.1:{port}")),
        ("proxy.invalid".to_owned(), "proxy.invalid:80".to_owned()),
    ] {
        let run = refresh(&home, "HTTPS_PROXY", &value);
        let stderr = run.fails_with(75);
        assert!(stderr.contains(&format!("error: the proxy {server} cannot be reached")), "{stderr}");
        assert!(stderr.contains("check that HTTPS_PROXY is correct") && !stderr.contains("hunter2"), "{stderr}");
    }
    assert_eq!(home.standin.connections(), 0);
}

#[test]
fn a_proxy_that_does_not_respond_is_named() {
    let home = home();
    home.configure_with("network_timeout = 1");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let run = refresh(&home, "HTTPS_PROXY", &format!("http://127.0.0.1:{port}"));
    assert!(run.fails_with(75).contains(&format!(" through the proxy 127.0.0.1:{port} timed out")), "{run:?}");
}

#[test]
fn a_wrong_password_is_sent_to_a_proxy_only_once() {
    let both =
        "407 Proxy Authentication Required\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: Basic realm=\"x\"";
    let windows = "407 Proxy Authentication Required\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM";
    let unknown = "407 Proxy Authentication Required";
    for (answer, user, texts) in [
        (both, "", ["requires authentication (407; it offers Negotiate, Basic)", "http://USER:PASSWORD@localhost:"]),
        (
            both,
            "ada:hunter2@",
            ["does not accept the user name and password in HTTPS_PROXY", "hint: correct the user name"],
        ),
        (windows, "", ["requires authentication (407; it offers Negotiate, NTLM)", "hint: run a local proxy"]),
        (windows, "ada:hunter2@", ["requires authentication (407; it offers Negotiate, NTLM)", "cntlm or px"]),
        (unknown, "", ["requires authentication (407)", "cntlm or px"]),
    ] {
        let (home, proxy) = (home(), Proxy::start(answer));
        let run = refresh(&home, "HTTPS_PROXY", &format!("http://{user}localhost:{}", proxy.port));
        let stderr = run.fails_with(75);
        assert!(stderr.contains(&format!("error: the proxy localhost:{} ", proxy.port)), "{stderr}");
        assert!(texts.iter().all(|text| stderr.contains(text)), "{texts:?} in {stderr}");
        assert!(!stderr.contains("hunter2"), "{stderr}");
        assert_eq!(proxy.requests(), 2);
        let passwords = proxy.passwords.load(Ordering::Relaxed);
        assert_eq!(passwords, usize::from(!user.is_empty()), "a wrong password can lock the account");
    }
}

#[test]
fn a_proxy_that_refuses_the_host_is_named_with_its_status() {
    for user in ["", "ada:hunter2@"] {
        let (home, proxy) = (home(), Proxy::start("403 Forbidden"));
        let run = refresh(&home, "HTTPS_PROXY", &format!("http://{user}localhost:{}", proxy.port));
        let stderr = run.fails_with(75);
        let expected = format!(
            "error: the proxy localhost:{} refuses to connect to localhost:{} (403 Forbidden)",
            proxy.port,
            home.standin.port()
        );
        assert!(stderr.contains(&expected) && stderr.contains("NO_PROXY"), "{expected} in {stderr}");
        assert_eq!(proxy.requests(), 2, "it is not tried again");
    }
    let (home, proxy) = (home(), Proxy::start("502 Bad Gateway"));
    let run = refresh(&home, "HTTPS_PROXY", &format!("http://localhost:{}", proxy.port));
    assert!(run.fails_with(75).contains("(502 Bad Gateway)"), "{run:?}");
    assert!(proxy.requests() > 2, "a gateway error is tried again");
}

#[test]
fn the_check_names_the_proxy_only_if_it_is_used() {
    let home = home();
    let proxy = Proxy::start("200 Connection established");
    let network = |no_proxy: &str| {
        let mut command = home.command("get-token");
        command.arg("--check").env("HTTPS_PROXY", format!("http://127.0.0.1:{}", proxy.port)).env("NO_PROXY", no_proxy);
        let check = finish(&mut command).stdout;
        check.lines().find(|line| line.contains("network: ")).expect("a line for the network").to_owned()
    };
    assert!(network("").contains(&format!("responds through the proxy 127.0.0.1:{}", proxy.port)));
    let requests = proxy.requests();
    assert!(requests > 0);
    assert!(!network("localhost").contains("proxy"));
    assert_eq!(proxy.requests(), requests);
}
