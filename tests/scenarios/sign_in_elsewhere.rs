//! `get-token` without a redirect to this machine: over SSH, from a pipe, with a device code.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::Stdio;
use std::time::Duration;

use standin::{ADA, Browser, Fault, Setup, Standin};

use crate::support::{Home, SignIn};

#[test]
fn over_ssh_the_redirect_url_is_pasted_and_no_port_is_open() {
    let home = Home::new();
    let mut sign_in = home.begin_paste(&[]);
    assert!(std::net::TcpStream::connect(("127.0.0.1", home.callback_port)).is_err(), "no port is open");
    sign_in.paste(&Browser::redirect_url(&sign_in.url, ADA).unwrap());
    let run = sign_in.finish();
    assert!(home.standin.is_valid_access_token(run.token()));
    assert!(run.stderr.contains(&format!("Signed in as {ADA}")), "{}", run.stderr);
}

#[test]
fn a_query_alone_and_a_url_with_line_breaks_are_accepted() {
    for has_line_breaks in [false, true] {
        let home = Home::new();
        let mut sign_in = home.begin_paste(&[]);
        let url = Browser::redirect_url(&sign_in.url, ADA).unwrap();
        sign_in.paste(&match has_line_breaks {
            false => url.split_once('?').unwrap().1.to_owned(),
            true => url.as_bytes().chunks(80).map(|line| String::from_utf8_lossy(line) + "\n  ").collect(),
        });
        sign_in.finish().token();
    }
}

#[test]
fn a_url_in_quotes_in_a_curl_command_or_pasted_twice_is_accepted() {
    for surround in [
        |url: &str| format!("\"{url}\"\n"),
        |url: &str| format!("<{url}>\n"),
        |url: &str| format!("curl '{url}' \\\n  -H 'accept: */*'\n"),
        |url: &str| format!("{url} {url}\n"),
        |url: &str| url.replace('&', "&amp;"),
        |url: &str| url.replace("state", "st\u{200b}ate\u{feff}"),
    ] {
        let home = Home::new();
        let mut sign_in = home.begin_paste(&[]);
        let url = Browser::redirect_url(&sign_in.url, ADA).unwrap();
        let (without_session_state, _) = url.split_once("&session_state=").unwrap();
        sign_in.paste(&surround(without_session_state));
        sign_in.finish().token();
    }
}

#[test]
fn a_line_on_an_open_pipe_is_used_without_waiting_for_the_end_of_input() {
    for over_ssh in [true, false] {
        let home = Home::new();
        let mut command = home.command("get-token");
        command.stdin(Stdio::piped()).args(["--browser", "never", "--timeout", "20"]);
        if over_ssh {
            command.env("SSH_CONNECTION", "192.0.2.1 50000 192.0.2.2 22");
        }
        let mut sign_in = SignIn::begin(&mut command);
        writeln!(sign_in.stdin(), "hello").unwrap();
        sign_in.shows("the pasted text is not a redirect URL (5 characters)");
        let url = Browser::redirect_url(&sign_in.url, ADA).unwrap();
        let (start, end) = url.split_at(200);
        write!(sign_in.stdin(), "{start}\n{end}\n").unwrap();
        sign_in.finish().token();
    }
}

#[test]
#[cfg(unix)] // on Windows, the null device cannot be told from other input
fn with_the_null_device_as_stdin_no_paste_is_requested() {
    let home = Home::new();
    let sign_in = home.begin_sign_in(&[]);
    sign_in.approve(ADA);
    let run = sign_in.finish();
    run.token();
    assert!(!run.stderr.contains("paste"), "{}", run.stderr);
    let mut command = home.command("get-token");
    let run = crate::support::finish(command.env("SSH_TTY", "/dev/pts/0"));
    assert!(!run.fails_with(65).contains("paste"), "{}", run.stderr);
}

#[test]
fn a_paste_of_16_kib_is_read_completely() {
    let setup = Setup { code_length: 16_000..=16_000, ..Setup::default() };
    let home = Home::with(Standin::start_with(setup));
    let mut sign_in = home.begin_paste(&[]);
    let url = Browser::redirect_url(&sign_in.url, ADA).unwrap();
    assert!(url.len() > 16_000);
    sign_in.paste(&url);
    sign_in.finish().token();
}

#[test]
fn other_text_from_a_pipe_is_explained_and_exits_with_65() {
    for (text, message) in [
        ("hello", "the pasted text is not a redirect URL (5 characters)"),
        ("https://localhost:7598/?code=stolen&state=other", "belongs to another sign-in"),
        ("https://localhost:7598/?code=and-no-sta", "is incomplete (39 characters)"),
        ("https://login.microsoftonline.com/common/oauth2/v2.0/authorize?x=y", "the pasted URL is the sign-in URL"),
    ] {
        let home = Home::new();
        let mut sign_in = home.begin_paste(&[]);
        sign_in.paste(text);
        let run = sign_in.finish();
        assert!(run.fails_with(65).contains(message), "{run:?}");
        assert_eq!(home.token_in_file("mail"), None);
    }
}

#[test]
fn a_declined_sign_in_can_be_pasted_too() {
    let home = Home::new();
    let mut sign_in = home.begin_paste(&[]);
    let state = sign_in.url.split("state=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    sign_in
        .paste(&format!("https://localhost/?error=access_denied&error_description=AADSTS65004%3A+No.&state={state}"));
    assert!(sign_in.finish().fails_with(77).contains("the consent was declined"));
}

#[test]
fn with_server_the_listener_is_used_over_ssh() {
    let home = Home::new();
    let mut command = home.command("get-token");
    let sign_in = SignIn::begin(command.args(["--server", "--browser", "never"]).env("SSH_TTY", "/dev/pts/0"));
    sign_in.approve(ADA);
    sign_in.finish().token();
}

#[test]
fn a_redirect_url_can_be_pasted_while_the_listener_runs() {
    let home = Home::new();
    let mut command = home.command("get-token");
    let mut sign_in = SignIn::begin(command.args(["--browser", "never"]).stdin(Stdio::piped()));
    sign_in.paste(&Browser::redirect_url(&sign_in.url, ADA).unwrap());
    sign_in.finish().token();
}

/// Runs `get-token --device`, and calls `decide` with the stand-in's origin and the code that is shown.
pub fn with_device_code(home: &Home, arguments: &[&str], decide: impl FnOnce(&str, &str)) -> crate::support::Run {
    let mut command = home.command("get-token");
    command.arg("--device").args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let (mut output, mut code) = (String::new(), String::new());
    while code.is_empty() {
        let mut line = String::new();
        assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "{output}");
        if output.contains("Enter this code") && !line.trim().is_empty() {
            code = line.trim().to_owned();
        }
        output.push_str(&line);
    }
    assert!(output.contains("/devicelogin"), "{output}");
    decide(&home.standin.origin(), &code);
    let mut stdout = String::new();
    child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
    stderr.read_to_string(&mut output).unwrap();
    crate::support::Run { code: child.wait().unwrap().code(), stdout, stderr: output }
}

pub fn short_interval() -> Setup {
    Setup { device_code_interval: Duration::from_secs(1), ..Setup::default() }
}

#[test]
fn a_device_code_signs_in() {
    let home = Home::with(Standin::start_with(short_interval()));
    let run = with_device_code(&home, &[], |origin, code| {
        crate::support::eventually("it polls before the user decides", || home.standin.token_requests() > 0);
        Browser::enter_device_code(origin, code, ADA, true).unwrap();
    });
    assert!(home.standin.is_valid_access_token(run.token()));
    assert!(home.standin.is_valid_refresh_token(&home.token_in_file("mail").unwrap()));
    assert!(run.stderr.contains(&format!("Signed in as {ADA}")), "{}", run.stderr);
}

#[test]
fn a_device_code_serves_the_profiles_with_consent() {
    let home = Home::with(Standin::start_with(short_interval()));
    let sign_in = |profiles: &[&str]| {
        let run = with_device_code(&home, profiles, |origin, code| {
            Browser::enter_device_code(origin, code, ADA, true).unwrap();
        });
        run.token();
        run.stderr
    };
    let stderr = sign_in(&["-p", "mail", "-p", "calendar"]);
    assert!(stderr.contains("no token for the profile \"calendar\": "), "{stderr}");
    assert!(home.token_in_file("mail").is_some() && home.token_in_file("calendar").is_none());
    sign_in(&["-p", "calendar"]);
    let stderr = sign_in(&["-p", "mail", "-p", "calendar"]);
    assert!(stderr.contains("Refresh token for \"calendar\" saved in"), "{stderr}");
}

#[test]
fn slow_down_increases_the_interval() {
    let home = Home::with(Standin::start_with(short_interval()));
    let slow_down = Fault::Aadsts { code: 0, error: "slow_down".to_owned(), suberror: None, status: 400 };
    home.standin.inject(slow_down);
    let start = std::time::Instant::now();
    let run = with_device_code(&home, &[], |origin, code| Browser::enter_device_code(origin, code, ADA, true).unwrap());
    run.token();
    assert!(start.elapsed() >= Duration::from_secs(6), "RFC 8628, 3.5: the interval increases by 5 seconds");
}

#[test]
fn a_declined_and_an_expired_device_code_exit_with_77() {
    let home = Home::with(Standin::start_with(short_interval()));
    let run =
        with_device_code(&home, &[], |origin, code| Browser::enter_device_code(origin, code, ADA, false).unwrap());
    assert!(run.fails_with(77).contains("declined"), "{run:?}");

    let expiring = Setup { device_code_lifetime: Duration::from_secs(2), ..short_interval() };
    let home = Home::with(Standin::start_with(expiring));
    let run = with_device_code(&home, &[], |_, _| {});
    assert!(run.fails_with(77).contains("the device code has expired"), "{run:?}");
}

#[test]
fn if_the_registration_does_not_allow_device_codes_the_setting_is_named() {
    let home = Home::with(Standin::start_with(short_interval()));
    let refusal = Fault::Aadsts { code: 7_000_218, error: "invalid_client".to_owned(), suberror: None, status: 401 };
    home.standin.inject(refusal);
    let run = with_device_code(&home, &[], |_, _| {});
    assert!(run.fails_with(78).contains("turn on \"Allow public client flows\""), "{run:?}");
    assert!(run.stderr.contains(&format!("client_secret in {}\n", home.config_file().display())), "{run:?}");
}

#[test]
fn if_conditional_access_blocks_device_codes_the_other_flows_are_named() {
    let home = Home::with(Standin::start_with(short_interval()));
    home.standin.inject(Fault::aadsts(53_003));
    let run = with_device_code(&home, &[], |_, _| {});
    let stderr = run.fails_with(77);
    assert!(stderr.contains("Conditional Access") && stderr.contains("ssh -L"), "{stderr}");
}

#[test]
fn a_transient_network_error_does_not_end_the_wait() {
    let home = Home::with(Standin::start_with(short_interval()));
    home.standin.inject(Fault::Reset);
    let run = with_device_code(&home, &[], |origin, code| Browser::enter_device_code(origin, code, ADA, true).unwrap());
    run.token();
}

#[test]
fn over_ssh_without_a_terminal_or_pipe_exits_with_65() {
    let home = Home::new();
    let mut command = home.command("get-token");
    let run = crate::support::finish(command.env("SSH_TTY", "/dev/pts/0"));
    assert!(run.fails_with(65).contains("cannot read a redirect URL for the profile \"mail\""), "{run:?}");
}

#[test]
fn other_text_on_stdin_does_not_stop_the_listener() {
    let home = Home::new();
    let mut command = home.command("get-token");
    let mut sign_in = SignIn::begin(command.args(["--browser", "never"]).stdin(Stdio::piped()));
    sign_in.paste("another program's input\n");
    sign_in.approve(ADA);
    let run = sign_in.finish();
    run.token();
    assert!(run.stderr.contains("warning: stdin: the pasted text is not a redirect URL"), "{}", run.stderr);
}

#[test]
fn server_errors_do_not_end_the_wait_and_a_network_failure_is_not_an_expired_code() {
    let home = Home::with(Standin::start_with(short_interval()));
    home.standin.inject(Fault::Status { status: 503, retry_after: None });
    home.standin.inject(Fault::Html);
    let run = with_device_code(&home, &[], |origin, code| Browser::enter_device_code(origin, code, ADA, true).unwrap());
    run.token();

    let expiring = Setup { device_code_lifetime: Duration::from_secs(2), ..short_interval() };
    let home = Home::with(Standin::start_with(expiring));
    home.standin.inject_times(Fault::Reset, 5);
    let run = with_device_code(&home, &[], |_, _| {});
    assert!(run.fails_with(75).contains("cannot be reached"), "{run:?}");
}

/// `ssh -L 7598:localhost:7598 HOST` is documented, and Microsoft ignores the port of localhost.
#[test]
fn a_redirect_uri_without_a_port_listens_on_the_forwarded_port() {
    let home = Home::new();
    home.configure(&format!("redirect_uri = 'http://localhost/'\n{}", home.configuration_without("redirect_uri")));
    let sign_in = home.begin_sign_in(&["--server"]);
    assert!(sign_in.url.contains("redirect_uri=http%3A%2F%2Flocalhost%3A7598%2F"), "{}", sign_in.url);
    sign_in.approve(ADA);
    sign_in.finish().token();
}
