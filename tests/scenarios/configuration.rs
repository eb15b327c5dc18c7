//! `config.toml`: each mistake is named with its file and line, and what would be right.

use standin::{CLIENT_SECRET, CONFIDENTIAL_CLIENT_ID, PUBLIC_CLIENT_ID};

use crate::support::Home;

/// Writes these lines below a client ID, and asserts where and how the mistake is shown.
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
fn an_unknown_key_is_named_with_the_known_ones() {
    mistake("clientid = 'x'", 2, &["unknown field `clientid`", "`client_id`"]);
    mistake("[profiles.work]\nscope = ['a']", 3, &["unknown field `scope`", "`scopes`"]);
}

#[test]
fn a_client_id_that_is_none_is_named_and_one_in_the_wrong_place_is_found() {
    let home = Home::new();
    home.configure("client_id = 'YOUR-CLIENT-ID'\n");
    assert!(home.refresh().fails_with(78).contains("config.toml:1: client_id is no client ID, which has the form"));
    home.configure(&format!("[profiles.mail]\nclient_id = '{PUBLIC_CLIENT_ID}'\n"));
    let run = home.run("refresh-token", ["--profile", "calendar"]);
    let stderr = run.fails_with(78);
    assert!(stderr.contains("config.toml:2: client_id stands under [profiles.mail]"), "{stderr}");
}

#[test]
fn the_hint_for_a_missing_file_names_that_file() {
    let home = Home::new();
    let run = home.run("refresh-token", ["--config", "other.toml"]);
    assert!(run.fails_with(78).contains("run `get-token --config 'other.toml'`"), "{run:?}");
}

#[test]
fn a_wrong_type_is_named() {
    mistake("network_timeout = 'long'", 2, &["invalid type: string"]);
    mistake("[profiles.work]\nscopes = 'https://graph.microsoft.com/Mail.Read'", 3, &["expected a sequence"]);
    mistake("store = 'vault'", 2, &["\"vault\"", "\"auto\", \"keychain\", \"file\" or { load"]);
    mistake("network_timeout = 0", 2, &["1 to 600 seconds"]);
}

#[test]
fn a_bad_address_is_named_and_the_right_form_is_shown() {
    mistake("authority = 'login.microsoftonline.com'", 2, &["https://login.microsoftonline.com/YOUR-TENANT-ID/"]);
    mistake("authority = 'http://login.microsoftonline.com/t/'", 2, &["must start with https://"]);
    mistake("authority = 'https://login.microsoftonline.com/'", 2, &["a login host and one tenant"]);
    mistake(
        "authority = 'https://example.com/t/'\ntenant = 't'",
        2,
        &["authority says what tenant and cloud say, too"],
    );
    mistake("tenant = 'a/b'", 2, &["a tenant ID, a domain"]);
    for wrong in ["http:/localhost/", "http://localhost:80/", "http://127.0.0.2/", "ftp://localhost/"] {
        mistake(&format!("redirect_uri = '{wrong}'"), 2, &["redirect_uri"]);
    }
    mistake("redirect_uri = 'https://example.com/'", 2, &["on this machine", "https://localhost:7598/"]);
}

#[test]
fn a_profile_of_ones_own_needs_scopes() {
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
fn an_unknown_profile_names_the_known_ones() {
    let home = Home::new();
    let configuration = home.configuration() + "[profiles.work]\nscopes = ['a']\n";
    home.configure(&configuration);
    for command in ["get-token", "refresh-token", "get-refresh-token"] {
        let run = home.run(command, ["--profile", "other"]);
        let stderr = run.fails_with(78);
        assert!(stderr.contains("no profile \"other\"") && stderr.contains("calendar, mail, work"), "{stderr}");
    }
}

#[test]
fn a_broken_file_is_no_defect_and_shows_no_secret() {
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
fn the_first_run_writes_the_example_and_says_what_to_put_in() {
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
    // The second run says the same thing about the file that is there now.
    assert!(home.run("get-token", [""; 0]).fails_with(78).contains("client_id is empty"));
}

#[test]
fn another_file_can_be_named() {
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
fn openid_profile_and_offline_access_are_always_asked_for_and_never_doubled() {
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
fn a_secret_is_sent_where_there_is_one_and_an_empty_one_never() {
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
fn the_cloud_sets_login_host_and_built_in_scopes() {
    for (cloud, login_host, mail, graph) in [
        ("global", "login.microsoftonline.com", "outlook.office.com", "graph.microsoft.com"),
        ("us-gov", "login.microsoftonline.us", "outlook.office365.us", "graph.microsoft.us"),
        ("china", "login.partner.microsoftonline.cn", "partner.outlook.cn", "microsoftgraph.chinacloudapi.cn"),
    ] {
        let home = Home::new();
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
    mistake("cloud = 'moon'", 2, &["unknown variant `moon`", "`us-gov`"]);
    mistake("authority = 'https://example.com/t/'\ncloud = 'china'", 2, &["authority says what tenant and cloud say"]);
}

#[test]
#[cfg(unix)]
fn a_configuration_that_others_may_write_is_not_used() {
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
            assert!(stderr.contains("is writable by others") && stderr.contains("chmod go-w"), "{stderr}");
        }
        set_mode(path, usual);
        home.refresh().token();
    }
    // Where nobody can rename another's file it may lie.
    set_mode(&folder, 0o1777);
    home.refresh().token();
    // A link to a file that nobody may write, as Nix and home-manager make it.
    let store = home.path().join("store.toml");
    std::fs::rename(&file, &store).unwrap();
    set_mode(&store, 0o444);
    std::os::unix::fs::symlink(&store, &file).unwrap();
    set_mode(&folder, 0o700);
    home.refresh().token();
}

#[test]
fn a_hint_can_be_typed_whatever_the_profile_is_called() {
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
fn a_link_whose_file_is_away_is_said_and_stays() {
    let home = Home::new();
    std::fs::remove_file(home.config_file()).unwrap();
    std::os::unix::fs::symlink(home.path().join("not-mounted"), home.config_file()).unwrap();
    for command in ["get-token", "refresh-token"] {
        let run = home.run(command, [""; 0]);
        assert!(run.fails_with(78).contains("leads to a file that is not there"), "{run:?}");
    }
    let run = home.run("refresh-token", ["--config", home.config_file().to_str().unwrap()]);
    assert!(run.fails_with(78).contains("hint: see where the link leads"), "{run:?}");
    assert!(home.config_file().is_symlink());
}
