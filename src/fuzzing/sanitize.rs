//! The target `sanitize`: untrusted text, as a terminal and a web page show it.

use super::assert_one_plain_line;
use crate::cli::text::{without_controls, wrap};
use crate::sanitize::{escape_html, for_terminal};

/// Checks that no text can control a terminal or a web page.
pub fn sanitize(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let shown = for_terminal(&text);
    assert_one_plain_line(&shown);
    assert!(shown.len() <= text.len() && for_terminal(&shown) == shown);
    assert!(!shown.starts_with(' ') && !shown.ends_with(' ') && !shown.contains("  "));
    assert_wraps(&shown);

    let page = escape_html(&text);
    assert!(!page.contains(['<', '>', '"', '\'']));
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    let read = entities.iter().fold(page, |page, (entity, character)| page.replace(entity, character));
    assert_eq!(read, text, "the browser shows the original text");
}

/// Asserts that wrapping changes white space only.
fn assert_wraps(line: &str) {
    for width in [1, 60, 80] {
        let wrapped = wrap(&without_controls(line), width, 2);
        assert!(wrapped.split_whitespace().eq(line.split_whitespace()), "{line:?} became {wrapped:?}");
    }
}
