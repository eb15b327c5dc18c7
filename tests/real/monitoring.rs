//! The examples in docs/reliability.md: alarms on a headless server, and monitoring.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use standin::Fault;

use crate::document_blocks::{self, Adapt as _};
use crate::login::program;
use crate::support::{Home, Run, eventually, finish};

const DOCUMENT: &str = "docs/reliability.md";

fn block(heading: &str, language: &str, index: usize) -> String {
    document_blocks::block(DOCUMENT, heading, language, index)
}

/// A home with a token that Microsoft refuses once, and with this line in its configuration.
fn refuse(line: &str) -> (Home, Run) {
    let home = Home::new();
    home.configure_with(line);
    home.sign_in().token();
    home.standin.inject(Fault::aadsts(50_173));
    let run = home.refresh();
    run.fails_with(77);
    (home, run)
}

#[test]
#[ignore = "tests/run: curl"]
fn ntfy_gets_the_reason_and_the_hint() {
    program("curl", "curl");
    let server = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}/mail", server.local_addr().unwrap());
    refuse(&block("Notifications", "toml", 2).with("https://ntfy.sh/YOUR-TOPIC", &url));
    let mut posted = BufReader::new(server.accept().unwrap().0);
    let (mut head, mut length) = (String::new(), 0);
    while !head.ends_with("\r\n\r\n") {
        let mut line = String::new();
        posted.read_line(&mut line).unwrap();
        length = line.strip_prefix("Content-Length: ").map_or(length, |length| length.trim().parse().unwrap());
        head += &line;
    }
    let mut body = vec![0; length];
    posted.read_exact(&mut body).unwrap();
    _ = posted.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let body = String::from_utf8(body).unwrap();
    assert!(head.starts_with("POST /mail ") && head.contains("Title: mail: sign-in needed\r\n"), "{head}");
    assert!(
        body.contains("the refresh token was revoked") && body.contains("\nrun `get-token --profile mail`"),
        "{body}"
    );
}

#[test]
#[ignore = "tests/run: a shell"]
fn a_mail_contains_the_reason_the_hint_and_the_reference() {
    let command = "mail -s \"$M365AUTH_PROFILE: sign-in needed\" ada@example.com";
    let (home, _) = refuse(&block("Notifications", "toml", 3).with(command, "cat >$HOME/new; mv $HOME/new $HOME/mail"));
    let mail = home.path().join("mail");
    eventually("the mail is sent", || mail.exists());
    let lines = std::fs::read_to_string(mail).unwrap();
    let lines: Vec<&str> = lines.lines().collect();
    assert!(
        lines[0].contains("revoked") && lines[1].contains("get-token") && lines[2].contains("AADSTS50173"),
        "{lines:?}"
    );
}

#[test]
#[ignore = "tests/run: systemd-analyze"]
fn the_systemd_units_are_valid() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let installed = block("Notifications", "ini", 0).with("ExecStart=sh", "ExecStart=/bin/sh");
    write("m365auth-failed@.service", &installed);
    let service = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/systemd/m365auth-refresh@.service");
    let service = std::fs::read_to_string(service).unwrap();
    write("m365auth-refresh@.service", &service.with("ExecStart=refresh-token", "ExecStart=/bin/true"));
    std::fs::create_dir(folder.path().join("m365auth-refresh@.service.d")).unwrap();
    write("m365auth-refresh@.service.d/failed.conf", &block("Notifications", "ini", 1));
    for unit in ["./m365auth-failed@mail.service", "./m365auth-refresh@mail.service"] {
        let mut analyze = program("systemd-analyze", "systemd");
        analyze.args(["--user", "--man=no", "verify", unit]).current_dir(folder.path());
        let run = finish(analyze.env("XDG_RUNTIME_DIR", folder.path()));
        assert!(run.code == Some(0) && run.stderr.is_empty(), "{run:?}");
    }
}

#[test]
#[ignore = "tests/run: a shell"]
fn the_unit_for_a_failed_timer_mails_the_status() {
    let unit = block("Notifications", "ini", 0).with("%i", "mail");
    let line = unit.lines().find_map(|line| line.strip_prefix("ExecStart=sh -c '")?.strip_suffix('\'')).unwrap();
    let line = line.to_owned().with("mail -s \"mail: no new token\" ada@example.com", "cat >$HOME/mailed");
    let (home, _) = refuse("");
    let mut shell = Command::new("sh");
    home.prepare(&mut shell);
    assert_eq!(finish(shell.args(["-c", &line])).code, Some(0));
    let mailed = std::fs::read_to_string(home.path().join("mailed")).unwrap();
    assert!(mailed.starts_with("mail: sign-in needed since ") && mailed.contains("(AADSTS50173)"), "{mailed}");
}

/// Runs a script of the document with an argument.
fn script(home: &Home, heading: &str, argument: &str) -> Run {
    let mut shell = Command::new("sh");
    home.prepare(&mut shell);
    finish(shell.args(["-c", &block(heading, "sh", 0), "script", argument]))
}

#[test]
#[ignore = "tests/run: a shell"]
fn nagios_gets_its_exit_codes() {
    let home = Home::new();
    assert_eq!(script(&home, "Nagios and Icinga", "mail").code, Some(2), "not signed in");
    home.sign_in().token();
    let run = script(&home, "Nagios and Icinga", "mail");
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), "mail: signed in as ada@example.com\n"));
    let (home, _) = refuse("");
    let run = script(&home, "Nagios and Icinga", "mail");
    assert!(run.code == Some(2) && run.stdout.starts_with("mail: sign-in needed since "), "{run:?}");
    home.configure(&home.configuration_with_store("{ load = ['false'], save = ['false'] }"));
    assert_eq!(script(&home, "Nagios and Icinga", "mail").code, Some(3), "the store does not answer");
}

#[test]
#[ignore = "tests/run: jq"]
fn prometheus_gets_the_state_and_the_days() {
    program("jq", "jq");
    let (home, _) = refuse("");
    let folder = home.path().to_str().unwrap().to_owned();
    let metrics = || {
        let run = script(&home, "Prometheus", &folder);
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
        std::fs::read_to_string(home.path().join("m365auth.prom")).unwrap()
    };
    let days = "m365auth_days_left{profile=\"mail\"} 90\n";
    assert_eq!(metrics(), format!("m365auth_ok{{profile=\"mail\",state=\"sign_in_needed\"}} 0\n{days}"));
    home.refresh().token();
    assert_eq!(metrics(), format!("m365auth_ok{{profile=\"mail\",state=\"ok\"}} 1\n{days}"));
}

#[test]
#[ignore = "tests/run: the document"]
fn every_field_of_the_status_is_documented() {
    let (home, _) = refuse("");
    let json = home.run("get-token", ["--status", "--json"]).stdout;
    let all: serde_json::Value = serde_json::from_str(&json).unwrap();
    let mail = all.as_array().unwrap().iter().find(|status| status["profile"] == "mail").unwrap();
    let document = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(DOCUMENT)).unwrap();
    let fields = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    for field in [fields(mail), fields(&mail["refusal"]), fields(&mail["account"])].concat() {
        assert!(document.contains(&format!("`{field}`")), "{field}");
    }
}
