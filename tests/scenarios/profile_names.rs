//! Names of profiles and folders for which Windows and macOS have rules of their own.

use standin::ADA;

use crate::support::{Home, finish};

/// Adds a section with scopes for each profile.
fn with_profiles(home: &Home, names: &[&str]) {
    let section =
        |name: &&str| format!("[profiles.\"{name}\"]\nscopes = ['https://outlook.office.com/IMAP.AccessAsUser.All']\n");
    let sections: String = names.iter().map(section).collect();
    home.configure(&(home.configuration() + &sections));
}

/// `con` and `nul` are devices in every folder of Windows, with and without an extension. No file of ours has such a
/// name: each begins with a word of ours.
#[test]
fn a_profile_can_have_the_name_of_a_windows_device() {
    let names = ["con", "nul", "aux", "prn", "com1", "lpt1", "a.nul"];
    let home = Home::new();
    with_profiles(&home, &names);
    home.standin.set_single_use_refresh_tokens(true);
    for name in names {
        let sign_in = home.begin_sign_in(&["-p", name]);
        sign_in.approve(ADA);
        sign_in.finish().token();
        home.run("refresh-token", ["-p", name]).token();
    }
    for name in names {
        let stored = home.token_in_file(name).expect("a file");
        assert!(home.standin.is_valid_refresh_token(&stored), "{name}");
        assert_eq!(home.run("get-refresh-token", ["-p", name]).token(), stored);
        assert_eq!(home.run("get-token", ["--sign-out", "-p", name]).code, Some(0));
        assert_eq!(home.token_in_file(name), None);
    }
}

#[test]
fn profiles_that_differ_only_in_letter_case_are_an_error_where_they_share_their_files_else_a_warning() {
    let home = Home::new();
    with_profiles(&home, &["Mail"]);
    let mails = home.store_token("mail");
    let texts =
        ["config.toml:7: the names of the profiles \"Mail\" and \"mail\" (built in) are too similar", "rename one"];
    if cfg!(any(windows, target_os = "macos")) {
        for command in ["get-token", "refresh-token", "get-refresh-token"] {
            let run = home.run(command, ["-p", "Mail"]);
            let stderr = run.fails_with(78);
            assert!(texts.iter().all(|text| stderr.contains(text)), "{stderr}");
        }
        return;
    }
    let sign_in = home.begin_sign_in(&["-p", "Mail"]);
    sign_in.approve(ADA);
    let run = sign_in.finish();
    run.token();
    assert!(run.stderr.contains("warning: ") && texts.iter().all(|text| run.stderr.contains(text)), "{}", run.stderr);
    assert_eq!(home.token_in_file("mail"), Some(mails), "each has a file of its own");
    // A mail program would log the warning every few minutes.
    let run = home.run("refresh-token", ["-p", "Mail"]);
    run.token();
    assert_eq!(run.stderr, "");
}

/// Windows limits most paths to 260 characters (Microsoft: "Maximum Path Length Limitation").
#[test]
fn paths_can_be_longer_than_260_characters() {
    let mut home = Home::new();
    let mut folder = home.path().to_owned();
    while folder.as_os_str().len() < 400 {
        folder.push("a-folder-with-a-long-name-of-about-forty-letters");
    }
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("config.toml");
    std::fs::copy(home.config_file(), &file).unwrap();
    for variable in ["LOCALAPPDATA", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"] {
        home.environment.push((variable.to_owned(), folder.to_str().unwrap().to_owned()));
    }
    home.environment.push(("M365AUTH_CONFIG".to_owned(), file.to_str().unwrap().to_owned()));
    home.standin.set_single_use_refresh_tokens(true);
    home.sign_in().token();
    let first = home.run("get-refresh-token", [""; 0]).token().to_owned();
    home.refresh().token();
    let second = home.run("get-refresh-token", [""; 0]).token().to_owned();
    assert!(first != second && home.standin.is_valid_refresh_token(&second));
    let shown = home.run("get-token", ["--status"]).stdout;
    if !cfg!(target_os = "macos") {
        assert!(shown.contains("a-folder-with-a-long-name"), "{shown}");
    }
    finish(home.command("get-token").arg("--sign-out"));
    home.run("get-refresh-token", [""; 0]).fails_with(77);
}

/// The Credential Manager accepts 2,560 bytes in an entry. This test uses the Credential Manager of the user
/// who runs it, with profiles that nobody has, and removes the entries.
#[test]
#[cfg(windows)]
#[ignore = "uses your Credential Manager: cargo test --test scenarios credential_manager -- --ignored"]
fn the_credential_manager_keeps_long_tokens_of_each_profile() {
    let setup = standin::Setup { refresh_token_length: 6000..=6000, ..standin::Setup::default() };
    let home = Home::with(standin::Standin::start_with(setup));
    home.standin.set_single_use_refresh_tokens(true);
    let names = [format!("test-{}", std::process::id()), "nul".to_owned()];
    with_profiles(&home, &[&names[0], &names[1]]);
    let text = std::fs::read_to_string(home.config_file()).unwrap();
    home.configure(&text.replace("store = 'file'", "store = 'keychain'"));
    for name in &names {
        let sign_in = home.begin_sign_in(&["-p", name]);
        sign_in.approve(ADA);
        sign_in.finish().token();
        for _ in 0..3 {
            home.run("refresh-token", ["-p", name]).token();
        }
        let stored = home.run("get-refresh-token", ["-p", name]).token().to_owned();
        assert!(stored.len() == 6000 && home.standin.is_valid_refresh_token(&stored), "{name}");
        assert_eq!(home.token_in_file(name), None);
    }
    for name in &names {
        assert_eq!(home.run("get-token", ["--sign-out", "-p", name]).code, Some(0));
        home.run("get-refresh-token", ["-p", name]).fails_with(77);
    }
}
