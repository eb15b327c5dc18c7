//! Interaction in a real terminal: pasting, answering, interrupting. Afterwards the terminal's modes are restored.

use standin::{ADA, Browser, Fault, GRACE, Setup, Standin};

use crate::login::{Keyring, Login, program};
use crate::memory;
use crate::support::{Home, finish};
use crate::tmux::Terminal;

const OVER_SSH: &str = "SSH_CONNECTION='192.0.2.1 50000 192.0.2.2 22' get-token";

#[test]
#[ignore = "tests/run: tmux"]
fn a_paste_of_16_kib_is_read_completely_with_and_without_bracketed_paste() {
    for bracketed in [true, false] {
        let setup = Setup { code_length: 16_000..=16_000, ..Setup::default() };
        let home = Home::with(Standin::start_with(setup));
        let terminal = Terminal::run(&home, OVER_SSH);
        let redirect = Browser::redirect_url(&terminal.url(), ADA).unwrap();
        assert!(redirect.len() > 16_000);
        terminal.pastes(&redirect, bracketed);
        terminal.types(&["Enter"]);
        terminal.ends_with(0);
        assert!(home.standin.is_valid_access_token(terminal.token().trim()), "{}", terminal.text());
        assert!(!terminal.text().contains("code="), "the pasted URL is not shown");
    }
}

#[test]
#[ignore = "tests/run: tmux"]
fn an_invalid_paste_is_explained_and_the_prompt_repeats() {
    let home = Home::new();
    let terminal = Terminal::run(&home, OVER_SSH);
    let redirect = Browser::redirect_url(&terminal.url(), ADA).unwrap();
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
fn ctrl_c_and_sigterm_restore_the_terminal() {
    for over_ssh in [true, false] {
        let home = Home::new();
        let line = if over_ssh { OVER_SSH } else { "get-token --browser never" };
        let terminal = Terminal::run(&home, line);
        terminal.url();
        terminal.types(&["C-c"]);
        terminal.ends_with(130);

        let terminal = Terminal::run(&home, &format!("echo $$ >\"$HOME/shell\"; {line}"));
        terminal.url();
        let shell = std::fs::read_to_string(home.path().join("shell")).unwrap();
        let killed = finish(program("pkill", "procps").args(["-TERM", "-P", shell.trim(), "get-token"]));
        assert_eq!(killed.code, Some(0), "{killed:?}");
        terminal.ends_with(143);
    }
}

#[test]
#[ignore = "tests/run: tmux"]
fn the_callback_can_finish_while_the_terminal_waits_for_a_paste() {
    let home = Home::new();
    let terminal = Terminal::run(&home, "get-token --browser never");
    Browser::approve(&terminal.url(), ADA, None).unwrap();
    terminal.ends_with(0);
    assert!(home.standin.is_valid_access_token(terminal.token().trim()));
    terminal.shows("Signed in as ada@example.com");
}

/// The token is printed first, so the next steps are the last thing on the screen.
#[test]
#[ignore = "tests/run: tmux"]
fn a_sign_in_ends_with_the_next_steps() {
    let home = Home::new();
    let terminal = Terminal::run(&home, "sh -c 'get-token --browser never >/dev/tty'");
    Browser::approve(&terminal.url(), ADA, None).unwrap();
    terminal.ends_with(0);
    let text = terminal.text();
    let parts = [
        "note: this is an access token",
        "eyJ",
        "Signed in as ada@example.com",
        "Granted: IMAP, SMTP.",
        "Next:\n  mbsync    PassCmd \"refresh-token --profile mail\"",
        "\n  msmtp     passwordeval \"refresh-token --profile mail\"",
        "\n  test it   get-token --check --profile mail",
    ];
    let positions: Vec<_> = parts.iter().map(|part| text.find(part)).collect();
    assert!(positions.iter().all(Option::is_some) && positions.is_sorted(), "{positions:?} in {text}");
}

/// Mail programs run in other folders. The lines are for copying, so they are not wrapped.
#[test]
#[ignore = "tests/run: tmux"]
fn the_next_steps_contain_the_full_path_of_the_configuration() {
    let home = Home::new();
    let file = home.config_file().with_file_name("elsewhere.toml");
    std::fs::rename(home.config_file(), &file).unwrap();
    let line = format!("cd {} && get-token --browser never --config elsewhere.toml", file.parent().unwrap().display());
    let terminal = Terminal::run_in(&home, 60, &line);
    Browser::approve(&terminal.url(), ADA, None).unwrap();
    terminal.ends_with(0);
    let (text, config) = (terminal.text(), file.display());
    for part in [
        format!("\n  mbsync    PassCmd \"refresh-token --config {config} --profile mail\"\n"),
        format!("\n  msmtp     passwordeval \"refresh-token --config {config} --profile mail\"\n"),
        format!("\n  test it   get-token --config {config} --check --profile mail\n"),
    ] {
        assert!(text.contains(&part), "{part:?} in {text}");
    }
}

#[test]
#[ignore = "tests/run: tmux"]
fn a_device_code_shows_its_progress() {
    let setup = Setup { device_code_interval: std::time::Duration::from_secs(1), ..Setup::default() };
    let home = Home::with(Standin::start_with(setup));
    let terminal = Terminal::run(&home, "get-token --device");
    terminal.shows("The code expires in 14:");
    let text = terminal.text();
    let code = text.split("Enter this code there, and sign in:").nth(1).unwrap().split_whitespace().next().unwrap();
    Browser::enter_device_code(&home.standin.origin(), code, ADA, true).unwrap();
    terminal.ends_with(0);
    assert!(!terminal.text().contains("The code expires"), "the progress line is removed: {}", terminal.text());

    let terminal = Terminal::run(&home, "get-token --device");
    terminal.shows("The code expires in 14:");
    terminal.types(&["C-c"]);
    terminal.ends_with(130);
}

#[test]
#[ignore = "tests/run: tmux"]
fn another_account_is_stored_only_after_confirmation() {
    let home = Home::new();
    home.sign_in().token();
    let adas = home.token_in_file("mail");
    for (answer, code) in [("n", 77), ("y", 0)] {
        let terminal = Terminal::run(&home, "get-token --browser never");
        let url = terminal.url();
        std::thread::scope(|scope| {
            let browser = scope.spawn(|| Browser::approve(&url, GRACE, None).unwrap());
            terminal.shows("You signed in as grace@example.com");
            let prompt = "Use the new account for this profile? [y/N]";
            terminal.shows(prompt);
            assert_eq!(terminal.cursor(), prompt.len() + 1, "the answer is typed after the question");
            terminal.types(&[answer, "Enter"]);
            browser.join().unwrap();
        });
        terminal.ends_with(code);
        assert_eq!(home.token_in_file("mail") == adas, code != 0);
    }
}

#[test]
#[ignore = "tests/run: tmux"]
fn ctrl_c_at_the_question_about_another_account_stores_nothing() {
    let home = Home::new();
    home.sign_in().token();
    let adas = home.token_in_file("mail");
    let terminal = Terminal::run(&home, "get-token --browser never");
    let url = terminal.url();
    std::thread::scope(|scope| {
        // The browser waits for the page, and its connection closes when the program ends.
        let browser = scope.spawn(|| Browser::approve(&url, GRACE, None));
        terminal.shows("[y/N]");
        terminal.types(&["C-c"]);
        terminal.ends_with(130);
        assert!(browser.join().unwrap().is_err());
    });
    assert_eq!(home.token_in_file("mail"), adas);
}

#[test]
#[ignore = "tests/run: tmux and gnome-keyring"]
fn a_locked_keychain_prompts_and_fails_if_no_prompt_can_be_shown() {
    let mut home = Home::new();
    let login = Login::start(&mut home, Keyring::Gnome);
    home.sign_in().token();
    login.lock();
    let terminal = Terminal::run(&home, "refresh-token");
    terminal.shows("the keychain is locked: enter its password");
    // No program on this bus can show the keychain's prompt, so it is dismissed.
    terminal.ends_with(69);
    terminal.shows("error: the keychain is locked");
}

/// A terminal would show it.
#[test]
#[ignore = "tests/run: tmux"]
fn a_refresh_token_is_not_read_from_a_terminal() {
    let home = Home::new();
    let terminal = Terminal::run(&home, "get-token --with-token");
    terminal.ends_with(64);
    terminal.shows("hint: run `get-token --profile mail --with-token <FILE`");
}

/// A token that is due is printed even if the keychain is locked.
#[test]
#[ignore = "tests/run: tmux, gnome-keyring"]
fn an_early_renewal_does_not_prompt_for_a_locked_keychain() {
    let _turn = memory::take_turn();
    let setup = Setup { refresh_in: Some(serde_json::json!(1)), ..Setup::default() };
    let mut home = Home::with(Standin::start_with(setup));
    let login = Login::start(&mut home, Keyring::Gnome);
    let configuration = std::fs::read_to_string(home.config_file()).unwrap();
    home.configure(&configuration.replace("cache = 'none'\n", ""));
    let due = home.sign_in().token().to_owned();
    login.lock();
    std::thread::sleep(std::time::Duration::from_millis(1500)); // until it is due
    let terminal = Terminal::run(&home, "refresh-token --verbose");
    terminal.ends_with(0);
    terminal.shows("the cached token was not renewed: the keychain is locked");
    assert_eq!(terminal.token().trim_end(), due);
    assert!(!terminal.screen().contains("enter its password"), "{}", terminal.screen());
}

#[test]
#[ignore = "tests/run: tmux"]
fn the_enter_after_a_paste_does_not_answer_the_next_question() {
    let home = Home::new();
    home.sign_in().token();
    // The token request takes two seconds, so Enter is pressed during the request.
    home.standin.inject(Fault::Delay { milliseconds: 2000 });
    let requests = home.standin.token_requests();
    let terminal = Terminal::run(&home, OVER_SSH);
    let redirect = Browser::redirect_url(&terminal.url(), GRACE).unwrap();
    terminal.pastes(&redirect, true);
    // A fixed wait, because no event shows whether the paste was accepted without Enter.
    std::thread::sleep(std::time::Duration::from_millis(500));
    terminal.types(&["Enter"]);
    terminal.shows("Use the new account for this profile? [y/N]");
    terminal.types(&["y", "Enter"]);
    terminal.ends_with(0);
    assert_eq!(home.standin.token_requests(), requests + 1);
}

#[test]
#[ignore = "tests/run: tmux"]
fn after_ctrl_z_a_pasted_code_is_neither_shown_nor_truncated() {
    let setup = Setup { code_length: 16_000..=16_000, ..Setup::default() };
    let home = Home::with(Standin::start_with(setup));
    // A shell with job control, which takes over the terminal and returns it.
    let line = "bash --norc --noprofile -ic 'SSH_CONNECTION=192.0.2.1 get-token >\"$HOME/token\" || fg'";
    let terminal = Terminal::run(&home, line);
    let redirect = Browser::redirect_url(&terminal.url(), ADA).unwrap();
    terminal.types(&["C-z"]);
    std::thread::sleep(std::time::Duration::from_millis(500)); // no event shows that the job was suspended and resumed
    terminal.pastes(&redirect, true);
    terminal.types(&["Enter"]);
    terminal.ends_with(0);
    assert!(!terminal.text().contains("code="), "the pasted URL is not shown");
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
