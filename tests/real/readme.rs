//! The README's examples, word for word: what is tested is what a reader copies.

use std::path::Path;

/// The text of a fenced block under `### heading`: the first of its language has index 0.
#[track_caller]
pub fn readme_block(heading: &str, language: &str, index: usize) -> String {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = std::fs::read_to_string(&readme).unwrap_or_else(|error| panic!("{}: {error}", readme.display()));
    let found = block(&text, heading, language, index);
    found.unwrap_or_else(|| panic!("README.md: no block {index} of {language:?} under \"### {heading}\""))
}

fn block(text: &str, heading: &str, language: &str, index: usize) -> Option<String> {
    let (mut inside, mut fence) = (false, None);
    let mut blocks: Vec<String> = Vec::new();
    for line in text.lines() {
        match (fence, line.strip_prefix("```")) {
            // A comment in a block begins as a heading does.
            (None, None) if line.starts_with('#') => inside = inside && line.starts_with("####"),
            (None, Some(opened)) => {
                fence = Some(inside && opened.trim() == language);
                blocks.extend((fence == Some(true)).then(String::new));
            }
            (Some(_), Some(_)) => fence = None,
            (Some(true), None) => blocks.last_mut()?.extend([line, "\n"]),
            _ => {}
        }
        inside |= fence.is_none() && line.strip_prefix("### ").is_some_and(|title| title.trim() == heading);
    }
    (index < blocks.len()).then(|| blocks.swap_remove(index))
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
        assert!(self.contains(readers), "the README's block has no {readers:?}:\n{self}");
        self.replace(readers, tests)
    }

    #[track_caller]
    fn with_below(self, line: &str, added: &str) -> String {
        let found = self.lines().filter(|text| text.trim_start().starts_with(line)).count();
        assert_eq!(found, 1, "lines of the README's block that begin with {line:?}:\n{self}");
        let lines = self.lines().map(|text| match text.trim_start().starts_with(line) {
            true => format!("{text}\n{added}\n"),
            false => format!("{text}\n"),
        });
        lines.collect()
    }
}
