//! The token goes from `refresh-token` to curl through pipes, and nowhere else.

use std::fs;

use super::{MESSAGE, SHELLS, Setup, script};
use crate::login::program;
use crate::support::finish;

/// Which program had the token, and in which system call, without the result of the call.
fn calls_with_token(setup: &Setup, shell: &str, script: &std::path::Path) -> Vec<(String, String)> {
    let traces = setup.home.path().join("traces");
    fs::create_dir_all(&traces).unwrap();
    let message = setup.home.path().join("message");
    fs::write(&message, MESSAGE).unwrap();
    let mut strace = program("strace", "strace");
    setup.home.prepare(&mut strace);
    // `-v` shows the whole environment of a program.
    strace
        .args(["-ff", "-y", "-v", "-s", "10000", "-e", "trace=%process,%file,%desc,%network", "-o"])
        .arg(traces.join("trace"));
    strace.arg(program(shell, shell).get_program());
    if shell == "busybox" {
        strace.arg("sh");
    }
    let run = finish(strace.arg(script).arg("-t").stdin(fs::File::open(message).unwrap()));
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{shell}");
    // The middle of each secret, because a call may have a part of it.
    let parts: Vec<String> =
        setup.home.standin.issued_secrets().iter().map(|secret| secret[200..240].to_owned()).collect();
    let mut found = Vec::new();
    for trace in crate::process::files(&traces) {
        let mut program = "a copy of the shell".to_owned();
        for call in fs::read_to_string(trace).unwrap().lines() {
            if call.starts_with("execve(") && call.ends_with(" = 0") {
                program = call.split('"').nth(1).unwrap().rsplit('/').next().unwrap().to_owned();
            }
            if parts.iter().any(|part| call.contains(part)) {
                found.push((program.clone(), call.to_owned()));
            }
        }
    }
    found
}

#[test]
#[ignore = "tests/run: strace, curl, busybox and mksh"]
fn no_argument_environment_file_or_word_of_the_shell_contains_the_token() {
    for shell in SHELLS {
        let calls = calls_with_token(&Setup::new(), shell, &script());
        let through_pipe = |(program, call): &(String, String)| {
            let name = call.split('(').next().unwrap();
            let to_pipe = call.split(',').next().unwrap().contains("<pipe:[");
            match (program.as_str(), name) {
                ("refresh-token", name) => !name.starts_with("exec"),
                ("sed" | "curl", "read") => to_pipe,
                ("sed", "write") => to_pipe,
                _ => false,
            }
        };
        let others: Vec<_> = calls.iter().filter(|call| !through_pipe(call)).collect();
        assert!(others.is_empty(), "{shell}: {others:?}");
        // Not those of refresh-token, whose memory strace cannot read.
        for (program, name) in [("sed", "read("), ("curl", "read(")] {
            let seen = calls.iter().any(|(caller, call)| caller == program && call.starts_with(name));
            assert!(seen, "{shell}: the trace shows {program} {name}");
        }
    }
}

/// The test above must find each of these mistakes.
#[test]
#[ignore = "tests/run: strace, curl, busybox and mksh"]
fn the_watcher_finds_a_token_in_the_wrong_place() {
    let text = fs::read_to_string(script()).unwrap();
    let original = "        refresh-token --profile send\n";
    assert!(text.contains(original));
    for (mistake, program) in [
        ("token=$(refresh-token --profile send); printf '%s\\n' \"$token\"\n", "dash"),
        ("refresh-token --profile send | tee \"$folder/token\"; :\n", "tee"),
        ("token=$(refresh-token --profile send); /usr/bin/printf '%s\\n' \"$token\"\n", "printf"),
        ("TOKEN=$(refresh-token --profile send); export TOKEN; cat <<END\n$TOKEN\nEND\n", "cat"),
    ] {
        let setup = Setup::new();
        let file = setup.home.path().join("mistake");
        fs::write(&file, text.replace(original, mistake)).unwrap();
        let calls = calls_with_token(&setup, "dash", &file);
        let is_allowed = |program: &str| ["refresh-token", "sed", "curl"].contains(&program);
        assert!(calls.iter().any(|(caller, _)| !is_allowed(caller)), "{program}: {calls:?}");
    }
}
