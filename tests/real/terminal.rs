//! What a person does in a real terminal: pastes, answers, interrupts; and that the terminal is then as it was.

use standin::{ADA, Browser, Fault, GRACE, PUBLIC_CLIENT_ID, Setup, Standin};

use crate::login::{Keyring, Login, program};
use crate::support::{Home, finish};
use crate::tmux::Terminal;

const OVER_SSH: &str = "SSH_CONNECTION='192.0.2.1 50000 192.0.2.2 22' get-token";

#[test]
#[ignore = "tests/run: tmux"]
fn a_paste_of_16_kib_arrives_whole_with_and_without_brackets() {
    for bracketed in [true, false] {
        let setup = Setup { code_length: 16_000..=16_000, ..Setup::default() };
        let home = Home::with(Standin::start_with(setup));
        let terminal = Terminal::run(&home, OVER_SSH);
        let redirect = Browser::redirect_address(&terminal.address(), ADA).unwrap();
        assert!(redirect.len() > 16_000);
        terminal.pastes(&redirect, bracketed);
        terminal.types(&["Enter"]);
        terminal.ends_with(0);
        assert!(home.standin.is_valid_access_token(terminal.token().trim()), "{}", terminal.text());
        assert!(!terminal.text().contains("code="), "nothing is shown of it");
    }
}

#[test]
#[ignore = "tests/run: tmux"]
fn what_does_not_fit_is_explained_and_asked_again() {
    let home = Home::new();
    let terminal = Terminal::run(&home, OVER_SSH);
    let redirect = Browser::redirect_address(&terminal.address(), ADA).unwrap();
    terminal.types(&["hello", "Enter"]);
    terminal.shows("is not a redirect URL");
    terminal.pastes("https://localhost:7598/?code=x&state=other", true);
    terminal.types(&["Enter"]);
    terminal.shows("belongs to another sign-in");
    terminal.pastes(&redirect, true);
    terminal.types(&["Enter"]);
    terminal.ends_with(0);
}

#[test]
#[ignore = "tests/run: tmux"]
fn ctrl_c_and_a_polite_kill_leave_the_terminal_as_it_was() {
    for over_ssh in [true, false] {
        let home = Home::new();
        let line = if over_ssh { OVER_SSH } else { "get-token --browser never" };
        let terminal = Terminal::run(&home, line);
        terminal.address();
        terminal.types(&["C-c"]);
        terminal.ends_with(130);

        let terminal = Terminal::run(&home, &format!("echo $$ >\"$HOME/shell\"; {line}"));
        terminal.address();
        let shell = std::fs::read_to_string(home.path().join("shell")).unwrap();
        let killed = finish(program("pkill", "procps").args(["-TERM", "-P", shell.trim(), "get-token"]));
        assert_eq!(killed.code, Some(0), "{killed:?}");
        terminal.ends_with(143);
    }
}

#[test]
#[ignore = "tests/run: tmux"]
fn the_browser_may_win_while_the_terminal_waits_for_a_paste() {
    let home = Home::new();
    let terminal = Terminal::run(&home, "get-token --browser never");
    Browser::approve(&terminal.address(), ADA, None).unwrap();
    terminal.ends_with(0);
    assert!(home.standin.is_valid_access_token(terminal.token().trim()));
    terminal.shows("Signed in as ada@example.com");
}

#[test]
#[ignore = "tests/run: tmux"]
fn a_device_code_shows_its_progress() {
    let setup = Setup { device_code_interval: std::time::Duration::from_secs(1), ..Setup::default() };
    let home = Home::with(Standin::start_with(setup));
    let terminal = Terminal::run(&home, "get-token --device");
    terminal.shows("the code is good for 14:");
    let text = terminal.text();
    let code = text.split("enter this code there:").nth(1).unwrap().split_whitespace().next().unwrap();
    Browser::enter_device_code(&home.standin.origin(), code, ADA, true).unwrap();
    terminal.ends_with(0);
    assert!(!terminal.text().contains("is good for"), "the progress is taken away: {}", terminal.text());

    let terminal = Terminal::run(&home, "get-token --device");
    terminal.shows("the code is good for 14:");
    terminal.types(&["C-c"]);
    terminal.ends_with(130);
}

#[test]
#[ignore = "tests/run: tmux"]
fn another_account_is_stored_only_if_the_person_says_so() {
    let home = Home::new();
    home.sign_in().token();
    let adas = home.token_in_file("mail");
    for (answer, code) in [("n", 77), ("y", 0)] {
        let terminal = Terminal::run(&home, "get-token --browser never");
        let address = terminal.address();
        std::thread::scope(|scope| {
            let browser = scope.spawn(|| Browser::approve(&address, GRACE, None).unwrap());
            terminal.shows("You signed in as grace@example.com");
            terminal.types(&[answer, "Enter"]);
            browser.join().unwrap();
        });
        terminal.ends_with(code);
        assert_eq!(home.token_in_file("mail") == adas, code != 0);
    }
}

#[test]
#[ignore = "tests/run: tmux"]
fn ctrl_c_is_an_answer_to_the_question_of_another_account() {
    let home = Home::new();
    home.sign_in().token();
    let adas = home.token_in_file("mail");
    let terminal = Terminal::run(&home, "get-token --browser never");
    let address = terminal.address();
    std::thread::scope(|scope| {
        // The page waits for the answer, and its connection ends with the program.
        let browser = scope.spawn(|| Browser::approve(&address, GRACE, None));
        terminal.shows("[y/N]");
        terminal.types(&["C-c"]);
        terminal.ends_with(130);
        assert!(browser.join().unwrap().is_err());
    });
    assert_eq!(home.token_in_file("mail"), adas);
}

#[test]
#[ignore = "tests/run: tmux"]
fn the_first_run_asks_and_goes_on_to_a_token() {
    let home = Home::new();
    std::fs::remove_file(home.config_file()).unwrap();
    std::fs::create_dir_all(home.config_file().parent().unwrap()).unwrap();
    std::fs::write(
        home.config_file().with_file_name("config.py"),
        format!(
            "ClientId = \"YOUR_CLIENT_ID_HERE\"\nClientSecret = ''\nAuthority = '{}'\nRedirectUri = \"http://localhost/\"\n\
             Profiles = {{'tasks': {{'scopes': ['https://graph.microsoft.com/Tasks.ReadWrite']}}}}\n",
            home.standin.authority()
        ),
    )
    .unwrap();
    let ca_file = home.standin.ca_file().display().to_string();
    let terminal = Terminal::run(&home, &format!("SSL_CERT_FILE='{ca_file}' get-token --browser never"));
    terminal.shows("Client ID: ");
    terminal.types(&["no client ID", "Enter"]);
    terminal.shows("That is no client ID");
    terminal.types(&[PUBLIC_CLIENT_ID, "Enter"]);
    terminal.shows("Client secret: ");
    terminal.types(&["Enter"]);
    terminal.shows(&format!("Authority [{}]: ", home.standin.authority()));
    terminal.types(&["Enter"]);
    terminal.shows("Redirect address [http://localhost/]: ");
    terminal.types(&["https://example.com/", "Enter"]);
    terminal.shows("must be on this machine");
    terminal.types(&["Enter"]);
    terminal.shows("The profiles of config.py are in it");
    Browser::approve(&terminal.address(), ADA, None).unwrap();
    terminal.ends_with(0);
    assert!(home.standin.is_valid_access_token(terminal.token().trim()));
    let mode = std::os::unix::fs::PermissionsExt::mode(&home.config_file().metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let status = home.run("get-token", ["--status", "--profile", "tasks"]);
    assert!(status.stdout.contains("tasks"), "the profile of config.py is known: {status:?}");
}

#[test]
#[ignore = "tests/run: tmux"]
fn a_typed_client_secret_is_not_shown() {
    let home = Home::new();
    std::fs::remove_file(home.config_file()).unwrap();
    let terminal = Terminal::run(&home, "get-token --browser never");
    terminal.shows("Client ID: ");
    terminal.types(&[PUBLIC_CLIENT_ID, "Enter"]);
    terminal.shows("Client secret: ");
    terminal.types(&["hunter2"]);
    terminal.types(&["Enter"]);
    terminal.shows("Tenant [common]: ");
    assert!(!terminal.text().contains("hunter2"), "{}", terminal.text());
    terminal.types(&["C-c"]);
    terminal.ends_with(130);
    assert!(!home.config_file().exists(), "nothing was written");

    let terminal = Terminal::run(&home, "get-token --browser never");
    terminal.shows("Client ID: ");
    terminal.types(&[PUBLIC_CLIENT_ID, "Enter"]);
    terminal.shows("Client secret: ");
    terminal.types(&["hunter2", "C-c"]);
    terminal.ends_with(130);
}

#[test]
#[ignore = "tests/run: tmux and gnome-keyring"]
fn a_locked_keychain_asks_a_person_and_ends_where_nobody_can_answer() {
    let mut home = Home::new();
    let login = Login::start(&mut home, Keyring::Unlocked);
    home.sign_in().token();
    login.lock();
    let terminal = Terminal::run(&home, "refresh-token");
    terminal.shows("the keychain is locked: enter its password");
    // No program on this bus opens windows, so that the prompt ends by itself.
    terminal.ends_with(69);
    terminal.shows("error: the keychain is locked");
}

#[test]
#[ignore = "tests/run: tmux"]
fn the_enter_after_a_paste_answers_no_question() {
    let home = Home::new();
    home.sign_in().token();
    // Two seconds for the exchange: the Enter comes while it goes on, as a person's does.
    home.standin.order(Fault::Delay { milliseconds: 2000 });
    let asked = home.standin.token_requests();
    let terminal = Terminal::run(&home, OVER_SSH);
    let redirect = Browser::redirect_address(&terminal.address(), GRACE).unwrap();
    terminal.pastes(&redirect, true);
    // Whether the paste alone is taken or not, the Enter comes later; no event announces that nothing happens.
    std::thread::sleep(std::time::Duration::from_millis(500));
    terminal.types(&["Enter"]);
    terminal.shows("Replace it?");
    terminal.types(&["y", "Enter"]);
    terminal.ends_with(0);
    assert_eq!(home.standin.token_requests(), asked + 1);
}

#[test]
#[ignore = "tests/run: tmux"]
fn ctrl_z_does_not_let_the_code_be_shown_or_cut() {
    let setup = Setup { code_length: 16_000..=16_000, ..Setup::default() };
    let home = Home::with(Standin::start_with(setup));
    // A shell with jobs, which takes the terminal back and gives it again.
    let line = "bash --norc --noprofile -ic 'SSH_CONNECTION=192.0.2.1 get-token >\"$HOME/token\" || fg'";
    let terminal = Terminal::run(&home, line);
    let redirect = Browser::redirect_address(&terminal.address(), ADA).unwrap();
    terminal.types(&["C-z"]);
    std::thread::sleep(std::time::Duration::from_millis(500)); // nothing announces that nothing happens
    terminal.pastes(&redirect, true);
    terminal.types(&["Enter"]);
    terminal.ends_with(0);
    assert!(!terminal.text().contains("code="), "nothing is shown of it");
}

#[test]
#[ignore = "tests/run: bsdutils"]
fn a_dumb_terminal_gets_no_control_sequences() {
    let home = Home::new();
    for (term, is_dumb) in [("TERM=xterm", false), ("TERM=dumb", true), ("TERM=", true), ("--unset=TERM", true)] {
        let mut script = program("script", "bsdutils");
        home.prepare(&mut script);
        let command = format!("env {term} get-token --browser never --timeout 1");
        let run = finish(script.args(["-qec", &command, "/dev/null"]));
        assert_eq!(run.code, Some(75), "{run:?}");
        assert_eq!(run.stdout.contains('\u{1b}'), !is_dumb, "{term}: {run:?}");
        assert_eq!(run.stdout.contains("\u{1b}[?2004h"), !is_dumb, "{term}: {run:?}");
    }
}
