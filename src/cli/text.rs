//! Text for a person: lines that may begin with a colored label, wrapped at the terminal's width.

use anstream::stream::RawStream;
use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};

use crate::config_flag;
use crate::error::Error;
use crate::hint::{self, Part};
use crate::sanitize::has_control_sequences;

/// The word or sign at the start of a line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Label {
    Error,
    Warning,
    Hint,
    Passed,
    Failed,
    Skipped,
    /// The whole line is dimmed.
    Note,
}

impl Label {
    fn text(self) -> &'static str {
        match self {
            Self::Error => "error:",
            Self::Warning => "warning:",
            Self::Hint => "hint:",
            Self::Passed => "✓",
            Self::Failed => "✗",
            Self::Skipped => "–",
            Self::Note => "note:",
        }
    }

    fn style(self) -> Style {
        let bold = |color: AnsiColor| Style::new().bold().fg_color(Some(color.into()));
        match self {
            Self::Error | Self::Failed => bold(AnsiColor::Red),
            Self::Warning => bold(AnsiColor::Yellow),
            Self::Hint => bold(AnsiColor::Cyan),
            Self::Passed => bold(AnsiColor::Green),
            Self::Skipped | Self::Note => Style::new().dimmed(),
        }
    }
}

/// Lines for a person.
#[derive(Default)]
pub(super) struct Text(Vec<Line>);

struct Line {
    indent: &'static str,
    label: Option<Label>,
    text: String,
    form: Form,
}

/// How a terminal shows a line.
#[derive(PartialEq, Eq)]
enum Form {
    Wrapped,
    /// For copying: the terminal itself continues a line that is too long, and copies it as one.
    Unwrapped,
    /// A link, even where the line is wrapped (OSC 8, "Hyperlinks in terminal emulators").
    Link,
}

impl Text {
    /// Returns text without labels, which may have several lines.
    pub(super) fn plain(text: &str) -> Self {
        text.split('\n').fold(Self::default(), |lines, line| lines.line("", None, line))
    }

    /// Returns one line that begins with a label.
    pub(super) fn with_label(label: Label, text: &str) -> Self {
        Self::default().line("", Some(label), text)
    }

    /// Returns an error with its hint and with the IDs that Microsoft's support asks for. `subject` is put before the
    /// message.
    pub(super) fn failure(label: Label, subject: &str, error: &Error) -> Self {
        let indent = if label == Label::Failed { "  " } else { "" };
        let mut text = Self::with_label(label, &format!("{subject}{error}"));
        if let Some(hint) = error.next_step() {
            text = text.line(indent, Some(Label::Hint), hint);
        }
        match error.refusal().map(|refusal| refusal.ids()).filter(|ids| !ids.is_empty()) {
            Some(ids) => text.line(indent, None, &format!("Microsoft's reference: {ids}")),
            None => text,
        }
    }

    /// Adds a line.
    pub(super) fn line(mut self, indent: &'static str, label: Option<Label>, text: &str) -> Self {
        self.0.push(Line { indent, label, text: without_controls(&config_flag::repeat(text)), form: Form::Wrapped });
        self
    }

    /// Returns a line to copy, which is not wrapped.
    pub(super) fn unwrapped(text: &str) -> Self {
        Self(vec![Line { indent: "", label: None, text: without_controls(text), form: Form::Unwrapped }])
    }

    /// Returns a URL on a line of its own.
    pub(super) fn link(url: &str) -> Self {
        Self(vec![Line { indent: "", label: None, text: without_controls(url), form: Form::Link }])
    }

    /// Adds the lines of another text.
    pub(super) fn append(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Returns the text as this stream shows it, each line with its line end, and whether the stream shows colors.
    pub(super) fn rendered_for<Stream: RawStream>(&self, stream: &Stream) -> (String, ColorChoice) {
        // The choice honors NO_COLOR, CLICOLOR, CLICOLOR_FORCE and TERM, but allows colors if TERM is not set.
        let choice = match AutoStream::choice(stream) {
            _ if stream.is_terminal() && !has_control_sequences() => ColorChoice::Never,
            choice => choice,
        };
        let width = stream.is_terminal().then(textwrap::termwidth);
        (self.rendered(width, choice != ColorChoice::Never), choice)
    }

    fn rendered(&self, width: Option<usize>, has_colors: bool) -> String {
        self.0.iter().map(|line| line.rendered(width, has_colors)).collect()
    }
}

impl Line {
    fn rendered(&self, width: Option<usize>, has_colors: bool) -> String {
        let label = self.label.map_or("", Label::text);
        let separator = if label.is_empty() { "" } else { " " };
        let plain = format!("{label}{separator}{}", self.text);
        // Only for a terminal: in a mail program's log, a whole line is easier to search.
        let mut line = match width {
            Some(_) if self.form == Form::Link && has_control_sequences() => {
                format!("\x1b]8;;{0}\x1b\\{0}\x1b]8;;\x1b\\", self.text)
            }
            Some(width) if self.form != Form::Unwrapped => {
                let indent = self.indent.len() + if label.is_empty() { 0 } else { 2 };
                wrap(&format!("{}{plain}", self.indent), width, indent)
            }
            _ => format!("{}{plain}", self.indent),
        };
        if let Some(style) = self.label.filter(|label| has_colors && *label == Label::Note).map(Label::style) {
            line = format!("{style}{line}{style:#}");
        } else if let Some(style) = self.label.filter(|_| has_colors).map(Label::style) {
            line = line.replacen(label, &format!("{style}{label}{style:#}"), 1);
        }
        line.push('\n');
        line
    }
}

/// Wraps a line at words and indents all lines except the first. URLs and commands between backticks stay whole: half
/// of a command may be another command.
pub(crate) fn wrap(line: &str, width: usize, indent: usize) -> String {
    const KEPT: &str = "\u{a0}";
    let kept = hint::parts(line).into_iter().map(|part| match part {
        Part::Command(command) => format!("`{}`", command.replace(' ', KEPT)),
        Part::Text(text) => text.to_owned(),
    });
    let indent = " ".repeat(indent);
    let options = textwrap::Options::new(width)
        .subsequent_indent(&indent)
        .break_words(false)
        .word_separator(textwrap::WordSeparator::AsciiSpace)
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    textwrap::fill(&kept.collect::<String>(), options).replace(KEPT, " ")
}

/// Replaces control characters, which could control the terminal, by spaces. Line ends stay.
pub(crate) fn without_controls(text: &str) -> String {
    text.replace(|c: char| c.is_control() && c != '\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(text: &Text, width: usize, has_colors: bool) -> String {
        text.rendered(Some(width), has_colors)
    }

    #[test]
    fn a_line_wraps_at_words_and_its_label_keeps_the_color() {
        let text = Text::with_label(Label::Hint, "run `get-token --profile mail` again");
        assert_eq!(rendered(&text, 80, false), "hint: run `get-token --profile mail` again\n");
        assert_eq!(rendered(&text, 20, false), "hint: run\n  `get-token --profile mail`\n  again\n");
        let colored = rendered(&text, 80, true);
        assert_eq!(colored, "\u{1b}[1m\u{1b}[36mhint:\u{1b}[0m run `get-token --profile mail` again\n");
        let url = "https://login.microsoftonline.com/common/oauth2/v2.0/authorize";
        assert_eq!(rendered(&Text::plain(&format!("Open {url}")), 20, false), format!("Open\n{url}\n"));
    }

    #[test]
    fn the_hint_of_a_failed_check_is_indented() {
        let error = Error::new(crate::error::ErrorKind::TryLater, "no answer").hint("try again");
        let text = Text::failure(Label::Failed, "IMAP: ", &error);
        assert_eq!(text.rendered(None, false), "✗ IMAP: no answer\n  hint: try again\n");
        assert_eq!(rendered(&text, 12, false), "✗ IMAP: no\n  answer\n  hint: try\n    again\n");
    }

    #[test]
    fn characters_have_the_width_that_a_terminal_gives_them() {
        assert_eq!(wrap("✓✓✓ ab", 6, 0), "✓✓✓ ab", "one column each");
        assert_eq!(wrap("漢字 ab", 6, 0), "漢字\nab", "two columns each");
        // A terminal may have any width.
        for width in 0..30 {
            let text = Text::default().line("  ", Some(Label::Skipped), "`a b` c").rendered(Some(width), true);
            assert!(text.contains("\u{1b}[2m–\u{1b}[0m") && text.contains("`a b`"), "{text:?}");
        }
    }

    #[test]
    fn a_url_is_a_link_in_a_terminal_only() {
        let url = "https://login.microsoftonline.com/common/oauth2/v2.0/authorize";
        let shown = rendered(&Text::link(url), 20, false);
        let expected = if has_control_sequences() {
            format!("\u{1b}]8;;{url}\u{1b}\\{url}\u{1b}]8;;\u{1b}\\\n")
        } else {
            format!("{url}\n")
        };
        assert_eq!(shown, expected);
        assert_eq!(Text::link(url).rendered(None, false), format!("{url}\n"));
    }

    #[test]
    fn a_value_cannot_color_the_terminal() {
        let text = Text::with_label(Label::Error, "a \u{1b}[32mgreen\u{7} value");
        assert_eq!(text.rendered(None, false), "error: a  [32mgreen  value\n");
        assert_eq!(wrap("one ` does not start a command", 20, 0), "one ` does not start\na command");
    }
}
