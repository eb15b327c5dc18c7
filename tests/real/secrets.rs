//! Searches for the known secrets in everything that the commands print and write.

use std::path::{Path, PathBuf};

use standin::{ADA, CLIENT_SECRET, CONFIDENTIAL_CLIENT_ID, Fault, PUBLIC_CLIENT_ID};

use crate::support::{Home, Run, eventually};

/// Returns a home with a client secret and a signed-in user.
pub fn home() -> Home {
    let home = Home::new();
    home.configure(
        &home
            .configuration()
            .replace(PUBLIC_CLIENT_ID, CONFIDENTIAL_CLIENT_ID)
            .replace("ca_file", &format!("client_secret = '{CLIENT_SECRET}'\nnetwork_timeout = 1\nca_file")),
    );
    home.sign_in().token();
    home
}

/// Returns all secrets. They may appear only in the store, except for the requested token on stdout.
fn secrets(home: &Home) -> Vec<String> {
    home.standin.issued_secrets().into_iter().chain([CLIENT_SECRET.to_owned()]).collect()
}

#[track_caller]
fn assert_no_secret(home: &Home, what: &str, run: &Run) {
    let secrets = secrets(home);
    for secret in &secrets {
        assert!(!run.stderr.contains(secret), "{what}: {}", run.stderr);
        assert!(run.code == Some(0) || !run.stdout.contains(secret), "{what}: {}", run.stdout);
    }
    // --check and --status print their result on stdout even if they fail.
    if run.code != Some(0) && !["--check", "--status"].iter().any(|flag| what.contains(flag)) {
        assert_eq!(run.stdout, "", "{what}");
    }
    for file in files(home.path()) {
        let name = file.file_name().unwrap().to_str().unwrap();
        let text = String::from_utf8_lossy(&std::fs::read(&file).unwrap()).into_owned();
        let is_allowed = |secret: &str| match name {
            "refresh_token_mail" => text == secret,
            "config.toml" => secret == CLIENT_SECRET,
            _ => false,
        };
        assert!(!secrets.iter().any(|secret| text.contains(secret) && !is_allowed(secret)), "{what}: {name}");
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = folder.read_dir().unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn faults() -> Vec<Fault> {
    let mut faults = vec![
        Fault::Reset,
        Fault::ResponseLost,
        Fault::Html,
        Fault::Empty,
        Fault::NotJson,
        Fault::InString,
        Fault::Truncated,
        Fault::Huge,
        Fault::Redirect,
        Fault::HostileText,
        Fault::NoRefreshToken,
        Fault::NoIdToken,
        Fault::NoAccessToken,
        Fault::AccessToken("two\nlines".to_owned()),
        Fault::TokenType("Unheard-Of".to_owned()),
        Fault::BrokenIdToken,
        Fault::WrongNonce,
        Fault::WrongAudience,
        Fault::Status { status: 503, retry_after: None },
    ];
    faults.extend([53_003, 65_001, 90_094, 7_000_215, 50_196, 50_173].map(Fault::aadsts));
    faults
}

#[test]
#[ignore = "tests/run: a hundred runs"]
fn no_command_prints_or_writes_a_secret_after_a_fault() {
    for fault in faults() {
        let home = home();
        for (command, arguments) in [
            ("refresh-token", &["-v"][..]),
            ("get-token", &["-v", "--check"]),
            ("get-token", &["-v", "--status", "--json"]),
        ] {
            home.standin.inject_times(fault.clone(), 5);
            let run = home.run(command, arguments);
            home.standin.clear_faults();
            assert_no_secret(&home, &format!("{command} {arguments:?} {fault:?}"), &run);
        }
        home.standin.inject_times(fault.clone(), 5);
        let sign_in = home.begin_sign_in(&["-v"]);
        let page = sign_in.approve(ADA);
        let run = sign_in.finish();
        home.standin.clear_faults();
        assert_no_secret(&home, &format!("get-token {fault:?}"), &run);
        assert!(!secrets(&home).iter().any(|secret| page.body.contains(secret) || page.url.contains(secret)));
    }
}

pub fn assert_no_secret_in_proc(home: &Home, process: u32) {
    for file in ["cmdline", "environ", "comm", "status"] {
        let content = std::fs::read(format!("/proc/{process}/{file}")).unwrap();
        let content = String::from_utf8_lossy(&content);
        assert!(!secrets(home).iter().any(|secret| content.contains(secret)), "{file}: {content}");
    }
}

#[test]
#[ignore = "tests/run: /proc"]
fn other_programs_of_the_user_cannot_read_its_memory_and_no_core_is_dumped() {
    let home = Home::new();
    home.store_token("mail");
    home.standin.inject(Fault::Hang);
    let user = crate::memory::OrdinaryUser::of(&home);
    let mut refresh = user.command("./refresh-token").spawn().unwrap();
    eventually("the token request", || home.standin.connections() == 1);
    // proc(5): the files of a process that is not dumpable belong to root.
    let owner = std::fs::metadata(format!("/proc/{}/mem", refresh.id())).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&owner), 0);
    refresh.kill().unwrap();
    refresh.wait().unwrap();
}
