//! The program, and the server under load.

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
        .expect("it starts");
    let lines = BufReader::new(program.stdout.take().expect("its standard output is a pipe")).lines();
    let lines = lines.map_while(Result::ok).take(4).collect();
    (program, lines)
}

#[test]
fn it_says_where_it_is_and_ends_with_its_input() {
    let directory = tempfile::tempdir().expect("a folder");
    let directory = directory.path().to_str().expect("a path in UTF-8");
    let (mut program, lines) = start(directory);
    assert!(lines[0].starts_with("authority=https://localhost:") && lines[0].ends_with("/common/"), "{lines:?}");
    let ca_file = std::path::Path::new(directory).join("standin-ca.pem");
    assert_eq!(lines[1], format!("ca_file={}", ca_file.display()));
    assert_eq!(lines[2..], [format!("client_id={PUBLIC_CLIENT_ID}"), "ready".into()]);
    drop(program.stdin.take());
    assert!(program.wait().expect("it ends").success());
}

#[cfg(unix)]
#[test]
fn it_ends_with_a_signal() {
    let directory = tempfile::tempdir().expect("a folder");
    let (mut program, _) = start(directory.path().to_str().expect("a path in UTF-8"));
    let killed = Command::new("sh").args(["-c", &format!("kill -TERM {}", program.id())]).status();
    assert!(killed.expect("there is a shell").success());
    assert!(program.wait().expect("it ends").success());
}

#[test]
fn many_ask_at_once() {
    // Client and server share the limit on open files, 1,024 on many machines.
    const MANY: usize = 400;
    let standin = Standin::start();
    let url = format!("{}oauth2/v2.0/token", standin.authority());
    let form = encode(&refresh_parameters(&standin.seed_refresh_token(PUBLIC_CLIENT_ID, ADA)));
    let client = client(&standin);
    let granted = run(async {
        let mut requests = tokio::task::JoinSet::new();
        for _ in 0..MANY {
            let request = client.post(&url).header("content-type", "application/x-www-form-urlencoded");
            // Else one connection serves several.
            let request = request.header("connection", "close");
            requests.spawn(request.body(form.clone()).send());
        }
        let answers = requests.join_all().await;
        answers.into_iter().filter(|answer| answer.as_ref().is_ok_and(|answer| answer.status() == 200)).count()
    });
    assert_eq!(granted, MANY);
    assert_eq!(standin.connections(), MANY);
}
