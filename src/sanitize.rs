//! Sanitizing untrusted text, such as Microsoft's descriptions, account names and paths.

/// Returns the text without characters that control a terminal: replaces control characters, including line ends, with
/// spaces, removes bidirectional controls, and collapses white space.
pub(crate) fn for_terminal(text: &str) -> String {
    let spaced: String = text.chars().filter(|c| !is_bidi_control(*c)).map(space_if_control).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns whether the terminal supports control sequences. A terminal with `TERM=dumb` (terminfo(5)) or without `TERM`
/// would show them as text. The Windows console does not set `TERM`.
pub(crate) fn has_control_sequences() -> bool {
    cfg!(windows) || std::env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb")
}

/// Returns whether the text has the form of a token: printable ASCII characters without spaces, which can be printed on
/// a line, sent in an HTTP header and stored in a keychain unchanged.
pub(crate) fn is_well_formed_token(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic())
}

/// Returns the text as one word of a POSIX shell, quoted where that is needed, for a command that a person pastes.
pub(crate) fn for_shell(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_.:/@+".contains(c) || (cfg!(windows) && c == '\\');
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text.to_owned(),
        // Windows shells do not support this escape, and a path on Windows cannot contain a double quote.
        false if cfg!(windows) => format!("\"{text}\""),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// Escapes the text for HTML.
pub(crate) fn escape_html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

fn space_if_control(c: char) -> char {
    if c.is_control() { ' ' } else { c }
}

/// Returns whether the character has the Unicode property `Bidi_Control`. Such characters can display a text in an
/// order other than that of its characters ("Trojan Source", CVE-2021-42574).
pub(crate) fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_controls_are_removed() {
        assert_eq!(for_terminal("\u{61c}red \u{1b}[31malarm\r\nTrace\u{202e}ID\u{9b}0m"), "red [31malarm TraceID 0m");
    }

    #[test]
    #[cfg(unix)]
    fn a_shell_reads_the_word_as_it_was() {
        for plain in ["/home/ada/.config/m365auth/config.toml", "mail", "ada@example.com", "grüße"] {
            assert_eq!(for_shell(plain), plain);
        }
        for (text, word) in [("a b", "'a b'"), ("it's", r"'it'\''s'"), ("$(x)", "'$(x)'"), ("~", "'~'"), ("", "''")] {
            assert_eq!(for_shell(text), word);
        }
    }

    #[test]
    fn html_is_escaped() {
        assert_eq!(escape_html("<b title='x' id=\"y\">&"), "&lt;b title=&#39;x&#39; id=&quot;y&quot;&gt;&amp;");
    }
}
