//! Man pages: the synopsis and the options by clap_mangen, the rest from the hand-written sections.

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, roman};

use super::sections::{
    AFTER_EXIT_CODES, Block, CONFIGURATION, ENVIRONMENT, EXIT_CODES, FILES, KEYS, NOTIFICATIONS, PROFILES, Section,
    meaning,
};
use super::{description, examples};

/// Returns the man page of a command.
pub(super) fn command_page(command: &Command) -> String {
    let name = command.get_name();
    let usage = format!("{name} [OPTIONS]"); // as in --help; clap_mangen omits the value names
    let man = head(command.clone().override_usage(usage), "1");
    let mut page = begin(&man);
    man.render_synopsis_section(&mut page).expect("writing to memory");
    let mut roff = Roff::new();
    roff.control("SH", ["DESCRIPTION"]).text([roman(description(command))]);
    roff.to_writer(&mut page).expect("writing to memory");
    man.render_options_section(&mut page).expect("writing to memory");
    let mut roff = Roff::new();
    roff.control("SH", ["EXAMPLES"]);
    for (example, meaning) in examples(command) {
        entry(&mut roff, [bold(example)], vec![roman(meaning)]);
    }
    roff.control("SH", ["EXIT STATUS"]);
    entry(&mut roff, [bold("0")], vec![roman("Success.")]);
    for kind in EXIT_CODES {
        entry(&mut roff, [bold(kind.exit_code().to_string())], inline(meaning(kind)));
    }
    roff.control("PP", []).text(inline(AFTER_EXIT_CODES));
    render(&mut roff, &ENVIRONMENT);
    end(page, roff, name)
}

/// Returns the man page of the configuration file.
pub(super) fn config_page() -> String {
    let about = "configuration file of M365-Auth";
    let page = begin(&head(Command::new("m365auth-config").about(about), "5"));
    let mut roff = Roff::new();
    for section in [&CONFIGURATION, &KEYS, &PROFILES, &NOTIFICATIONS] {
        render(&mut roff, section);
    }
    end(page, roff, "m365auth-config")
}

fn head(command: Command, section: &str) -> Man {
    let title = command.get_name().to_uppercase();
    // Without the quotes, an empty date is omitted, and the next argument becomes the date.
    Man::new(command).title(title).section(section).date("\"\"").source("M365-Auth").manual("M365-Auth")
}

/// Begins a page with title and name. Lines are not justified or hyphenated, so that commands can be copied.
fn begin(man: &Man) -> Vec<u8> {
    let mut page = Vec::new();
    man.render_title(&mut page).expect("writing to memory");
    Roff::new().control("ad", ["l"]).control("nh", []).to_writer(&mut page).expect("writing to memory");
    man.render_name_section(&mut page).expect("writing to memory");
    page
}

/// Ends a page with the sections that all pages have, and cleans up what clap_mangen wrote.
fn end(mut page: Vec<u8>, mut roff: Roff, name: &str) -> String {
    render(&mut roff, &FILES);
    let all = ["get-token(1)", "refresh-token(1)", "get-refresh-token(1)", "m365auth-config(5)"];
    let others: Vec<&str> = all.into_iter().filter(|other| !other.starts_with(&format!("{name}("))).collect();
    roff.control("SH", ["SEE ALSO"]).text([roman(others.join(", "))]);
    roff.to_writer(&mut page).expect("writing to memory");
    let page = String::from_utf8(page).expect("UTF-8");
    // clap_mangen begins each part with the same definition.
    let definition = Roff::new().render();
    let page = definition.clone() + &page.replace(&definition, "");
    // clap's texts contain commands between backticks.
    let page: Vec<String> = page
        .split('`')
        .enumerate()
        .map(|(index, part)| if index % 2 == 1 { format!("\\fB{part}\\fR") } else { part.to_owned() })
        .collect();
    page.concat().lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

fn render(roff: &mut Roff, section: &Section) {
    roff.control("SH", [section.title.to_uppercase().as_str()]);
    for block in section.blocks {
        match block {
            Block::Text(text) => _ = roff.control("PP", []).text(inline(text)),
            Block::Code(code) => {
                roff.control("PP", []).control("RS", ["4"]).control("EX", []);
                roff.text([roman(code.trim_end())]).control("EE", []).control("RE", []);
            }
            Block::List(entries) => {
                for (term, meaning) in *entries {
                    entry(roff, inline(term), inline(meaning));
                }
            }
        }
    }
}

fn entry(roff: &mut Roff, term: impl Into<Vec<Inline>>, meaning: Vec<Inline>) {
    roff.control("TP", []).text(term).text(meaning);
}

/// Returns a text with its code in bold and with the files that its links name.
fn inline(text: &str) -> Vec<Inline> {
    let parts = without_links(text);
    let parts = parts.split('`').enumerate();
    parts.map(|(index, part)| if index % 2 == 1 { bold(part) } else { roman(part.replace('*', "")) }).collect()
}

/// Replaces `[text](file#heading)` with `text (file)`.
fn without_links(text: &str) -> String {
    let mut parts = text.split('[');
    let start = parts.next().unwrap_or_default().to_owned();
    parts.fold(start, |result, part| match part.split_once("](") {
        Some((label, rest)) => {
            let (target, rest) = rest.split_once(')').expect("the end of a link");
            let file = target.split('#').next().unwrap_or_default();
            format!("{result}{label} ({file}){rest}")
        }
        None => format!("{result}[{part}"),
    })
}
