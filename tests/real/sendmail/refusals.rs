//! Exit codes, and what is tried again.

use std::os::unix::fs::PermissionsExt as _;

use standin::{Fault, GRACE};

use super::{MESSAGE, SHELLS, Setup};

fn status(status: u16, retry_after: Option<&str>) -> Fault {
    Fault::Status { status, retry_after: retry_after.map(str::to_owned) }
}

#[test]
#[ignore = "tests/run: curl"]
fn wrong_arguments_are_64() {
    let setup = Setup::new();
    for (arguments, error) in [
        (&[][..], "there is no recipient"),
        (&["-f", "ada@example.com"], "there is no recipient"),
        (&["-t", "-f"], "-f has no address"),
        (&["-bs"], "the option -bs is not supported"),
        (&["-t", "-f", "ada"], "\"ada\" is not an email address"),
        (&["grace"], "\"grace\" is not an email address"),
        (&[""], "\"\" is not an email address"),
        (&["--", "-t"], "\"-t\" is not an email address"),
        (&["Grace <grace@example.com>"], "is not an email address"),
        (&["a@example.com,b@example.com"], "is not an email address"),
        (&["a@example.com\nb@example.com"], "an address contains a line break"),
    ] {
        assert!(setup.send(arguments, MESSAGE).fails_with(64).contains(error), "{arguments:?}");
    }
    assert_eq!(setup.sends(), 0);
}

#[test]
#[ignore = "tests/run: curl"]
fn the_exit_code_says_who_must_act() {
    let setup = Setup::new();
    for (fault, code, error) in [
        (status(400, None), 65, "refuses the message (HTTP status 400)"),
        (status(401, None), 77, "rejected the token (HTTP status 401)"),
        (status(403, None), 77, "does not allow sending (HTTP status 403)"),
        (status(404, None), 77, "found no mailbox"),
        (status(413, None), 65, "is too large"),
        (status(500, None), 75, "hint: look in Sent Items"),
        (status(302, None), 69, "unexpected response"),
        (Fault::Redirect, 69, "unexpected response"),
        (Fault::Html, 69, "unexpected response"),
        (Fault::Reset, 75, "hint: look in Sent Items"),
    ] {
        setup.home.standin.inject_into_graph(fault.clone());
        let run = setup.send(&["-t"], MESSAGE);
        assert!(run.fails_with(code).contains(error), "{fault:?}: {run:?}");
    }
    assert_eq!(setup.sends(), 10, "none was tried again");
    let message = MESSAGE.replace("ada@example.com", GRACE);
    let run = setup.send(&["-t"], &message);
    assert!(run.fails_with(77).contains("(HTTP status 403: ErrorSendAsDenied: The user account which"), "{run:?}");
    let run = setup.send(&["-t"], &MESSAGE.replace("--next part--", ""));
    assert!(run.fails_with(65).contains("(HTTP status 400: ErrorMimeContentInvalid: "), "{run:?}");
    assert!(setup.home.standin.sent_messages().is_empty());
}

#[test]
#[ignore = "tests/run: curl"]
fn a_busy_graph_is_asked_again_when_it_says_so_but_not_forever() {
    for shell in SHELLS {
        let setup = Setup::new();
        let send = || setup.send_with(shell, &["-t"], MESSAGE.as_bytes());
        let start = std::time::Instant::now();
        setup.home.standin.inject_into_graph(status(429, Some("1")));
        setup.home.standin.inject_into_graph(status(503, Some("1")));
        assert_eq!(send().code, Some(0), "{shell}");
        assert!(start.elapsed() >= std::time::Duration::from_secs(2), "as Retry-After says");
        assert_eq!((setup.home.standin.sent_messages().len(), setup.sends()), (1, 3));
        for _ in 0..4 {
            setup.home.standin.inject_into_graph(status(503, Some("0")));
        }
        assert!(send().fails_with(75).contains("is busy (HTTP status 503)"), "{shell}");
        assert_eq!(setup.sends(), 7, "{shell}: four attempts");
        for retry_after in ["61", "Fri, 27 Nov 2026 10:00:00 GMT", "99999999999999999999", "-1"] {
            setup.home.standin.inject_into_graph(status(429, Some(retry_after)));
            assert!(send().fails_with(75).contains("is busy (HTTP status 429)"), "{shell}");
        }
        assert_eq!((setup.sends(), setup.home.standin.sent_messages().len()), (11, 1), "{shell}: one attempt each");
    }
}

#[test]
#[ignore = "tests/run: curl"]
fn without_a_token_nothing_is_sent_and_the_exit_code_is_that_of_refresh_token() {
    for shell in SHELLS {
        let setup = Setup::new();
        let send = || setup.send_with(shell, &["-t"], MESSAGE.as_bytes());
        setup.home.standin.revoke_all(700_082);
        let run = send();
        assert!(run.fails_with(77).contains("AADSTS700082"), "{run:?}");
        assert!(!run.stderr.contains("curl"), "{run:?}");
        std::fs::remove_file(setup.home.token_file("send")).unwrap();
        assert!(send().fails_with(77).contains("No refresh token found"), "{shell}");
        setup.home.configure("client_id = ''");
        send().fails_with(78);
        assert_eq!(setup.sends(), 0);
    }
}

#[test]
#[ignore = "tests/run: curl"]
fn a_graph_that_cannot_be_reached_is_75_and_a_host_that_is_not_one_is_78() {
    let mut setup = Setup::new();
    let graph = format!("localhost:{}", crate::support::free_port());
    setup.set("M365AUTH_GRAPH_HOST", &graph);
    let run = setup.send(&["-t"], MESSAGE);
    assert!(run.fails_with(75).contains(&format!("error: {graph} cannot be reached: (7) ")), "{run:?}");
    setup.set("CURL_CA_BUNDLE", "/etc/ssl/certs/ca-certificates.crt");
    setup.set("M365AUTH_GRAPH_HOST", &format!("localhost:{}", setup.home.standin.port()));
    let run = setup.send(&["-t"], MESSAGE);
    assert!(run.fails_with(75).contains("cannot be reached: (60) "), "{run:?}");
    for host in ["https://graph.microsoft.com", "a b", "a\"b", "a|b", "a/b", "a&b", "a\nb"] {
        setup.set("M365AUTH_GRAPH_HOST", host);
        setup.send(&["-t"], MESSAGE).fails_with(78);
    }
    assert_eq!(setup.sends(), 0);
}

#[test]
#[ignore = "tests/run: curl"]
fn a_message_over_the_limit_is_refused_before_it_is_sent() {
    let setup = Setup::new();
    let head = "From: ada@example.com\nTo: grace@example.com\n\n";
    let message = |length: usize| format!("{head}{}", "0123456789abcde\n".repeat(length / 16 + 1))[..length].to_owned();
    let largest = 4 * 1024 * 1024 / 4 * 3;
    assert_eq!(setup.sent(&["-t"], &message(largest)).len(), largest);
    let (sends, tokens) = (setup.sends(), setup.home.standin.token_requests());
    let run = setup.send(&["-t"], &message(largest + 1));
    assert!(run.fails_with(65).contains("the message is too large: 4194308 bytes in base64"), "{run:?}");
    let run = setup.send(&["-t", "bob@example.com"], &message(largest));
    assert!(run.fails_with(65).contains("the message is too large"), "with the added Bcc: {run:?}");
    assert_eq!((setup.sends(), setup.home.standin.token_requests()), (sends, tokens));
}

#[test]
#[ignore = "tests/run: curl"]
fn a_missing_program_or_temporary_folder_is_69() {
    let mut setup = Setup::new();
    let programs = setup.home.path().join("programs");
    std::fs::create_dir(&programs).unwrap();
    let path = setup.home.environment.iter().find(|(name, _)| name == "PATH").cloned();
    setup.set("PATH", &programs.display().to_string());
    assert!(setup.send(&["-t"], MESSAGE).fails_with(69).contains("refresh-token was not found"));
    setup.home.environment.retain(|(name, _)| name != "PATH");
    assert_eq!(path, None);
    let missing = setup.home.path().join("missing").display().to_string();
    setup.set("TMPDIR", &missing);
    assert!(setup.send(&["-t"], MESSAGE).fails_with(69).contains("cannot create a temporary folder"));
}

/// Its options could show the token or send it elsewhere.
#[test]
#[ignore = "tests/run: curl"]
fn the_configuration_of_curl_is_not_read() {
    let setup = Setup::new();
    let file = setup.home.path().join(".curlrc");
    std::fs::write(&file, "verbose\ntrace-ascii = trace\nurl = https://localhost:1/\n").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(setup.sent(&["-t"], MESSAGE), MESSAGE);
}
