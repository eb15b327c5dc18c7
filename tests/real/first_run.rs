//! From an empty home folder to a token, in a terminal: the questions, the import of `config.py`, a further profile.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};

use standin::{ADA, App, Browser, Fault, GRACE, PUBLIC_CLIENT_ID, Setup, Standin};

use crate::support::{Home, eventually};
use crate::tmux::Terminal;

const LOGIN_HOST: &str = "https://login.microsoftonline.com";
const THUNDERBIRD: &str = "9e5f94bc-e8a4-4e73-b8be-63364c29d753";

/// A home without a configuration, whose connections to Microsoft's login host reach the stand-in.
fn new_user() -> Home {
    let mut setup = Setup { issuer_origin: Some(LOGIN_HOST.to_owned()), ..Setup::default() };
    setup.apps.push(App::public(THUNDERBIRD, "Thunderbird"));
    let mut home = Home::with(Standin::start_with(setup));
    std::fs::remove_dir_all(home.config_file().parent().unwrap()).unwrap();
    let proxy = proxy_to(home.standin.origin().rsplit_once(':').unwrap().1.parse().unwrap());
    let ca_file = home.standin.ca_file().display().to_string();
    home.environment.extend([("HTTPS_PROXY".to_owned(), proxy), ("SSL_CERT_FILE".to_owned(), ca_file)]);
    home
}

/// Starts a proxy that connects to this port, whatever the requested host is. Returns its URL.
fn proxy_to(port: u16) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (Ok(mut client), Ok(server)) = (client, TcpStream::connect(("127.0.0.1", port))) else { return };
            let (mut head, mut byte) = (Vec::new(), [0]);
            while !head.ends_with(b"\r\n\r\n") && client.read(&mut byte).is_ok_and(|read| read == 1) {
                head.push(byte[0]);
            }
            _ = client.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
            for (mut from, mut to) in [(client.try_clone(), server.try_clone()), (Ok(server), Ok(client))]
                .map(|(from, to)| (from.unwrap(), to.unwrap()))
            {
                std::thread::spawn(move || {
                    _ = std::io::copy(&mut from, &mut to);
                    _ = to.shutdown(Shutdown::Write);
                });
            }
        }
    });
    url
}

/// Signs in at the URL that the terminal shows.
fn sign_in(terminal: &Terminal<'_>, home: &Home, account: &str) {
    let url = terminal.url();
    assert!(url.contains("login_hint=") || account != ADA, "the address is passed on: {url}");
    Browser::approve(&url.replace(LOGIN_HOST, &home.standin.origin()), account, None).unwrap();
}

fn configuration(home: &Home) -> String {
    let text = std::fs::read_to_string(home.config_file()).unwrap();
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(|line| format!("{line}\n")).collect()
}

#[test]
#[ignore = "tests/run: tmux"]
fn an_own_registration_needs_a_client_id_an_address_and_enter() {
    let home = new_user();
    let terminal = Terminal::run(&home, "get-token --browser never");
    terminal.shows("Application [1]: ");
    terminal.types(&["Enter"]);
    terminal.shows("Client ID: ");
    terminal.types(&["no client ID", "Enter"]);
    terminal.shows("\"no client ID\" is not valid");
    terminal.types(&[&format!("{{{PUBLIC_CLIENT_ID}}} "), "Enter"]);
    terminal.shows("Client secret (press Enter to skip): ");
    terminal.types(&["Enter"]);
    terminal.shows("Mail address");
    terminal.types(&["ada", "Enter"]);
    terminal.shows("\"ada\" is not valid");
    terminal.types(&[ADA, "Enter"]);
    terminal.shows("Tenant [example.com]: ");
    terminal.types(&["Enter"]);
    terminal.shows("Redirect URI [http://localhost/]: ");
    terminal.types(&["https://example.com/", "Enter"]);
    terminal.shows("must be on this machine");
    terminal.types(&["Enter"]);
    sign_in(&terminal, &home, ADA);
    terminal.ends_with(0);
    assert!(home.standin.is_valid_access_token(terminal.token().trim()));
    let expected = format!(
        "client_id = \"{PUBLIC_CLIENT_ID}\"\ntenant = \"example.com\"\nredirect_uri = \"http://localhost/\"\n\
         username = \"{ADA}\"\n"
    );
    assert_eq!(configuration(&home), expected);
    let mode = std::os::unix::fs::PermissionsExt::mode(&home.config_file().metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
#[ignore = "tests/run: tmux"]
fn with_thunderbirds_client_id_two_questions_remain() {
    let home = new_user();
    let terminal = Terminal::run(&home, "get-token --browser never");
    terminal.shows("Application [1]: ");
    terminal.types(&["4", "Enter"]);
    terminal.shows("\"4\" is not valid: it must be one of the numbers above");
    terminal.types(&["2", "Enter"]);
    terminal.shows("Mail address");
    terminal.types(&["someone@hotmail.co.uk", "Enter"]);
    terminal.shows("Tenant [common]: ");
    terminal.types(&["Enter"]);
    terminal.shows("Sign in with your browser");
    terminal.types(&["C-c"]);
    terminal.ends_with(130);
    let expected = format!("client_id = \"{THUNDERBIRD}\"\nusername = \"someone@hotmail.co.uk\"\n");
    assert_eq!(configuration(&home), expected);
}

#[test]
#[ignore = "tests/run: tmux"]
fn an_interrupted_first_run_writes_no_configuration_and_shows_no_secret() {
    let home = new_user();
    let terminal = Terminal::run(&home, "get-token --browser never");
    terminal.types(&["Enter"]);
    terminal.shows("Client ID: ");
    terminal.types(&[PUBLIC_CLIENT_ID, "Enter"]);
    terminal.shows("Client secret (press Enter to skip): ");
    terminal.types(&["00001111-aaaa-2222-bbbb-3333cccc4444", "Enter"]);
    terminal.shows("Enter the value of the secret");
    terminal.types(&["hunter2", "Enter"]);
    terminal.shows("Mail address");
    assert!(!terminal.text().contains("hunter2"), "{}", terminal.text());
    terminal.types(&["C-c"]);
    terminal.ends_with(130);
    assert!(!home.config_file().exists());

    let terminal = Terminal::run(&home, "get-token --browser never");
    terminal.types(&["Enter"]);
    terminal.shows("Client ID: ");
    terminal.types(&["C-d"]);
    terminal.ends_with(78);
    terminal.shows("the questions were not answered");
    assert!(!home.config_file().exists());
}

/// A home with the Python tool's configuration, and with what it stores for these profiles.
fn python_user(profiles: &[&str]) -> Home {
    let mut home = Home::new();
    std::fs::remove_file(home.config_file()).unwrap();
    let ca_file = home.standin.ca_file().display().to_string();
    home.environment.push(("SSL_CERT_FILE".to_owned(), ca_file));
    let authority = home.standin.authority();
    let config = format!(
        "ClientId = '{PUBLIC_CLIENT_ID}'\nClientSecret = ''\nAuthority = '{authority}'\n\
         RedirectUri = 'http://localhost/'\n\
         Profiles = {{'diary': {{'scopes': ['https://graph.microsoft.com/Calendars.ReadWrite']}}}}\n"
    );
    std::fs::write(home.config_file().with_file_name("config.py"), config).unwrap();
    profiles.iter().for_each(|profile| drop(home.store_token(profile)));
    home
}

#[test]
#[ignore = "tests/run: tmux"]
fn an_imported_sign_in_is_kept_without_a_browser() {
    let home = python_user(&["mail", "diary"]);
    let refused = home.refresh();
    assert!(refused.fails_with(78).contains("found the Python tool's config.py: run `get-token` once"), "{refused:?}");
    let terminal = Terminal::run(&home, "get-token");
    terminal.ends_with(0);
    terminal.shows("Imported. Your existing sign-in works");
    assert!(terminal.text().contains("\"diary\", \"mail\""), "{}", terminal.text());
    assert!(!terminal.text().contains("browser"), "{}", terminal.text());
    assert!(home.standin.is_valid_access_token(terminal.token().trim()));
    home.run("refresh-token", ["--profile", "diary"]).token();
}

#[test]
#[ignore = "tests/run: tmux"]
fn an_import_that_cannot_reach_microsoft_says_that_the_sign_in_may_still_work() {
    let home = python_user(&["mail"]);
    home.standin.inject(Fault::Html);
    let terminal = Terminal::run(&home, "get-token");
    terminal.ends_with(76);
    let text = terminal.words();
    assert!(text.contains("run `get-token --check --profile mail`: your existing sign-in may still work"), "{text}");
    home.run("refresh-token", [""; 0]).token();
}

#[test]
#[ignore = "tests/run: tmux"]
fn an_imported_sign_in_that_no_longer_works_is_renewed_in_the_browser() {
    let home = python_user(&[]);
    home.put_token("mail", "revoked");
    let terminal = Terminal::run(&home, "get-token --browser never");
    terminal.shows("Sign in with your browser");
    terminal.shows("warning: profile \"mail\": ");
    Browser::approve(&terminal.url(), ADA, None).unwrap();
    terminal.ends_with(0);
}

#[test]
#[ignore = "tests/run: tmux"]
fn a_further_profile_is_appended_and_the_rest_of_the_file_stays() {
    let home = Home::new();
    let before = format!("# my comment\n{}# the end", home.configuration());
    home.configure(&before);
    let unknown = home.run("get-token", ["-p", "work"]);
    assert!(unknown.fails_with(78).contains("there is no profile \"work\""), "{unknown:?}");
    let terminal = Terminal::run(&home, "get-token -p work --browser never");
    terminal.shows("Add the profile \"work\"? [Y/n] ");
    terminal.types(&["Enter"]);
    terminal.shows(&format!("the configured client ID ({PUBLIC_CLIENT_ID})"));
    terminal.types(&["Enter"]);
    terminal.shows("Service [1]: ");
    terminal.types(&["Enter"]);
    terminal.shows("Mail address");
    terminal.types(&[GRACE, "Enter"]);
    let url = terminal.url();
    Browser::approve(&url, GRACE, fingerprint(&terminal).as_deref()).unwrap();
    terminal.ends_with(0);
    terminal.shows("Signed in as grace@example.com (profile \"work\")");
    let after = std::fs::read_to_string(home.config_file()).unwrap();
    assert!(after.starts_with(&format!("{before}\n\n[profiles.work]\nscopes = [")), "{after}");
    assert!(after.ends_with("username = \"grace@example.com\"\n"), "{after}");
}

/// Returns the fingerprint that the terminal shows, without its line break.
fn fingerprint(terminal: &Terminal<'_>) -> Option<String> {
    eventually("the fingerprint", || terminal.text().contains("fingerprint is:"));
    let text = terminal.text();
    let after = text.split("fingerprint is:").nth(1)?;
    Some(after.split_whitespace().take(2).collect())
}

#[test]
#[ignore = "tests/run: tmux"]
fn a_misspelled_profile_is_not_added_without_consent() {
    let home = Home::new();
    let before = std::fs::read_to_string(home.config_file()).unwrap();
    let terminal = Terminal::run(&home, "get-token -p calender");
    terminal.shows("Did you mean \"calendar\"?");
    terminal.shows("Add the profile \"calender\"? [Y/n] ");
    terminal.types(&["n", "Enter"]);
    terminal.ends_with(78);
    assert_eq!(std::fs::read_to_string(home.config_file()).unwrap(), before);
}

#[test]
#[ignore = "tests/run: tmux"]
fn a_configuration_that_cannot_be_extended_stays_and_the_typed_secret_is_not_shown() {
    let home = Home::new();
    let before = format!("profiles = {{ mail = {{ store = 'file' }} }}\n{}", home.configuration());
    home.configure(&before);
    let terminal = Terminal::run(&home, "get-token -p work");
    terminal.types(&["Enter"]);
    terminal.shows("Application [1]: ");
    terminal.types(&["2", "Enter"]);
    terminal.shows("Client ID: ");
    terminal.types(&[PUBLIC_CLIENT_ID, "Enter"]);
    terminal.shows("Client secret");
    terminal.types(&["hunter2", "Enter"]);
    terminal.shows("Service [1]: ");
    terminal.types(&["Enter"]);
    terminal.shows("Mail address");
    terminal.types(&["Enter"]);
    terminal.shows("Redirect URI");
    terminal.types(&["Enter"]);
    terminal.ends_with(78);
    terminal.shows("cannot be appended");
    assert!(terminal.words().contains("as sections such as [profiles.mail]"), "{}", terminal.text());
    assert!(!terminal.text().contains("hunter2"), "{}", terminal.text());
    assert_eq!(std::fs::read_to_string(home.config_file()).unwrap(), before);
}

#[test]
#[ignore = "tests/run: tmux"]
fn a_profile_that_does_not_fit_the_keys_at_the_top_of_the_file_is_not_appended() {
    let home = Home::new();
    let before = format!("grant = 'client_credentials'\nclient_secret = 'secret'\n{}", home.configuration());
    home.configure(&before);
    let terminal = Terminal::run(&home, "get-token -p work");
    terminal.types(&["Enter"]);
    terminal.shows("Application [1]: ");
    terminal.types(&["Enter"]);
    terminal.shows("Service [1]: ");
    terminal.types(&["Enter"]);
    terminal.shows("Mail address");
    terminal.types(&["Enter"]);
    terminal.ends_with(78);
    let words = terminal.words();
    assert!(
        words.contains("add a section [profiles.work] to ") && words.contains("first section apply to it"),
        "{words}"
    );
    assert_eq!(std::fs::read_to_string(home.config_file()).unwrap(), before);
}
