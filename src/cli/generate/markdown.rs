//! Converts sections of the README to sections of a man page.

use std::collections::BTreeSet;

use clap_mangen::roff::{Inline, Roff, bold, italic, roman};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

const README: &str = include_str!("../../../README.md");

/// Returns the text below `## heading`.
pub(super) fn section(heading: &str) -> &'static str {
    let sections = README.split("\n## ");
    let found = sections.filter_map(|section| section.split_once('\n')).find(|(title, _)| title.trim() == heading);
    found.unwrap_or_else(|| panic!("README.md has no section {heading}")).1
}

pub(super) fn exit_codes() -> &'static str {
    let commands = section("Commands");
    commands.find("| code |").map(|start| &commands[start..]).expect("a table of exit codes")
}

/// Returns the long flags in the README's tables for this command.
pub(super) fn flags(command: &str) -> BTreeSet<String> {
    let mut flags = BTreeSet::new();
    let mut applies = false;
    for line in section("Commands").lines().take_while(|line| !line.starts_with("| code")) {
        let first_cell = line.strip_prefix("| ").and_then(|row| row.split(" | ").next());
        match first_cell {
            Some(cell) if applies => {
                let words = cell.split(['`', ' ', ',', ';']).filter(|word| word.starts_with("--"));
                flags.extend(words.map(str::to_owned));
            }
            None if line.starts_with("All three accept") => applies = true,
            None if line.contains("also accept") => applies = line.starts_with(&format!("`{command}`")),
            _ => {}
        }
    }
    flags
}

/// Writes paragraphs, headings, code and tables. Each row of a table becomes an entry.
pub(super) fn render(roff: &mut Roff, markdown: &str) {
    let mut words: Vec<Inline> = Vec::new();
    let (mut head, mut row, mut document) = (Vec::new(), Vec::new(), None);
    let (mut is_code, mut is_first, mut is_bold, mut is_italic) = (false, true, false, false);
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
        let ends_heading = matches!(event, Event::End(TagEnd::Heading(_)));
        match event {
            Event::Start(Tag::Paragraph) if !is_first => _ = roff.control("PP", []),
            Event::Start(Tag::CodeBlock(_)) => {
                is_code = true;
                roff.control("PP", []).control("RS", ["4"]).control("EX", []);
            }
            Event::End(TagEnd::CodeBlock) => {
                is_code = false;
                roff.control("EE", []).control("RE", []);
            }
            Event::Start(Tag::Strong) => is_bold = true,
            Event::End(TagEnd::Strong) => is_bold = false,
            Event::Start(Tag::Emphasis) => is_italic = true,
            Event::End(TagEnd::Emphasis) => is_italic = false,
            Event::Start(Tag::Link { dest_url, .. }) => document = dest_url.split('#').next().map(str::to_owned),
            Event::End(TagEnd::Link) => {
                let document = document.take().filter(|document| document.starts_with("docs/"));
                words.extend(document.map(|document| roman(format!(" ({document})"))));
            }
            Event::Code(code) => words.push(bold(code.as_ref())),
            Event::Text(text) if is_code => _ = roff.text([roman(text.trim_end())]),
            Event::Text(text) if is_bold => words.push(bold(text.as_ref())),
            Event::Text(text) if is_italic => words.push(italic(text.as_ref())),
            Event::Text(text) => words.push(roman(text.as_ref())),
            Event::SoftBreak => words.push(roman("\n")),
            Event::End(TagEnd::Paragraph) => _ = roff.text(std::mem::take(&mut words)),
            Event::End(TagEnd::Heading(_)) => {
                let title: String = words.drain(..).map(plain).collect();
                roff.control("SS", [title.as_str()]);
            }
            Event::End(TagEnd::TableCell) => row.push(std::mem::take(&mut words)),
            Event::End(TagEnd::TableHead) => {
                head = std::mem::take(&mut row).into_iter().map(|cell| cell.into_iter().map(plain).collect()).collect();
            }
            Event::End(TagEnd::TableRow) => entry(roff, &head, std::mem::take(&mut row)),
            _ => {}
        }
        is_first = ends_heading;
    }
}

/// Writes a row of a table. The first cell is the entry's name; if there are several others, each begins with the title
/// of its column.
fn entry(roff: &mut Roff, head: &[String], row: Vec<Vec<Inline>>) {
    let last = row.len() - 1;
    for (index, mut cell) in row.into_iter().enumerate() {
        match index {
            0 => _ = roff.control("TP", []),
            1 => {}
            _ => _ = roff.control("br", []),
        }
        if index > 0 && last > 1 && head[index] != "meaning" {
            cell.insert(0, roman(format!("{}: ", head[index])));
        }
        roff.text(cell);
    }
}

fn plain(inline: Inline) -> String {
    match inline {
        Inline::Roman(text) | Inline::Italic(text) | Inline::Bold(text) => text,
        Inline::LineBreak => " ".to_owned(),
    }
}
