//! Many calls at once, in sequence, and with many profiles: no call fails, no rotated token is lost, and nothing is
//! left over.
//!
//! `M365AUTH_TEST_ROUNDS` sets the number of calls.

use standin::{CLIENT_SECRET, CONFIDENTIAL_CLIENT_ID, PUBLIC_CLIENT_ID, TENANT_ID};

use crate::login::{Keyring, Login};
use crate::memory::CachingHome;
use crate::support::{Home, eventually, rounds};

/// Returns a home with a timeout that is long enough for many commands that wait for one lock.
fn home_with_long_timeout() -> Home {
    let home = Home::new();
    home.configure(&format!("network_timeout = 600\n{}", home.configuration()));
    home
}

/// The same with a cache, and these lines at the end of its configuration.
fn caching_home(lines: &str) -> CachingHome {
    let home = CachingHome::of(Home::new());
    home.configure(&format!("network_timeout = 600\n{}{lines}", home.configuration_with_memory()));
    home
}

/// Returns the names of the files in the cache folder.
fn names(home: &Home) -> Vec<String> {
    let mut names: Vec<String> =
        home.cache().read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Runs `refresh-token` once for each list of arguments, all at the same time. Returns the tokens.
fn at_once(home: &Home, arguments: &[Vec<String>]) -> Vec<String> {
    let start = |arguments: &Vec<String>| {
        let mut command = home.command("refresh-token");
        command.args(arguments).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        command.spawn().unwrap()
    };
    let children: Vec<_> = arguments.iter().map(start).collect();
    let end = |child: std::process::Child| {
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    children.into_iter().map(end).collect()
}

#[test]
#[ignore = "tests/run: hundreds of processes"]
fn many_concurrent_misses_make_one_request_and_share_its_token() {
    let home = caching_home("");
    home.store_token("mail");
    let tokens = at_once(&home, &vec![Vec::new(); rounds(100)]);
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    assert!(home.standin.is_valid_access_token(&tokens[0]));
    assert_eq!(home.standin.token_requests(), 1);
    assert_eq!(home.run("get-token", ["--sign-out"]).code, Some(0));
}

#[test]
#[ignore = "tests/run: hundreds of processes"]
fn many_at_once_request_one_token_of_an_application() {
    let home = CachingHome::of(Home::new());
    let text = home.configuration_with_memory();
    let text = text.replace(&home.standin.authority(), &home.standin.authority_for(TENANT_ID));
    home.configure(&format!(
        "network_timeout = 600\ngrant = 'client_credentials'\nclient_secret = '{CLIENT_SECRET}'\n{}",
        text.replace(PUBLIC_CLIENT_ID, CONFIDENTIAL_CLIENT_ID)
    ));
    let tokens = at_once(&home, &vec![Vec::new(); rounds(200)]);
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    assert!(home.standin.is_valid_access_token(&tokens[0]));
    assert_eq!(home.standin.token_requests(), 1);
}

#[test]
#[ignore = "tests/run: hundreds of processes, gnome-keyring"]
fn many_without_a_cache_refresh_in_sequence_and_lose_no_rotated_token() {
    for keychain in [false, true] {
        let mut home = home_with_long_timeout();
        let login = keychain.then(|| Login::start(&mut home, Keyring::Gnome));
        home.standin.set_single_use_refresh_tokens(true);
        home.store_token("mail");
        let tokens = at_once(&home, &vec![Vec::new(); rounds(40)]);
        assert!(tokens.iter().all(|token| home.standin.is_valid_access_token(token)));
        assert_eq!(home.standin.token_requests(), tokens.len());
        let stored = home.run("get-refresh-token", [""; 0]).token().to_owned();
        assert!(home.standin.is_valid_refresh_token(&stored));
        let expected: &[&str] = match &login {
            Some(login) => {
                assert_eq!(login.items(&home), 1);
                &["lock_mail", "records_mail.toml"]
            }
            None => &["lock_mail", "records_mail.toml", "refresh_token_mail"],
        };
        assert_eq!(names(&home), expected);
    }
}

#[test]
#[ignore = "tests/run: hundreds of processes"]
fn many_in_sequence_leave_one_key_and_three_files() {
    let home = caching_home("");
    home.store_token("mail");
    home.refresh().token();
    let (before, calls) = (names(&home), rounds(200));
    for number in 0..calls {
        let fresh: &[&str] = if number % 10 == 0 { &["--fresh"] } else { &[] };
        assert!(home.standin.is_valid_access_token(home.run("refresh-token", fresh).token()));
    }
    assert_eq!(home.standin.token_requests(), 1 + calls.div_ceil(10));
    assert_eq!(names(&home), before);
    eventually("the kernel removes all keys but one", || {
        let keys = std::fs::read_to_string("/proc/keys").unwrap();
        keys.lines().filter(|key| key.contains(home.path().to_str().unwrap())).count() == 1
    });
    assert_eq!(home.run("get-token", ["--sign-out"]).code, Some(0));
}

#[test]
#[ignore = "tests/run: hundreds of processes"]
fn eight_profiles_at_once_do_not_affect_each_other() {
    let profiles: Vec<String> = (0..8).map(|number| format!("p{number}")).collect();
    let section = |name: &String| format!("[profiles.{name}]\nscopes = ['https://graph.microsoft.com/Mail.Read']\n");
    let home = caching_home(&profiles.iter().map(section).collect::<String>());
    home.standin.set_single_use_refresh_tokens(true);
    for profile in &profiles {
        home.store_token(profile);
    }
    let arguments: Vec<Vec<String>> =
        (0..25).flat_map(|_| profiles.iter().map(|name| vec!["-p".to_owned(), name.clone()])).collect();
    let tokens = at_once(&home, &arguments);
    for (number, token) in tokens.iter().enumerate() {
        assert!(home.standin.is_valid_access_token(token));
        assert_eq!(token, &tokens[number % 8], "each profile has its own token");
    }
    assert_eq!(home.standin.token_requests(), 8);
    for profile in &profiles {
        assert!(home.standin.is_valid_refresh_token(&home.token_in_file(profile).unwrap()));
        assert_eq!(home.run("get-token", ["--sign-out", "-p", profile]).code, Some(0));
    }
}
