//! A store program that asks for a passphrase on the terminal, as `age -p` and `openssl enc` do.

use std::time::Duration;

use standin::{ADA, Browser};

use crate::login::program;
use crate::support::{Home, eventually, finish};
use crate::tmux::Terminal;

const PROMPT: &str = "encryption password:";

fn home() -> Home {
    let home = Home::new();
    let file = home.path().join("token");
    let file = file.display();
    let programs = format!(
        "{{ load = ['openssl', 'enc', '-d', '-aes-256-cbc', '-pbkdf2', '-in', '{file}'], \
         save = ['openssl', 'enc', '-aes-256-cbc', '-pbkdf2', '-out', '{file}'] }}"
    );
    home.configure(&home.configuration_with_store(&programs));
    home
}

fn home_with_age() -> Home {
    let home = Home::new();
    let programs = format!(
        "{{ load = ['age', '-d', '{0}'], save = ['age', '--encrypt', '--passphrase', '--output', '{0}'] }}",
        home.path().join("token").display()
    );
    home.configure(&home.configuration_with_store(&programs));
    home
}

/// Starts a sign-in and waits for the prompt for the passphrase.
fn sign_in<'a>(home: &'a Home, line: &str, prompt: &str) -> Terminal<'a> {
    let terminal = Terminal::run(home, line);
    // In a thread, because the callback responds only when the token is stored or the command has ended.
    let url = terminal.url();
    std::thread::spawn(move || Browser::approve(&url, ADA, None));
    terminal.shows(prompt);
    terminal
}

fn type_passphrase(terminal: &Terminal<'_>) {
    terminal.types(&["a passphrase", "Enter"]);
    terminal.shows("Verifying");
    terminal.types(&["a passphrase", "Enter"]);
}

#[track_caller]
fn assert_stored(home: &Home) {
    let mut openssl = program("openssl", "openssl");
    openssl.args(["enc", "-d", "-aes-256-cbc", "-pbkdf2", "-pass", "pass:a passphrase", "-in"]);
    let token = finish(openssl.arg(home.path().join("token"))).stdout;
    assert!(home.standin.is_valid_refresh_token(token.trim()), "{token:?}");
}

#[test]
#[ignore = "tests/run: tmux and openssl"]
fn ctrl_c_at_the_passphrase_ends_the_program_and_offers_a_retry() {
    let home = home();
    let terminal = sign_in(&home, "get-token --browser never", PROMPT);
    terminal.types(&["C-c"]);
    terminal.shows("the refresh token is not stored yet");
    terminal.shows("[Y/n]");
    terminal.types(&["Enter"]);
    eventually("the second prompt", || terminal.text().matches(PROMPT).count() == 2);
    type_passphrase(&terminal);
    terminal.ends_with(0);
    assert!(home.standin.is_valid_access_token(terminal.token().trim()));
    assert!(!terminal.text().contains("a passphrase"), "the passphrase is not shown");
    assert_stored(&home);
}

/// When age is interrupted, it leaves the terminal without echo.
#[test]
#[ignore = "tests/run: tmux, openssl and age"]
fn without_a_retry_the_exit_code_is_74_and_the_terminal_is_restored() {
    for (home, prompt, answer) in
        [(home(), PROMPT, ["n", "Enter"].as_slice()), (home_with_age(), "Enter passphrase", &["C-d"])]
    {
        let terminal = sign_in(&home, "get-token --browser never", prompt);
        terminal.types(&["C-c"]);
        terminal.shows("[Y/n]");
        terminal.types(&["C-c"]); // does not end get-token, because no other process has the token
        terminal.types(answer);
        terminal.ends_with(74);
        terminal.shows("error: you are signed in, but the refresh token could not be stored");
        assert_eq!(terminal.token(), "");
    }
}

/// The terminal's process (a window, `ssh`) has ended: nobody can answer the question.
#[test]
#[ignore = "tests/run: tmux and openssl"]
fn after_a_hang_up_the_exit_code_is_74() {
    let home = home();
    let code = home.path().join("code");
    let line = "sh -c 'trap \"\" HUP; trap : INT; get-token --browser never; echo $? >\"$HOME/code\"'";
    let terminal = sign_in(&home, line, PROMPT);
    terminal.types(&["C-c"]);
    terminal.shows("[Y/n]");
    drop(terminal);
    eventually("get-token has ended", || std::fs::read_to_string(&code).is_ok_and(|code| code == "74\n"));
}

/// In the background, a program that reads the terminal would be stopped for ever. Takes a minute.
#[test]
#[ignore = "tests/run: tmux"]
fn a_program_that_saves_has_60_seconds_or_in_the_foreground_any_time() {
    let home_with_slow_program = || {
        let home = Home::new();
        let save = "sleep 61; cat >\"$HOME/token\"";
        let programs =
            format!("{{ load = ['cat', '{}/token'], save = ['sh', '-c', '{save}'] }}", home.path().display());
        home.configure(&home.configuration_with_store(&programs));
        home
    };
    let (attended, unattended) = (home_with_slow_program(), home_with_slow_program());
    let foreground = Terminal::run(&attended, "get-token --browser never");
    let url = foreground.url();
    std::thread::spawn(move || Browser::approve(&url, ADA, None));
    // A shell with job control gives the job a process group of its own.
    let line = "bash --norc --noprofile -ic 'get-token --browser never & wait $!; exit $?'";
    let background = Terminal::run_in(&unattended, 200, line);
    background.shows("run `get-token --device --profile mail`");
    let url = background.text().lines().find(|line| line.starts_with("https://")).unwrap().trim().to_owned();
    std::thread::spawn(move || Browser::approve(&url, ADA, None));
    std::thread::sleep(Duration::from_secs(60));
    // The shell stops the job at the question, until `fg`.
    background.shows("not stored yet: the program that saves the token, `sh`, timed out after 60 s");
    foreground.ends_with(0);
    assert!(attended.path().join("token").exists() && !unattended.path().join("token").exists());
}

/// Uses age, which stops on Ctrl-Z like most programs. openssl treats Ctrl-Z as an interrupt.
#[test]
#[ignore = "tests/run: tmux and age"]
fn a_passphrase_can_be_typed_in_a_pipeline_and_after_a_stop() {
    let home = home_with_age();
    // A shell with job control, which takes over the terminal and returns it.
    let line = "bash --norc --noprofile -ic 'get-token --browser never | cat; fg'";
    let terminal = sign_in(&home, line, "Enter passphrase");
    terminal.types(&["C-z"]);
    // `fg` prints the command line of the stopped job.
    eventually("the job is continued", || terminal.token().contains("get-token"));
    terminal.types(&["a passphrase", "Enter"]);
    terminal.shows("Confirm passphrase");
    terminal.types(&["a passphrase", "Enter"]);
    terminal.ends_with(0);
    assert!(home.standin.is_valid_access_token(terminal.token().lines().last().unwrap()));
    assert!(std::fs::read(home.path().join("token")).unwrap().starts_with(b"age-encryption.org"));
}
