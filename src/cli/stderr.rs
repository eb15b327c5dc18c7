//! Everything that a person reads while a command runs goes to stderr.

use std::io::{self, IsTerminal as _, Write as _};
use std::panic;
use std::process;

use anstream::AutoStream;
use log::{Level, LevelFilter, Log, Metadata, Record};

use super::text::{Label, Text, without_controls};
use crate::error::{Error, ErrorKind};
use crate::sanitize::has_control_sequences;
use crate::sign_in;

/// Prints lines without labels.
pub(super) fn print(text: &str) {
    print_text(&Text::plain(text));
}

/// Prints a text. If stderr is closed, nobody is there to read it.
pub(super) fn print_text(text: &Text) {
    let stderr = io::stderr().lock();
    let (text, colors) = text.rendered_for(&stderr);
    _ = AutoStream::new(stderr, colors).write_all(text.as_bytes());
}

/// Returns whether a person sees what is printed.
pub(super) fn is_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Returns whether a person sees questions and can answer them.
pub(super) fn can_ask() -> bool {
    io::stdin().is_terminal() && is_terminal()
}

/// Prints a line that the next call replaces; an empty text removes it. Only a terminal shows progress.
pub(super) fn progress(text: &str) {
    if is_terminal() && has_control_sequences() {
        let mut stderr = io::stderr().lock();
        _ = write!(stderr, "\r{}\x1b[K", without_controls(text)).and_then(|()| stderr.flush());
    }
}

/// Prints an explanation, asks a yes-or-no question and returns whether the answer is yes. Without a terminal it prints
/// nothing, and the answer is no.
pub(super) fn confirm(explanation: &str, question: &str) -> bool {
    if !can_ask() {
        return false;
    }
    print(explanation);
    print_prompt(&format!("{question} [y/N]"));
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).is_ok() && ["y", "yes"].contains(&answer.trim().to_lowercase().as_str())
}

/// Prints an explanation and asks a question to which an empty answer means yes. Without a terminal, and at the end of
/// input, the answer is no.
pub(super) fn confirm_by_default(explanation: &Text, question: &str) -> bool {
    if !can_ask() {
        return false;
    }
    print_text(explanation);
    print_prompt(&format!("{question} [Y/n]"));
    let mut answer = String::new();
    matches!(io::stdin().read_line(&mut answer), Ok(1..))
        && ["", "y", "yes"].contains(&answer.trim().to_lowercase().as_str())
}

/// Asks for a text; an empty answer means the offered one. Returns None at the end of input.
pub(super) fn prompt(question: &str, offered: &str) -> Option<String> {
    let offer = if offered.is_empty() { String::new() } else { format!(" [{offered}]") };
    print_prompt(&format!("{question}{offer}:"));
    let mut answer = String::new();
    match io::stdin().read_line(&mut answer) {
        Ok(0) | Err(_) => None,
        Ok(_) if answer.trim().is_empty() => Some(offered.to_owned()),
        Ok(_) => Some(answer.trim().to_owned()),
    }
}

/// Asks for a secret, which is not shown while it is typed. Returns None at the end of input.
pub(super) fn prompt_hidden(question: &str) -> Option<String> {
    print_prompt(&format!("{question}:"));
    let secret = sign_in::hidden_line().map(|secret| secret.trim().to_owned());
    print(""); // the line end that was typed was not shown either
    secret
}

/// Prints a question and leaves the cursor after it.
fn print_prompt(question: &str) {
    let mut stderr = io::stderr().lock();
    let (text, _) = Text::plain(question).rendered_for(&stderr);
    _ = write!(stderr, "{} ", text.trim_end());
}

/// Prints the error that ends the command.
pub(super) fn print_error(error: &Error) {
    print_text(&Text::failure(Label::Error, "", error));
}

/// Prints the log of this crate: warnings always, the rest with `--verbose`. The logs of other crates are dropped,
/// because they may contain secrets.
pub(super) fn log(verbose: bool) {
    if log::set_logger(&Logger).is_ok() {
        log::set_max_level(if verbose { LevelFilter::Info } else { LevelFilter::Warn });
    }
}

/// Replaces the backtrace of a panic by an error message. It names the line of code but not the panic's message, which
/// may contain a secret.
pub(super) fn hide_panics() {
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let error = Error::new(
            ErrorKind::Defect,
            format!("internal error in m365auth {} at {place}", env!("CARGO_PKG_VERSION")),
        );
        print_error(
            &error
                .hint("report this bug with the command that you ran; run `get-token --status` to see what is stored"),
        );
        process::exit(ErrorKind::Defect.exit_code().into());
    }));
}

struct Logger;

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with(env!("CARGO_CRATE_NAME"))
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            match record.level() {
                Level::Error | Level::Warn => {
                    print_text(&Text::with_label(Label::Warning, &record.args().to_string()));
                }
                _ => print(&format!("m365auth: {}", record.args())),
            }
        }
    }

    fn flush(&self) {}
}
