//! `config.toml`: an error names the file, the line and the value, and says what the value must be.

use standin::{CLIENT_SECRET, CONFIDENTIAL_CLIENT_ID, PUBLIC_CLIENT_ID};

use crate::support::Home;

/// Writes these lines below a client ID, and asserts the line and the words of the error.
#[track_caller]
fn mistake(lines: &str, line_number: usize, words: &[&str]) {
    let home = Home::new();
    home.configure(&format!("client_id = '{PUBLIC_CLIENT_ID}'\n{lines}\n"));
    let run = home.refresh();
    let stderr = run.fails_with(78);
    let place = format!("config.toml:{line_number}: ");
    assert!(stderr.contains(&place), "{place} in {stderr}");
    for word in words {
        assert!(stderr.contains(word), "{word} in {stderr}");
    }
}

#[test]
fn an_unknown_key_or_section_gets_a_suggestion() {
    mistake("clientid = 'x'", 2, &["unknown key clientid", "did you mean client_id?"]);
    mistake("[profiles.work]\nscope = ['a']", 3, &["unknown key scope in [profiles.work]", "did you mean scopes?"]);
    mistake("[profile.work]\nscopes = ['a']", 2, &["unknown section [profile.work]", "did you mean [profiles.work]?"]);
    mistake("[profiles.ada@example.com]", 2, &["is not a valid section", "write [profiles.\"ada@example.com\"]"]);
}

#[test]
fn a_client_id_that_is_not_valid_or_in_another_profile_is_named() {
    let home = Home::new();
    home.configure("client_id = 'YOUR-CLIENT-ID'\n");
    let run = home.refresh();
    let stderr = run.fails_with(78);
    assert!(stderr.contains("config.toml:1: client_id = \"YOUR-CLIENT-ID\" is not valid: it must have"), "{stderr}");
    home.configure(&format!("[profiles.mail]\nclient_id = '{PUBLIC_CLIENT_ID}'\n"));
    let run = home.run("refresh-token", ["--profile", "calendar"]);
    let stderr = run.fails_with(78);
    assert!(
        stderr.contains("config.toml:2: client_id is set for [profiles.mail] only, not for profile \"calendar\""),
        "{stderr}"
    );
}

#[test]
fn an_error_names_the_full_path_of_the_file() {
    let home = Home::new();
    let file = home.path().join("other.toml");
    std::fs::write(&file, "network_timeout = 'soon'\n").unwrap();
    let mut command = home.command("refresh-token");
    let run = crate::support::finish(command.args(["--config", "other.toml"]).current_dir(home.path()));
    let stderr = run.fails_with(78);
    // macOS has its temporary folder behind a symbolic link. On Windows, a canonical path begins with \\?\.
    let file = if cfg!(windows) { file } else { file.canonicalize().unwrap() };
    let line = file.display();
    assert!(stderr.contains(&format!("{line}:1: network_timeout = \"soon\" is not valid")), "{line} in {stderr}");
    assert!(stderr.contains(&format!("hint: edit line 1 of {line}")), "{line} in {stderr}");
}

#[test]
fn the_hint_for_a_missing_file_names_that_file() {
    let home = Home::new();
    let run = home.run("refresh-token", ["--config", "other.toml"]);
    assert!(run.fails_with(78).contains("run `get-token --config other.toml` to create it"), "{run:?}");
}

#[test]
fn without_a_configuration_the_python_tools_is_named() {
    let home = Home::new();
    std::fs::remove_file(home.config_file()).unwrap();
    assert!(home.refresh().fails_with(78).contains("hint: run `get-token`"));
    std::fs::write(home.config_file().with_file_name("config.py"), "ClientID = 'x'\n").unwrap();
    let run = home.refresh();
    assert!(run.fails_with(78).contains("found the Python tool's config.py: run `get-token` once"), "{run:?}");
}

#[test]
fn a_value_of_the_wrong_type_is_shown_with_what_it_must_be() {
    let seconds = "it must be a number of seconds from 1 to 600, such as 30";
    mistake("network_timeout = 'soon'", 2, &["network_timeout = \"soon\" is not valid", seconds]);
    mistake("network_timeout = 0", 2, &["network_timeout = 0 is not valid", seconds]);
    mistake("[profiles.work]\nscopes = 'https://x/y'", 3, &["scopes = \"https://x/y\"", "must be a list of scopes"]);
    mistake("store = 'vault'", 2, &["store = \"vault\"", "\"auto\", \"keychain\" or \"file\""]);
}

#[test]
fn a_url_that_is_not_valid_is_shown_with_an_example() {
    mistake("authority = 'login.microsoftonline.com'", 2, &["https://login.microsoftonline.com/YOUR-TENANT-ID/"]);
    mistake("authority = 'http://login.microsoftonline.com/t/'", 2, &["must start with https://"]);
    mistake("authority = 'https://login.microsoftonline.com/'", 2, &["must be a login host and a tenant"]);
    mistake(
        "authority = 'https://example.com/t/'\ntenant = 't'",
        2,
        &["authority = \"https://example.com/t/\" and tenant cannot be set together"],
    );
    mistake("tenant = 'a/b'", 2, &["tenant = \"a/b\"", "a tenant ID, a domain"]);
    for wrong in ["http:/localhost/", "http://localhost:80/", "http://127.0.0.2/", "ftp://localhost/"] {
        mistake(&format!("redirect_uri = '{wrong}'"), 2, &[&format!("redirect_uri = \"{wrong}\" is not valid")]);
    }
    mistake("redirect_uri = 'https://example.com/'", 2, &["on this machine", "https://localhost:7598/"]);
}

#[test]
fn a_profile_that_is_not_built_in_needs_scopes() {
    let home = Home::new();
    home.configure_with("");
    let configuration = home.configuration() + "[profiles.work]\n";
    home.configure(&configuration);
    let run = home.run("refresh-token", ["--profile", "work"]);
    let stderr = run.fails_with(78);
    assert!(
        stderr.contains("config.toml:7: the profile \"work\" has no scopes") && stderr.contains("scopes = [\"https://"),
        "{stderr}"
    );
}

#[test]
fn an_unknown_profile_gets_a_suggestion_or_the_list() {
    let home = Home::new();
    let configuration = home.configuration() + "[profiles.work]\nscopes = ['a']\n";
    home.configure(&configuration);
    for command in ["get-token", "refresh-token", "get-refresh-token"] {
        let run = home.run(command, ["--profile", "other"]);
        let stderr = run.fails_with(78);
        let file = home.config_file().display().to_string();
        assert!(stderr.contains(&format!("no profile \"other\" in {file}")), "{stderr}");
        assert!(stderr.contains("calendar, mail, send, work") && stderr.contains("[profiles.other]"), "{stderr}");
        let run = home.run(command, ["--profile", "mial"]);
        assert!(run.fails_with(78).contains("did you mean \"mail\"?"), "{run:?}");
    }
}

#[test]
fn a_broken_file_is_a_configuration_error_and_the_secret_is_not_shown() {
    for line in
        ["client_secret = \"hunter2", "client_secret = hunter2", "client_secret = ['hunter2']", "client_secret = 42"]
    {
        let home = Home::new();
        home.configure(&format!("client_id = '4f2a7b1c-90de-4c3b-a1f7-5d2e8c6b3a10'\n{line}\n"));
        let run = home.refresh();
        let stderr = run.fails_with(78);
        assert!(stderr.contains("config.toml:2") && !stderr.contains("hunter2") && !stderr.contains("42"), "{stderr}");
    }
}

#[test]
fn the_first_run_writes_the_example_and_says_what_to_set() {
    let home = Home::new();
    std::fs::remove_dir_all(home.config_file().parent().unwrap()).unwrap();
    let run = home.run("get-token", [""; 0]);
    let stderr = run.fails_with(78);
    assert!(stderr.contains("client_id") && stderr.contains(home.config_file().to_str().unwrap()), "{stderr}");
    let written = std::fs::read_to_string(home.config_file()).unwrap();
    assert_eq!(written, include_str!("../../config.example.toml"));
    #[cfg(unix)]
    {
        let mode = |path: &std::path::Path| {
            std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions()) & 0o777
        };
        assert_eq!(mode(&home.config_file()), 0o600);
        assert_eq!(mode(home.config_file().parent().unwrap()), 0o700);
    }
    // The second run reports the same for the file that now exists.
    assert!(home.run("get-token", [""; 0]).fails_with(78).contains("client_id is empty"));
}

#[test]
fn another_configuration_file_can_be_chosen() {
    let home = Home::new();
    let token = home.store_token("mail");
    let elsewhere = home.path().join("elsewhere.toml");
    std::fs::rename(home.config_file(), &elsewhere).unwrap();
    home.run("refresh-token", ["--config", elsewhere.to_str().unwrap()]).token();
    let mut named = home.command("refresh-token");
    named.env("M365AUTH_CONFIG", &elsewhere);
    crate::support::finish(&mut named).token();
    assert_ne!(home.token_in_file("mail"), Some(token));
}

#[test]
fn openid_profile_and_offline_access_are_requested_once() {
    let home = Home::new();
    let configuration = home.configuration()
        + "[profiles.mail]\nscopes = ['offline_access', 'https://outlook.office.com/IMAP.AccessAsUser.All', 'openid']\n";
    home.configure(&configuration);
    home.store_token("mail");
    home.refresh().token();
    let request = home.standin.requests().pop().unwrap();
    let mut scopes: Vec<&str> = request.parameters["scope"].split(' ').collect();
    scopes.sort_unstable();
    assert_eq!(scopes, ["https://outlook.office.com/IMAP.AccessAsUser.All", "offline_access", "openid", "profile"]);
}

#[test]
fn a_secret_is_sent_unless_it_is_empty() {
    let home = Home::new();
    home.configure_with("client_secret = ''");
    home.store_token("mail");
    home.refresh().token();
    assert!(!home.standin.requests().pop().unwrap().parameters.contains_key("client_secret"));

    let confidential = home.configuration().replace(PUBLIC_CLIENT_ID, CONFIDENTIAL_CLIENT_ID);
    home.configure(&format!("client_secret = '{CLIENT_SECRET}'\n{confidential}"));
    home.put_token("mail", &home.standin.seed_refresh_token(CONFIDENTIAL_CLIENT_ID, standin::ADA));
    home.refresh().token();
}

#[test]
fn a_profile_can_have_keys_of_its_own() {
    let home = Home::new();
    let configuration = home.configuration().replace(PUBLIC_CLIENT_ID, "someone-elses-client")
        + &format!("[profiles.mail]\nclient_id = '{PUBLIC_CLIENT_ID}'\n");
    home.configure(&configuration);
    home.store_token("mail");
    home.refresh().token();
}

#[test]
fn the_cloud_sets_the_login_host_and_the_built_in_scopes() {
    for (cloud, login_host, mail, graph) in [
        ("global", "login.microsoftonline.com", "outlook.office.com", "graph.microsoft.com"),
        ("us-gov", "login.microsoftonline.us", "outlook.office365.us", "graph.microsoft.us"),
        ("china", "login.partner.microsoftonline.cn", "partner.outlook.cn", "microsoftgraph.chinacloudapi.cn"),
    ] {
        let mut home = Home::new();
        let _proxy = home.use_silent_proxy(); // these hosts cannot be reached in a test
        home.configure(&format!(
            "client_id = '4f2a7b1c-90de-4c3b-a1f7-5d2e8c6b3a10'\ntenant = 'example.com'\ncloud = '{cloud}'\nredirect_uri = 'http://localhost/'\n"
        ));
        for (profile, host) in [("mail", mail), ("calendar", graph)] {
            let run = home.run("get-token", ["--browser", "never", "--timeout", "1", "-p", profile]);
            let stderr = run.fails_with(75);
            assert!(stderr.contains(&format!("https://{login_host}/example.com/oauth2/v2.0/authorize?")), "{stderr}");
            assert!(stderr.contains(&format!("scope=https%3A%2F%2F{host}%2F")), "{stderr}");
        }
    }
    mistake("cloud = 'moon'", 2, &["cloud = \"moon\" is not valid", "\"us-gov\""]);
    mistake("authority = 'https://example.com/t/'\ncloud = 'china'", 2, &["and cloud cannot be set together"]);
}

#[test]
#[cfg(unix)]
fn a_configuration_that_others_can_write_is_rejected() {
    let home = Home::new();
    home.store_token("mail");
    let set_mode = |path: &std::path::Path, mode: u32| {
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    };
    let (file, folder) = (home.config_file(), home.config_file().parent().unwrap().to_owned());
    for path in [&file, &folder] {
        let usual = if path.is_dir() { 0o700 } else { 0o600 };
        set_mode(path, usual | 0o002);
        for (command, arguments) in
            [("refresh-token", &[][..]), ("get-refresh-token", &[]), ("get-token", &["--browser", "never"])]
        {
            let run = home.run(command, arguments);
            let stderr = run.fails_with(78);
            let reason = format!("the configuration is rejected: {} is writable by others (mode ", path.display());
            let hint = format!("`chmod go-w {} {}`", file.display(), folder.display());
            assert!(stderr.contains(&reason) && stderr.contains(&hint), "{stderr}");
        }
        set_mode(path, usual);
        home.refresh().token();
    }
    // A folder in which nobody can rename another user's file (the sticky bit) is accepted.
    set_mode(&folder, 0o1777);
    home.refresh().token();
    // A link to a file that nobody can write, as created by Nix and home-manager.
    let store = home.path().join("store.toml");
    std::fs::rename(&file, &store).unwrap();
    set_mode(&store, 0o444);
    std::os::unix::fs::symlink(&store, &file).unwrap();
    set_mode(&folder, 0o700);
    home.refresh().token();
}

#[test]
fn a_hint_can_be_pasted_if_the_profile_name_contains_a_space() {
    let home = Home::new();
    home.configure(&format!(
        "{}\n[profiles.'my work']\nscopes = ['https://graph.microsoft.com/Mail.Read']\n",
        home.configuration()
    ));
    let run = home.run("refresh-token", ["--profile", "my work"]);
    let stderr = run.fails_with(77);
    assert!(stderr.contains("profile \"my work\"") && stderr.contains("`get-token --profile 'my work'`"), "{stderr}");
}

#[test]
#[cfg(unix)]
fn a_broken_link_is_reported_and_kept() {
    let home = Home::new();
    std::fs::remove_file(home.config_file()).unwrap();
    std::os::unix::fs::symlink(home.path().join("not-mounted"), home.config_file()).unwrap();
    for command in ["get-token", "refresh-token"] {
        let run = home.run(command, [""; 0]);
        assert!(run.fails_with(78).contains("is a symbolic link to a file that does not exist"), "{run:?}");
    }
    let run = home.run("refresh-token", ["--config", home.config_file().to_str().unwrap()]);
    assert!(run.fails_with(78).contains("hint: check the target of the link"), "{run:?}");
    assert!(home.config_file().is_symlink());
}
