//! Colors and line breaks in a real terminal.

use standin::ADA;

use crate::support::Home;
use crate::tmux::Terminal;

/// Prints an error and a hint of 83 characters, without a configuration.
const LINE: &str = "refresh-token --user ada@example.com";

const RED: &str = "\u{1b}[1m\u{1b}[31m";
const GREEN: &str = "\u{1b}[1m\u{1b}[32m";
const YELLOW: &str = "\u{1b}[1m\u{1b}[33m";
const CYAN: &str = "\u{1b}[1m\u{1b}[36m";

/// Returns the lines above the exit code.
fn output(text: &str) -> Vec<&str> {
    text.lines().take_while(|line| !line.contains("exit code")).collect()
}

#[test]
#[ignore = "tests/run: tmux"]
fn text_wraps_at_words_and_at_the_width_of_the_terminal() {
    let home = Home::new();
    let error = "error: --user ada@example.com requires --format xoauth2";
    let narrow =
        [error, "hint: run", "  `refresh-token --format xoauth2 --user ada@example.com`,", "  or remove --user"];
    let wide = [error, "hint: run `refresh-token --format xoauth2 --user ada@example.com`, or remove --user"];
    for (columns, expected) in [(60, &narrow[..]), (100, &wide[..])] {
        let terminal = Terminal::run_in(&home, columns, LINE);
        terminal.ends_with(64);
        assert_eq!(output(&terminal.screen()), expected, "{columns} columns");
    }
}

#[test]
#[ignore = "tests/run: tmux"]
fn help_keeps_its_columns_in_a_narrow_terminal() {
    let home = Home::new();
    let terminal = Terminal::run_in(&home, 60, "get-token -h >/dev/tty; true");
    terminal.ends_with(0);
    let screen = terminal.screen();
    assert!(
        screen.contains("Test the whole setup\n                                     instead of signing in"),
        "{screen}"
    );
}

#[test]
#[ignore = "tests/run: tmux"]
fn labels_are_colored_in_a_terminal_unless_no_color_is_set() {
    let home = Home::new();
    let terminal = Terminal::run(&home, LINE);
    terminal.ends_with(64);
    let text = terminal.colored();
    assert!(text.contains(&format!("{RED}error:")) && text.contains(&format!("{CYAN}hint:")), "{text:?}");

    for line in [&format!("NO_COLOR=1 {LINE}"), &format!("TERM=dumb {LINE}")] {
        let terminal = Terminal::run(&home, line);
        terminal.ends_with(64);
        let text = terminal.colored();
        assert!(text.contains("error: --user") && !text.contains('\u{1b}'), "{line}: {text:?}");
    }
}

#[test]
#[ignore = "tests/run: tmux"]
fn warnings_and_the_marks_of_the_check_are_colored() {
    let home = Home::new();
    let port = crate::support::free_port();
    home.configure_with(&format!("imap_host = 'localhost:{port}'\nsmtp_host = 'localhost:{port}'"));
    home.store_token("mail");
    let terminal = Terminal::run_in(&home, 200, "sh -c 'get-token --check >/dev/tty'");
    terminal.ends_with(75);
    let text = terminal.colored();
    for mark in [&format!("{GREEN}✓\u{1b}"), &format!("{RED}✗\u{1b}"), "\u{1b}[2m–\u{1b}", &format!("  {CYAN}hint:")]
    {
        assert!(text.contains(mark), "{mark:?} in {text:?}");
    }

    home.configure_with("on_sign_in_needed = ['/nonexistent/program']");
    let terminal = Terminal::run(&home, "get-token --sign-out; refresh-token");
    terminal.ends_with(77);
    let text = terminal.colored();
    assert!(text.contains(&format!("{YELLOW}warning:")), "{text:?}");
}

#[test]
#[ignore = "tests/run: tmux"]
fn stdout_and_stderr_are_judged_separately() {
    let home = Home::new();
    // stderr is a file and stdout the terminal, then the other way round.
    for (line, terminal_shows, file_has) in [
        ("get-token --help 2>\"$HOME/file\" >/dev/tty; true", "\u{1b}[1m", ""),
        ("get-token --bad 2>\"$HOME/file\" >/dev/tty; true", "exit code", "error: unexpected argument '--bad'"),
        ("get-token --bad", "error:", ""),
    ] {
        std::fs::write(home.path().join("file"), "").unwrap();
        let terminal = Terminal::run(&home, line);
        terminal.shows("exit code");
        let file = std::fs::read_to_string(home.path().join("file")).unwrap();
        assert!(terminal.colored().contains(terminal_shows), "{line}: {:?}", terminal.colored());
        assert!(file.starts_with(file_has) && !file.contains('\u{1b}'), "{line}: {file:?}");
    }
    home.sign_in().token();
    let terminal = Terminal::run(&home, "get-token --status");
    terminal.ends_with(0);
    assert!(terminal.token().contains(ADA) && !terminal.token().contains('\u{1b}'), "{}", terminal.token());
}
