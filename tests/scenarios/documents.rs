//! Checks of the project's own texts.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every `MODULE::NAME` under "Security" must be a test in `tests/scenarios` or `tests/real`.
#[test]
fn every_test_named_as_evidence_exists() {
    let document = fs::read_to_string(root().join("docs/evidence.md")).unwrap();
    let document = document.split("\n## ").find(|section| section.starts_with("Security\n")).unwrap();
    let named: Vec<(&str, &str)> = document.split('`').filter_map(|word| word.rsplit_once("::")).collect();
    assert!(named.len() > 15);
    for (module, name) in named {
        let exists = ["scenarios", "real"].iter().any(|folder| {
            let file = root().join("tests").join(folder).join(format!("{}.rs", module.replace("::", "/")));
            fs::read_to_string(file).is_ok_and(|text| text.contains(&format!("fn {name}()")))
        });
        assert!(exists, "docs/evidence.md names {module}::{name}, which does not exist");
    }
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let pages = |folder: &Path| {
        let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|file| file.extension().is_some_and(|extension| extension == "md")).collect::<Vec<PathBuf>>()
    };
    let mut broken = Vec::new();
    let mut count = 0;
    for page in pages(root()).into_iter().chain(pages(&root().join("docs"))) {
        let text = fs::read_to_string(&page).unwrap();
        let named = text.split('`').filter(|word| word.starts_with("docs/") && !root().join(word).exists());
        broken.extend(named.map(|file| format!("{}: {file}", page.display())));
        for link in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            if link.contains("://") {
                continue;
            }
            count += 1;
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            let exists = match heading {
                "" => target.exists(),
                heading => anchors(&fs::read_to_string(&target).unwrap_or_default()).any(|anchor| anchor == heading),
            };
            if !exists {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(count > 100, "{count}");
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Returns the anchors of the headings, as GitHub makes them.
fn anchors(text: &str) -> impl Iterator<Item = String> {
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    headings.map(|heading| {
        let kept = heading.chars().filter(|letter| letter.is_alphanumeric() || [' ', '-', '_'].contains(letter));
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    })
}

/// Phrases that plain technical English never needs, each with words to use instead. The tilde keeps this list from
/// matching itself.
const BANNED: &[(&str, &str)] = &[
    ("~anew", "again"),
    ("~are none", "there are no …"),
    ("~comes to its end", "ends"),
    ("~foreign text", "untrusted text"),
    ("~is no answer", "is not a valid response"),
    ("~is none", "is not a …"),
    ("~knows no", "does not support"),
    ("~look whether", "check whether"),
    ("~looks whether", "checks whether"),
    ("~mend", "fix"),
    ("~mended", "fixed"),
    ("~mends", "fixes"),
    ("~no answer of", "not a response from"),
    ("~no wall", "not a security boundary"),
    ("~that it went to", "in the address bar"),
    ("~that which", "what"),
    ("~the whole way", "from start to finish"),
    ("~what came back", "the response"),
    ("~whoever", "anyone who"),
];

/// Generated files and build results.
const SKIPPED: &[&str] = &["Cargo.lock", "__pycache__", "packaging/pkg", "packaging/share", "packaging/src", "target"];

#[test]
fn no_text_contains_a_banned_phrase() {
    let mut files = Vec::new();
    for folder in [
        ".ci",
        ".github",
        "benches",
        "contrib",
        "docs",
        "examples",
        "fuzz/fuzz_targets",
        "packaging",
        "python",
        "src",
        "tests",
    ] {
        collect(&root().join(folder), &mut files);
    }
    let top_level = [root(), &root().join("fuzz")].map(|folder| folder.read_dir().unwrap());
    let documents = top_level.into_iter().flatten().map(|entry| entry.unwrap().path());
    files.extend(documents.filter(|file| file.extension().is_some_and(|kind| kind == "md" || kind == "toml")));
    assert!(files.len() > 200, "only {} files", files.len());
    files.sort();
    let mut found = Vec::new();
    for file in files {
        // A file that is not UTF-8 is not text.
        let text = fs::read_to_string(&file).unwrap_or_default();
        let name = file.strip_prefix(root()).unwrap().display();
        found.extend(banned_in(&text).map(|(line, phrase, instead)| format!("{name}:{line}: {phrase} ({instead})")));
    }
    assert!(found.is_empty(), "banned phrases, with words to use instead:\n{}", found.join("\n"));
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) {
    if SKIPPED.iter().any(|skipped| path.ends_with(skipped)) {
        return;
    }
    if path.is_file() {
        return files.push(path.to_owned());
    }
    for entry in path.read_dir().unwrap() {
        collect(&entry.unwrap().path(), files);
    }
}

/// Returns line, phrase and replacement of each banned phrase in the text.
fn banned_in(text: &str) -> impl Iterator<Item = (usize, &'static str, &'static str)> {
    let words = words(text);
    let matches = move |(phrase, instead): &(&'static str, &'static str)| {
        let phrase = phrase.trim_start_matches('~');
        let wanted: Vec<&str> = phrase.split(' ').collect();
        let word = |index: usize| words.get(index).map_or("", |(_, word)| word.as_str());
        let is_banned = |start: usize| {
            // "There is none" is plain English.
            (0..wanted.len()).all(|offset| word(start + offset) == wanted[offset])
                && word(start.wrapping_sub(1)) != "there"
        };
        let starts = (0..words.len()).filter(|start| is_banned(*start));
        starts.map(|start| (words[start].0, phrase, *instead)).collect::<Vec<_>>()
    };
    BANNED.iter().flat_map(matches)
}

/// Splits a text into words in lower case, each with its line number. Comment markers and line continuations are
/// ignored, so that a phrase is found across lines. Any other punctuation character is a separate word.
fn words(text: &str) -> Vec<(usize, String)> {
    let mut words: Vec<(usize, String)> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_start_matches(['/', '!', '#', ' ', '\t']).trim_end_matches('\\');
        let mut in_word = false;
        for character in line.chars() {
            let is_letter = character.is_alphanumeric() || "_-'~".contains(character);
            match words.last_mut() {
                Some((_, word)) if is_letter && in_word => word.push(character),
                _ if character.is_whitespace() => {}
                _ => words.push((index + 1, character.to_string())),
            }
            in_word = is_letter;
        }
    }
    // `None` is a value in Rust and Python.
    for (_, word) in words.iter_mut().filter(|(_, word)| word != "None") {
        *word = word.to_lowercase();
    }
    words
}

#[test]
fn a_banned_phrase_is_found_in_any_case_and_across_lines() {
    let lines = |text: &str| banned_in(text).map(|(line, ..)| line).collect::<Vec<_>>();
    let phrase = |separator: &str| format!("first line\n/// What{separator}Came{separator}back.");
    assert_eq!(lines(&phrase(" ")), [2]);
    assert_eq!(lines(&phrase("\n    /// ")), [2]);
    assert_eq!(lines(&phrase(" \\\n")), [2]);
    assert!(lines(&phrase(", ")).is_empty());
    assert!(lines(&phrase("_")).is_empty());
    for allowed in
        ["if there is none", "if value is None:", "recommended", "value.is_none()", "what it is. None of them"]
    {
        assert!(lines(allowed).is_empty(), "{allowed}");
    }
}
