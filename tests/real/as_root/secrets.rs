//! Secrets in the system calls of a command. Only root sees data in a trace of the commands, because they forbid other
//! programs to read their memory.

use crate::login::{Keyring, Login, program};
use crate::process::files;
use crate::support::{Home, binary, finish};

#[test]
#[ignore = "tests/run: root, strace, gnome-keyring"]
fn no_secret_reaches_arguments_environment_or_files_except_the_store() {
    for keychain in [false, true] {
        let mut home = Home::new();
        let _login = keychain.then(|| Login::start(&mut home, Keyring::Gnome));
        home.sign_in().token();
        let trace = home.path().join("trace");
        let mut strace = program("strace", "strace");
        home.prepare(&mut strace);
        // -y: show each descriptor's file. -s: long enough for a token. -ff: one file for each thread, so that no call
        // is split.
        strace.args(["-ff", "-y", "-v", "-s", "10000", "-e", "trace=%process,%file,%desc,%network", "-o"]);
        let run = finish(strace.arg(&trace).arg(binary("refresh-token")).arg("-v"));
        run.token();
        let secrets = home.standin.issued_secrets();
        assert!(secrets.len() > 3);
        let traces = files(home.path()).into_iter().filter(|file| file.file_stem() == trace.file_name());
        let calls: String = traces.map(|file| std::fs::read_to_string(file).unwrap()).collect();
        assert!(calls.contains(run.token()), "the trace contains data, above all the printed token");
        let leaks: Vec<&str> = calls
            .lines()
            .filter(|call| secrets.iter().any(|secret| call.contains(secret.as_str())))
            .filter(|call| !is_store_or_stdout(call))
            .collect();
        assert!(leaks.is_empty(), "{leaks:?}");
        assert!(!run.stderr.contains(&secrets[0]));
        // Files in the home folder that contain a secret: the token file, or none with a keychain.
        let mut holders: Vec<String> = files(home.path())
            .into_iter()
            .filter(|file| file.file_stem() != trace.file_name() && !file.to_str().unwrap().contains("keyrings"))
            .filter(|file| {
                let content = std::fs::read(file).unwrap();
                let content = String::from_utf8_lossy(&content);
                secrets.iter().any(|secret| content.contains(secret.as_str()))
            })
            .map(|file| file.file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        holders.sort();
        let expected: &[&str] = if keychain { &[] } else { &["refresh_token_mail"] };
        assert_eq!(holders, expected);
    }
}

/// Returns whether the call reads the store, writes the temporary file that becomes the store, or prints the token.
fn is_store_or_stdout(call: &str) -> bool {
    let store = call.contains("/refresh_token_mail>") || call.contains("/.m365auth-");
    (store && (call.contains("read(") || call.contains("write("))) || call.contains("write(1<")
}
