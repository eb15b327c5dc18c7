//! The documents' examples, word for word: what is tested is what a reader copies.

use std::path::Path;

/// The text of a fenced block under a heading: the first of its language has index 0.
#[track_caller]
pub fn block(document: &str, heading: &str, language: &str, index: usize) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut found = blocks(&text, heading, language);
    assert!(index < found.len(), "{document}: no block {index} of {language:?} under \"{heading}\"");
    found.swap_remove(index)
}

fn blocks(text: &str, heading: &str, language: &str) -> Vec<String> {
    let (mut under, mut fence) = (None, None);
    let mut blocks: Vec<String> = Vec::new();
    for line in text.lines() {
        let level = line.bytes().take_while(|byte| *byte == b'#').count();
        match (fence, line.strip_prefix("```")) {
            (None, Some(opened)) => {
                fence = Some(under.is_some() && opened.trim() == language);
                blocks.extend((fence == Some(true)).then(String::new));
            }
            (Some(_), Some(_)) => fence = None,
            (Some(true), None) => blocks.last_mut().unwrap().extend([line, "\n"]),
            // A deeper heading stays under it. In a block, a comment begins as a heading does.
            (None, None) if level > 0 && line[level..].trim() == heading => under = Some(level),
            (None, None) if level > 0 => under = under.filter(|above| level > *above),
            _ => {}
        }
    }
    blocks
}

/// Replaces what a test has to: a block that does not contain it has changed, and the test with it.
pub trait Adapt {
    /// Every occurrence.
    fn with(self, readers: &str, tests: &str) -> String;
    /// A line is put below the one that begins so.
    fn with_below(self, line: &str, added: &str) -> String;
}

impl Adapt for String {
    #[track_caller]
    fn with(self, readers: &str, tests: &str) -> String {
        assert!(self.contains(readers), "the document's block has no {readers:?}:\n{self}");
        self.replace(readers, tests)
    }

    #[track_caller]
    fn with_below(self, line: &str, added: &str) -> String {
        let found = self.lines().filter(|text| text.trim_start().starts_with(line)).count();
        assert_eq!(found, 1, "lines of the document's block that begin with {line:?}:\n{self}");
        let lines = self.lines().map(|text| match text.trim_start().starts_with(line) {
            true => format!("{text}\n{added}\n"),
            false => format!("{text}\n"),
        });
        lines.collect()
    }
}
