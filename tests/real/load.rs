//! Many at once, many in a row, many profiles: nothing fails, no rotation is lost, nothing is left over.
//!
//! `M365AUTH_TEST_ROUNDS` says how many calls there are; without it there are few.

use crate::login::{Keyring, Login};
use crate::support::{Home, eventually, rounds};

/// A home whose configuration allows for a long queue.
fn patient_home(lines: &str, cache: bool) -> Home {
    let home = Home::new();
    let usual = if cache { home.configuration_with_memory() } else { home.configuration() };
    home.configure(&format!("network_timeout = 600\n{usual}{lines}"));
    home
}

/// What is in the cache folder.
fn names(home: &Home) -> Vec<String> {
    let mut names: Vec<String> =
        home.cache().read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Runs so many commands at once; returns their tokens.
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
#[ignore = "tests/run: processes by the hundred"]
fn many_that_miss_together_make_one_request_and_all_get_its_token() {
    let home = patient_home("", true);
    home.store_token("mail");
    let tokens = at_once(&home, &vec![Vec::new(); rounds(100)]);
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    assert!(home.standin.is_valid_access_token(&tokens[0]));
    assert_eq!(home.standin.token_requests(), 1);
    assert_eq!(home.run("get-token", ["--sign-out"]).code, Some(0));
}

#[test]
#[ignore = "tests/run: processes by the hundred, gnome-keyring"]
fn many_without_a_memory_refresh_one_after_another_and_lose_no_rotation() {
    for keychain in [false, true] {
        let mut home = patient_home("", false);
        let login = keychain.then(|| Login::start(&mut home, Keyring::Unlocked));
        home.standin.set_single_use_refresh_tokens(true);
        home.store_token("mail");
        let tokens = at_once(&home, &vec![Vec::new(); rounds(40)]);
        assert!(tokens.iter().all(|token| home.standin.is_valid_access_token(token)));
        assert_eq!(home.standin.token_requests(), tokens.len());
        let stored = home.run("get-refresh-token", [""; 0]).token().to_owned();
        assert!(home.standin.is_valid_refresh_token(&stored));
        let left: &[&str] = match &login {
            Some(login) => {
                assert_eq!(login.items(&home), 1);
                &["lock_mail", "records_mail.toml"]
            }
            None => &["lock_mail", "records_mail.toml", "refresh_token_mail"],
        };
        assert_eq!(names(&home), left);
    }
}

#[test]
#[ignore = "tests/run: processes by the hundred"]
fn many_in_a_row_leave_one_key_and_three_files() {
    let home = patient_home("", true);
    home.store_token("mail");
    home.refresh().token();
    let (before, calls) = (names(&home), rounds(200));
    for number in 0..calls {
        let fresh: &[&str] = if number % 10 == 0 { &["--fresh"] } else { &[] };
        assert!(home.standin.is_valid_access_token(home.run("refresh-token", fresh).token()));
    }
    assert_eq!(home.standin.token_requests(), 1 + calls.div_ceil(10));
    assert_eq!(names(&home), before);
    eventually("one key is left, once the kernel has collected the others", || {
        let keys = std::fs::read_to_string("/proc/keys").unwrap();
        keys.lines().filter(|key| key.contains(home.path().to_str().unwrap())).count() == 1
    });
    assert_eq!(home.run("get-token", ["--sign-out"]).code, Some(0));
}

#[test]
#[ignore = "tests/run: processes by the hundred"]
fn fifty_profiles_at_a_time_are_in_nobodys_way() {
    let profiles: Vec<String> = (0..50).map(|number| format!("p{number}")).collect();
    let section = |name: &String| format!("[profiles.{name}]\nscopes = ['https://graph.microsoft.com/Mail.Read']\n");
    let home = patient_home(&profiles.iter().map(section).collect::<String>(), true);
    home.standin.set_single_use_refresh_tokens(true);
    for profile in &profiles {
        home.store_token(profile);
    }
    let arguments: Vec<Vec<String>> =
        (0..4).flat_map(|_| profiles.iter().map(|name| vec!["-p".to_owned(), name.clone()])).collect();
    let tokens = at_once(&home, &arguments);
    for (number, token) in tokens.iter().enumerate() {
        assert!(home.standin.is_valid_access_token(token));
        assert_eq!(token, &tokens[number % 50], "each profile has its own");
    }
    assert_eq!(home.standin.token_requests(), 50);
    for profile in &profiles {
        assert!(home.standin.is_valid_refresh_token(&home.token_in_file(profile).unwrap()));
        assert_eq!(home.run("get-token", ["--sign-out", "-p", profile]).code, Some(0));
    }
}
