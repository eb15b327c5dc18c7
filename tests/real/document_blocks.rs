//! Code blocks and tables from the documentation, so that the tests run exactly what a reader copies.

use std::path::Path;

/// Returns a fenced code block under a heading. `index` counts the blocks of this language from 0.
#[track_caller]
pub fn block(document: &str, heading: &str, language: &str, index: usize) -> String {
    let mut found = blocks(&read(document), heading, language);
    assert!(index < found.len(), "{document}: no block {index} of {language:?} under \"{heading}\"");
    found.swap_remove(index)
}

/// Returns the cells of a document's only table, with its head as first row.
#[track_caller]
pub fn table(document: &str) -> Vec<Vec<String>> {
    let text = read(document);
    let rows = text.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    rows.map(|row| row.split(" | ").map(str::to_owned).collect()).collect()
}

#[track_caller]
fn read(document: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
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
            // Deeper headings belong to this one. Lines in a code block may start with `#` and are not headings.
            (None, None) if level > 0 && line[level..].trim() == heading => under = Some(level),
            (None, None) if level > 0 => under = under.filter(|above| level > *above),
            _ => {}
        }
    }
    blocks
}

/// Adapts a code block to the test. Panics if the block does not contain the text, because then the document has
/// changed.
pub trait Adapt {
    /// Replaces every occurrence of a text.
    fn with(self, original: &str, replacement: &str) -> String;
    /// Inserts a line below the only line with this prefix.
    fn with_below(self, prefix: &str, added: &str) -> String;
}

impl Adapt for String {
    #[track_caller]
    fn with(self, original: &str, replacement: &str) -> String {
        assert!(self.contains(original), "no {original:?} in the document's code block:\n{self}");
        self.replace(original, replacement)
    }

    #[track_caller]
    fn with_below(self, prefix: &str, added: &str) -> String {
        let found = self.lines().filter(|text| text.trim_start().starts_with(prefix)).count();
        assert_eq!(found, 1, "lines that start with {prefix:?} in the document's code block:\n{self}");
        let lines = self.lines().map(|text| match text.trim_start().starts_with(prefix) {
            true => format!("{text}\n{added}\n"),
            false => format!("{text}\n"),
        });
        lines.collect()
    }
}
