//! The Windows commands in a console, which Wine provides. `tests/cross` runs these tests in the system that has Wine.

use std::path::PathBuf;

use standin::{ADA, Browser, Fault, PUBLIC_CLIENT_ID, Setup, Standin};

use crate::login::program;
use crate::support::{Home, eventually};
use crate::tmux::Terminal;

/// Wine's console breaks lines itself, so a URL is on one line only if the terminal is wide enough.
const COLUMNS: usize = 1000;
/// The last eight bits of 0xC000013A (STATUS_CONTROL_C_EXIT), which are all that a shell sees.
const CONTROL_C_EXIT: i32 = 0x3a;

/// A profile of its own for each test, because all have the same folder: Wine sets `LOCALAPPDATA` itself.
struct Windows {
    home: Home,
    profile: &'static str,
}

impl Windows {
    fn new(profile: &'static str, setup: Setup) -> Self {
        let home = Home::with(Standin::start_with(setup));
        let section = format!("[profiles.{profile}]\nscopes = ['https://outlook.office.com/IMAP.AccessAsUser.All']\n");
        home.configure(&(home.configuration() + &section));
        let windows = Self { home, profile };
        _ = std::fs::remove_file(windows.token_file()); // of a run that was interrupted
        windows
    }

    /// Runs a command with this configuration and profile in a console.
    fn run(&self, variables: &str, command: &str, arguments: &str) -> Terminal<'_> {
        let wine = program("wine", "wine");
        let (prefix, commands) = (variable("WINEPREFIX"), variable("M365AUTH_WINDOWS_COMMANDS"));
        let line = format!(
            "WINEPREFIX='{prefix}' WINEDEBUG=-all {variables} '{}' '{commands}/{command}.exe' --config '{}' \
             --profile {} {arguments}",
            wine.get_program().display(),
            self.home.config_file().display(),
            self.profile
        );
        Terminal::run_in(&self.home, COLUMNS, &line)
    }

    fn sign_in(&self, variables: &str, arguments: &str, last_line: &str) -> (Terminal<'_>, String) {
        let terminal = self.run(variables, "get-token", arguments);
        terminal.shows(last_line);
        let text = terminal.text();
        let url = text.lines().find(|line| line.starts_with("https://")).expect("a URL on one line").trim().to_owned();
        (terminal, url)
    }

    fn token_file(&self) -> PathBuf {
        let folder = "drive_c/users/root/AppData/Local/m365auth/m365auth/Cache";
        PathBuf::from(variable("WINEPREFIX")).join(folder).join(format!("refresh_token_{}", self.profile))
    }

    fn stored_token(&self) -> Option<String> {
        std::fs::read_to_string(self.token_file()).ok()
    }

    /// Asserts that the command printed a valid access token and stored a valid refresh token.
    #[track_caller]
    fn is_signed_in(&self, terminal: &Terminal<'_>) {
        terminal.ends_with(0);
        assert!(self.home.standin.is_valid_access_token(terminal.token().trim()), "{}", terminal.text());
        assert!(self.home.standin.is_valid_refresh_token(&self.stored_token().expect("a token")));
    }
}

impl Drop for Windows {
    fn drop(&mut self) {
        _ = std::fs::remove_file(self.token_file());
    }
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run tests/cross"))
}

#[test]
#[ignore = "tests/cross: Wine and tmux"]
fn a_browser_sign_in_works_in_a_console() {
    let windows = Windows::new("console-browser", Setup::default());
    let (terminal, url) = windows.sign_in("", "--browser never", "fingerprint is:");
    Browser::approve(&url, ADA, None).unwrap();
    windows.is_signed_in(&terminal);
    terminal.shows("Signed in as ada@example.com");
}

#[test]
#[ignore = "tests/cross: Wine and tmux"]
fn a_paste_of_16_kib_is_read_completely_and_is_not_shown() {
    let setup = Setup { code_length: 16_000..=16_000, ..Setup::default() };
    let windows = Windows::new("console-paste", setup);
    let over_ssh = "SSH_CONNECTION='192.0.2.1 50000 192.0.2.2 22'";
    let (terminal, url) = windows.sign_in(over_ssh, "", "Nothing is shown while you paste");
    let redirect = Browser::redirect_url(&url, ADA).unwrap();
    assert!(redirect.len() > 16_000);
    terminal.types(&["hello", "Enter"]);
    terminal.shows("is not a redirect URL");
    terminal.pastes(&redirect, false);
    terminal.types(&["Enter"]);
    windows.is_signed_in(&terminal);
    assert!(!terminal.text().contains("/?code="), "the pasted URL is not shown: {}", terminal.text());
}

#[test]
#[ignore = "tests/cross: Wine and tmux"]
fn a_device_code_works_in_a_console() {
    let setup = Setup { device_code_interval: std::time::Duration::from_secs(1), ..Setup::default() };
    let windows = Windows::new("console-device", setup);
    let terminal = windows.run("", "get-token", "--device");
    terminal.shows("The code expires in 14:");
    let text = terminal.text();
    let code = text.split("Enter this code there, and sign in:").nth(1).unwrap().split_whitespace().next().unwrap();
    Browser::enter_device_code(&windows.home.standin.origin(), code, ADA, true).unwrap();
    windows.is_signed_in(&terminal);
    assert!(!terminal.text().contains("The code expires"), "the progress line is removed: {}", terminal.text());
}

#[test]
#[ignore = "tests/cross: Wine and tmux"]
fn ctrl_c_ends_a_waiting_sign_in() {
    let windows = Windows::new("console-ctrl-c", Setup::default());
    for (variables, last_line) in [("", "fingerprint is:"), ("SSH_CONNECTION=x", "Nothing is shown while you paste")] {
        let (terminal, _) = windows.sign_in(variables, "--browser never", last_line);
        terminal.types(&["C-c"]);
        terminal.ends_with(CONTROL_C_EXIT);
        assert_eq!((windows.stored_token(), &*terminal.token()), (None, ""));
    }
}

#[test]
#[ignore = "tests/cross: Wine and tmux"]
fn ctrl_c_while_a_new_refresh_token_is_on_its_way_is_deferred_until_it_is_stored() {
    let windows = Windows::new("console-rotation", Setup { single_use_refresh_tokens: true, ..Setup::default() });
    let old = windows.home.standin.seed_refresh_token(PUBLIC_CLIENT_ID, ADA);
    std::fs::create_dir_all(windows.token_file().parent().unwrap()).unwrap();
    std::fs::write(windows.token_file(), &old).unwrap();
    windows.home.standin.inject(Fault::LateResponse { milliseconds: 1000 });
    let terminal = windows.run("", "refresh-token", "");
    eventually("the request is granted", || !windows.home.standin.is_valid_refresh_token(&old));
    terminal.types(&["C-c"]);
    terminal.ends_with(CONTROL_C_EXIT);
    let stored = windows.stored_token().expect("a token");
    assert!(stored != old && windows.home.standin.is_valid_refresh_token(&stored), "the new token is lost");
    assert_eq!(terminal.token(), "", "Ctrl-C takes effect afterwards");
}
