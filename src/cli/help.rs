//! `--help`, `--version` and wrong arguments, as clap renders them.

use std::io::Write as _;

use clap::builder::Styles;

use super::text;

/// The longest line, as with clap's feature `wrap_help`, which would make each command 5 KiB larger.
const MAX_WIDTH: usize = 100;

/// Prints help and version on stdout, and an error in the arguments on stderr.
pub(super) fn print(answer: &clap::Error) {
    // Also in a pipe, because a pager has the width of the same terminal.
    let width = textwrap::termwidth().min(MAX_WIDTH);
    let text = answer.render().ansi().to_string();
    let text = text.split('\n').map(|line| wrap(line, width)).collect::<Vec<_>>().join("\n");
    let header = Styles::styled();
    let header = header.get_header();
    let text = text.replace("\nExamples:\n", &format!("\n{header}Examples:{header:#}\n"));
    // If the stream is closed, nobody is there to read it.
    _ = match answer.use_stderr() {
        true => anstream::stderr().write_all(text.as_bytes()),
        false => anstream::stdout().write_all(text.as_bytes()),
    };
}

/// Wraps a line of the help. The description of a flag stays in its column, which follows the last gap.
fn wrap(line: &str, width: usize) -> String {
    let column = line.rfind("  ").map_or(0, |gap| textwrap::core::display_width(&line[..gap + 2]));
    text::wrap(line, width, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_stays_in_its_column() {
        let flag = "\u{1b}[1m--json\u{1b}[0m";
        assert_eq!(wrap(&format!("  {flag}  Print it as JSON"), 20), format!("  {flag}  Print it\n          as JSON"));
        assert_eq!(wrap("          Print it as JSON", 20), "          Print it\n          as JSON");
        assert_eq!(wrap("Prints an access token", 20), "Prints an access\ntoken");
        assert_eq!(wrap("", 20), "");
    }
}
