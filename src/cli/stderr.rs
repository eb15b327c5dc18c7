//! Words for a person, all of them on stderr.

use std::io::{self, IsTerminal as _, Write as _};
use std::panic;
use std::process;

use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::error::{Error, ErrorKind};
use crate::sign_in;

/// A line for the person. A stderr that is closed has no reader to disappoint.
pub(super) fn print(text: &str) {
    let text = without_controls(text);
    // A mail program's log has lines of any length; a person's terminal breaks them amid words. Addresses stay whole.
    let wrapped = match io::stderr().is_terminal() {
        true => text.split('\n').map(wrap).collect::<Vec<_>>().join("\n"),
        false => text,
    };
    _ = writeln!(io::stderr().lock(), "{wrapped}");
}

/// A line in lines of 80 columns. A command between backticks stays whole: half of it may be another command.
pub(crate) fn wrap(line: &str) -> String {
    const KEPT: &str = "\u{a0}";
    let parts = line.split('`').enumerate();
    let kept: Vec<String> =
        parts.map(|(index, part)| if index % 2 == 1 { part.replace(' ', KEPT) } else { part.to_owned() }).collect();
    let options = textwrap::Options::new(80)
        .subsequent_indent("  ")
        .break_words(false)
        .word_separator(textwrap::WordSeparator::AsciiSpace)
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    textwrap::fill(&kept.join("`"), options).replace(KEPT, " ")
}

/// One line that the next one replaces; an empty one takes it away. Only a terminal shows progress.
pub(super) fn progress(text: &str) {
    if io::stderr().is_terminal() {
        let mut stderr = io::stderr().lock();
        _ = write!(stderr, "\r{}\x1b[K", without_controls(text)).and_then(|()| stderr.flush());
    }
}

/// Asks a question that only a yes answers with true. Without a terminal nobody says yes.
pub(super) fn confirm(question: &str) -> bool {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return false;
    }
    print(question);
    _ = write!(io::stderr().lock(), "[y/N] ");
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).is_ok() && ["y", "yes"].contains(&answer.trim().to_lowercase().as_str())
}

/// Asks a question to which an empty answer means yes. Without a terminal, and at the end of input, the answer is no.
pub(super) fn confirm_by_default(question: &str) -> bool {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return false;
    }
    print(question);
    _ = write!(io::stderr().lock(), "[Y/n] ");
    let mut answer = String::new();
    matches!(io::stdin().read_line(&mut answer), Ok(1..))
        && ["", "y", "yes"].contains(&answer.trim().to_lowercase().as_str())
}

/// Asks for a text; an empty answer is the offered one. None at the end of input.
pub(super) fn prompt(question: &str, offered: &str) -> Option<String> {
    let offer = if offered.is_empty() { String::new() } else { format!(" [{offered}]") };
    _ = write!(io::stderr().lock(), "{}{}: ", without_controls(question), without_controls(&offer));
    let mut answer = String::new();
    match io::stdin().read_line(&mut answer) {
        Ok(0) | Err(_) => None,
        Ok(_) if answer.trim().is_empty() => Some(offered.to_owned()),
        Ok(_) => Some(answer.trim().to_owned()),
    }
}

/// Asks for a secret, which is not without_controls while it is typed. None at the end of input.
pub(super) fn prompt_hidden(question: &str) -> Option<String> {
    _ = write!(io::stderr().lock(), "{}: ", without_controls(question));
    let secret = sign_in::hidden_line().map(|secret| secret.trim().to_owned());
    _ = writeln!(io::stderr().lock()); // the line end was not without_controls either
    secret
}

/// Shows the error that ends the command.
pub(super) fn print_error(error: &Error) {
    print(&format!("error: {}", with_hint(error)));
}

/// What happened, `hint:` the next command to type, and what Microsoft's support asks for.
pub(super) fn with_hint(error: &Error) -> String {
    let mut text = error.to_string();
    if let Some(hint) = error.next_step() {
        text.push_str(&format!("\nhint: {hint}"));
    }
    if let Some(ids) = error.refusal().map(|refusal| refusal.ids()).filter(|ids| !ids.is_empty()) {
        text.push_str(&format!("\nMicrosoft's reference: {ids}"));
    }
    text
}

/// Shows what the library says: warnings always, the rest with `--verbose`. What other libraries say stays unsaid, for
/// nobody here knows whether it holds a secret.
pub(super) fn log(verbose: bool) {
    if log::set_logger(&Logger).is_ok() {
        log::set_max_level(if verbose { LevelFilter::Info } else { LevelFilter::Warn });
    }
}

/// A defect of ours ends in a sentence, not in a backtrace. The panic's own words may hold a secret, its place does not.
pub(super) fn hide_panics() {
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        print(&format!(
            "error: a defect in m365auth {} at {place}\n\
             hint: please report it with the command that you typed; `get-token --status` shows what is stored",
            env!("CARGO_PKG_VERSION")
        ));
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
                Level::Error | Level::Warn => print(&format!("warning: {}", record.args())),
                _ => print(&format!("m365auth: {}", record.args())),
            }
        }
    }

    fn flush(&self) {}
}

/// Our own line ends stay; other control characters, wherever they came from, do not reach the terminal.
pub(crate) fn without_controls(text: &str) -> String {
    text.replace(|c: char| c.is_control() && c != '\n', " ")
}
