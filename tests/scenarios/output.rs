//! stdout is the token and one newline, or nothing. Messages go to stderr. Exit codes say what to do.

use std::io::{BufRead as _, BufReader, Write as _};

use standin::ADA;

use crate::support::Home;

#[test]
fn wrong_arguments_are_64_with_nothing_on_stdout() {
    let home = Home::new();
    for command in ["get-token", "refresh-token", "get-refresh-token"] {
        let run = home.run(command, ["--nonsense"]);
        assert_eq!((run.code, &*run.stdout), (Some(64), ""), "{run:?}");
        assert!(run.stderr.contains("error: ") && run.stderr.contains("--help"), "{run:?}");
    }
    let run = home.run("refresh-token", ["--profile", "../mail"]);
    assert!(run.code == Some(64) && run.stderr.contains("letters, digits, spaces"), "{run:?}");
}

#[test]
fn a_pipe_gets_neither_colors_nor_line_breaks() {
    let home = Home::new();
    let user = "ada@example.com".repeat(10);
    let error = home.run("refresh-token", ["--user", &user]);
    assert_eq!(error.fails_with(64).lines().count(), 2, "the error and its hint: {error:?}");
    home.store_token("mail");
    for arguments in [&["--help"][..], &["--nonsense"], &["--status"], &["--check"]] {
        let run = home.run("get-token", arguments);
        assert!(!run.stdout.contains('\u{1b}') && !run.stderr.contains('\u{1b}'), "{run:?}");
    }
}

#[test]
#[cfg(unix)]
fn a_value_is_quoted_for_the_shell_that_a_hint_is_pasted_into() {
    let home = Home::new();
    let run = home.run("refresh-token", ["--user", "it's me"]);
    assert!(run.fails_with(64).contains(r"--format xoauth2 --user 'it'\''s me'`"), "{run:?}");
    let file = home.path().join("my config.toml");
    let run = home.run("refresh-token", ["--config", file.to_str().unwrap()]);
    assert!(run.fails_with(78).contains(&format!("`get-token --config '{}'`", file.display())), "{run:?}");
    let file = home.path().join("it's.toml");
    std::fs::write(&file, "").unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
    let run = home.run("refresh-token", ["--config", file.to_str().unwrap()]);
    let word = format!(r"'{}/it'\''s.toml'", home.path().display());
    assert!(run.fails_with(78).contains(&format!("`chmod go-w {word} {}`", home.path().display())), "{run:?}");
    assert!(run.stderr.contains(&format!("`export M365AUTH_TRUST_CONFIG={word}`")), "{run:?}");
}

#[test]
fn help_and_version_go_to_stdout_and_exit_with_0() {
    let home = Home::new();
    for command in ["get-token", "refresh-token", "get-refresh-token"] {
        let help = home.run(command, ["--help"]);
        assert_eq!(help.code, Some(0));
        assert!(help.stdout.contains("--profile") && help.stderr.is_empty(), "{help:?}");
        assert_eq!(home.run(command, ["-V"]).stdout, format!("{command} {}\n", env!("CARGO_PKG_VERSION")));
    }
}

#[test]
fn verbose_shows_what_was_done_but_no_secret() {
    let home = Home::new();
    home.store_token("mail");
    home.run("refresh-token", ["-v", "-vvv"]).token();
    let run = home.run("refresh-token", ["-v", "--fresh"]);
    run.token();
    for known in ["config.toml", "refresh_token_mail", "oauth2/v2.0/token", "200 OK", " ms)"] {
        assert!(run.stderr.contains(known), "{known} in {}", run.stderr);
    }
    for secret in home.standin.issued_secrets() {
        assert!(!run.stderr.contains(&secret));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_stdout_is_an_error_and_a_closed_pipe_is_not() {
    use std::process::Stdio;
    let home = Home::new();
    home.store_token("mail");
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = home.command("refresh-token").stdout(full).stderr(Stdio::piped()).spawn().unwrap();
    let output = output.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(74));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot write to stdout"));

    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut closed = home.command("refresh-token").stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    assert_eq!(closed.wait().unwrap().code(), Some(0));
    home.refresh().token();
}

#[test]
#[cfg(target_os = "linux")] // the other systems have no variable for the folder
fn a_cache_folder_that_cannot_be_created_is_74_and_the_default_one_is_not_used() {
    let home = Home::new();
    let token = home.store_token("mail");
    let run = crate::support::finish(home.command("refresh-token").env("XDG_CACHE_HOME", "/dev/null/nowhere"));
    assert!(run.fails_with(74).contains("/dev/null/nowhere"), "no token can be read there");
    assert_eq!(home.token_in_file("mail"), Some(token));
}

/// What `--format json` prints.
#[derive(serde::Deserialize)]
struct Json {
    profile: String,
    access_token: String,
    expires_at: u64,
    scopes: Vec<String>,
    account: serde_json::Value,
}

#[test]
fn json_contains_the_expiry_the_scopes_and_the_account() {
    let home = Home::new();
    home.configure(&home.configuration_with_memory());
    home.sign_in().token();
    let cached = home.run("refresh-token", ["--format", "json"]);
    let fresh = home.run("refresh-token", ["--format", "json", "--fresh"]);
    for run in [&cached, &fresh] {
        assert_eq!((run.code, run.stdout.matches('\n').count()), (Some(0), 1), "{run:?}");
        let json: Json = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(json.profile, "mail");
        assert!(home.standin.is_valid_access_token(&json.access_token));
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        assert!((now + 3000..now + 6000).contains(&json.expires_at), "{}", json.expires_at);
        assert!(json.scopes.iter().any(|scope| scope.ends_with("/IMAP.AccessAsUser.All")), "{:?}", json.scopes);
        assert_eq!(json.account["name"], ADA);
    }
    assert_eq!(home.standin.token_requests(), if cfg!(target_os = "linux") { 2 } else { 3 });
    assert_eq!(home.run("get-token", ["--sign-out"]).code, Some(0));
}

#[test]
fn xoauth2_is_the_line_that_a_mail_server_expects() {
    let home = Home::new();
    home.sign_in().token();
    let line = |arguments: &[&str]| {
        let run = home.run("refresh-token", [&["--format", "xoauth2"], arguments].concat());
        let bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, run.token()).unwrap();
        let line = String::from_utf8(bytes).unwrap();
        let (user, rest) = line.strip_prefix("user=").unwrap().split_once("\x01auth=Bearer ").unwrap();
        assert!(home.standin.is_valid_access_token(rest.strip_suffix("\x01\x01").unwrap()));
        user.to_owned()
    };
    assert_eq!(line(&[]), ADA, "who signed in");
    assert_eq!(line(&["--user", "shared@example.com"]), "shared@example.com");
    home.configure_with("username = 'ADA@example.com'");
    assert_eq!(line(&[]), "ADA@example.com", "what the profile says");

    home.run("refresh-token", ["--user", ADA]).fails_with(64);
    home.run("refresh-token", ["--format", "xoauth2", "--user", "two\nlines"]).fails_with(78);
}

#[test]
fn scopes_cannot_control_the_terminal() {
    let home = Home::new();
    home.store_token("mail");
    home.standin.inject(standin::Fault::Scope("a\u{9b}31m\u{202e}b c".to_owned()));
    let run = home.run("refresh-token", ["--format", "json"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stdout.contains(r#"["a 31mb","c"]"#), "{}", run.stdout);
}

#[test]
fn the_reply_of_a_mail_server_cannot_control_the_terminal() {
    let server = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = server.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (stream, _) = server.accept().unwrap();
        let mut replies = stream.try_clone().unwrap();
        replies.write_all(b"220 hello\r\n").unwrap();
        for reply in ["250 STARTTLS\r\n", "454 no \u{1b}[2J\u{9b}31m\u{202e} room\r\n"] {
            BufReader::new(&stream).read_line(&mut String::new()).unwrap();
            replies.write_all(reply.as_bytes()).unwrap();
        }
    });
    let home = Home::new();
    home.store_token("mail");
    let nobody = crate::support::free_port();
    home.configure_with(&format!("imap_host = 'localhost:{nobody}'\nsmtp_host = '127.0.0.1:{port}'"));
    let run = home.run("get-token", ["--check"]);
    let line = run.stdout.lines().find(|line| line.contains("SMTP: ")).unwrap();
    assert!(line.contains("454 no [2J 31m room"), "{line:?}");
}
