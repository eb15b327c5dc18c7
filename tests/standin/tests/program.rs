//! The program `standin`, and the server under load.

mod support;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use standin::{ADA, PUBLIC_CLIENT_ID, Standin};
use support::*;

fn start(directory: &str) -> (Child, Vec<String>) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_standin"))
        .args(["--directory", directory, "--access-token-lifetime", "60"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let lines = BufReader::new(program.stdout.take().expect("stdout is a pipe")).lines();
    let lines = lines.map_while(Result::ok).take(4).collect();
    (program, lines)
}

#[test]
fn the_program_prints_its_settings_and_exits_when_stdin_closes() {
    let directory = tempfile::tempdir().expect("a folder");
    let directory = directory.path().to_str().expect("a path in UTF-8");
    let (mut program, lines) = start(directory);
    assert!(lines[0].starts_with("authority=https://localhost:") && lines[0].ends_with("/common/"), "{lines:?}");
    let ca_file = std::path::Path::new(directory).join("standin-ca.pem");
    assert_eq!(lines[1], format!("ca_file={}", ca_file.display()));
    assert_eq!(lines[2..], [format!("client_id={PUBLIC_CLIENT_ID}"), "ready".into()]);
    drop(program.stdin.take());
    assert!(program.wait().expect("the program exits").success());
}

#[cfg(unix)]
#[test]
fn the_program_exits_on_sigterm() {
    let directory = tempfile::tempdir().expect("a folder");
    let (mut program, _) = start(directory.path().to_str().expect("a path in UTF-8"));
    let killed = Command::new("sh").args(["-c", &format!("kill -TERM {}", program.id())]).status();
    assert!(killed.expect("the shell runs").success());
    assert!(program.wait().expect("the program exits").success());
}

#[test]
fn the_server_grants_many_requests_at_once() {
    // Client and server share the limit of open files, which is 1,024 on many machines.
    const MANY: usize = 400;
    let standin = Standin::start();
    let url = format!("{}oauth2/v2.0/token", standin.authority());
    let form = encode(&refresh_parameters(&standin.seed_refresh_token(PUBLIC_CLIENT_ID, ADA)));
    let client = client(&standin);
    let granted = run(async {
        let mut requests = tokio::task::JoinSet::new();
        for _ in 0..MANY {
            let request = client.post(&url).header("content-type", "application/x-www-form-urlencoded");
            // Otherwise one connection serves several requests.
            let request = request.header("connection", "close");
            requests.spawn(request.body(form.clone()).send());
        }
        let responses = requests.join_all().await;
        responses
            .into_iter()
            .filter(|response| response.as_ref().is_ok_and(|response| response.status() == 200))
            .count()
    });
    assert_eq!(granted, MANY);
    assert_eq!(standin.connections(), MANY);
}
