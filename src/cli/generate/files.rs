//! Generates the files that `--generate` prints, and tests that they are up to date and that README and `--help` agree.

use std::collections::BTreeSet;
use std::path::Path;

use clap::{Command, CommandFactory as _, ValueHint};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::markdown;
use crate::cli::{get_refresh_token, get_token, refresh_token};

fn commands() -> [Command; 3] {
    [get_token::Arguments::command(), refresh_token::Arguments::command(), get_refresh_token::Arguments::command()]
}

/// Returns path and content of each file in `packaging/share`. A package installs them in `/usr/share`.
fn files() -> Vec<(String, String)> {
    let mut files = vec![("man/man5/m365auth-config.5".to_owned(), config_page())];
    for command in commands() {
        let name = command.get_name().to_owned();
        files.push((format!("man/man1/{name}.1"), page(&command)));
        for (shell, path) in [
            (Shell::Bash, format!("bash-completion/completions/{name}")),
            (Shell::Elvish, format!("elvish/lib/{name}.elv")),
            (Shell::Fish, format!("fish/vendor_completions.d/{name}.fish")),
            (Shell::PowerShell, format!("powershell/{name}.ps1")),
            (Shell::Zsh, format!("zsh/site-functions/_{name}")),
        ] {
            files.push((path, completions(&command, shell)));
        }
    }
    files
}

fn completions(command: &Command, shell: Shell) -> String {
    // A shell can complete files and fixed values only.
    let mut command = command.clone().mut_args(|argument| {
        let open = argument.get_value_hint() == ValueHint::Unknown && argument.get_possible_values().is_empty();
        if open { argument.value_hint(ValueHint::Other) } else { argument }
    });
    let mut text = Vec::new();
    let name = command.get_name().to_owned();
    clap_complete::generate(shell, &mut command, name, &mut text);
    String::from_utf8(text).expect("UTF-8")
}

/// Returns a command's man page: arguments and texts from clap, the rest from the README.
fn page(command: &Command) -> String {
    let name = command.get_name();
    let usage = format!("{name} [OPTIONS]"); // as in --help; clap_mangen omits the value names
    let command = command.clone().override_usage(usage);
    let description = command.get_long_about().expect("each command has one").to_string();
    let examples = command.get_after_long_help().expect("each command has some").to_string();
    let man = head(command.clone(), "1");
    let mut page = begin(&man);
    man.render_synopsis_section(&mut page).expect("writing to memory");
    let mut roff = Roff::new();
    roff.control("SH", ["DESCRIPTION"]).text([roman(description.split_once("\n\n").expect("a summary first").1)]);
    roff.to_writer(&mut page).expect("writing to memory");
    man.render_options_section(&mut page).expect("writing to memory");
    let mut roff = Roff::new();
    roff.control("SH", ["EXAMPLES"]);
    for line in examples.lines().skip(1) {
        match line.strip_prefix("      ") {
            Some(words) => roff.text([roman(words)]),
            None => roff.control("TP", []).text([bold(line.trim())]),
        };
    }
    roff.control("SH", ["EXIT STATUS"]);
    markdown::render(&mut roff, markdown::exit_codes());
    roff.control("SH", ["ENVIRONMENT"]).control("TP", []).text([bold("M365AUTH_CONFIG")]);
    roff.text([roman("The configuration file, unless --config is given")]).control("PP", []);
    markdown::render(&mut roff, markdown::section("Proxies and company certificates"));
    end(page, roff, name)
}

fn config_page() -> String {
    let about = "configuration file of M365-Auth";
    let page = begin(&head(Command::new("m365auth-config").about(about), "5"));
    let mut roff = Roff::new();
    roff.control("SH", ["DESCRIPTION"]);
    markdown::render(&mut roff, markdown::section("Configuration"));
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
    roff.control("SH", ["FILES"]);
    markdown::render(&mut roff, markdown::section("Where things are"));
    let all = ["get-token(1)", "refresh-token(1)", "get-refresh-token(1)", "m365auth-config(5)"];
    let others: Vec<&str> = all.into_iter().filter(|other| !other.starts_with(&format!("{name}("))).collect();
    roff.control("SH", ["SEE ALSO"]).text([roman(others.join(", "))]);
    roff.to_writer(&mut page).expect("writing to memory");
    let page = String::from_utf8(page).expect("UTF-8");
    // clap_mangen begins each part with the same definition.
    let definition = Roff::new().render();
    let page = definition.clone() + &page.replace(&definition, "");
    // Commands between backticks become bold.
    let page: Vec<String> = page
        .split('`')
        .enumerate()
        .map(|(index, part)| if index % 2 == 1 { format!("\\fB{part}\\fR") } else { part.to_owned() })
        .collect();
    page.concat().lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

#[test]
fn the_generated_files_are_up_to_date() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/share");
    for (path, text) in files() {
        let file = folder.join(path);
        if std::env::var_os("M365AUTH_GENERATE").is_some() {
            std::fs::create_dir_all(file.parent().expect("a folder")).expect("making it");
            std::fs::write(&file, &text).expect("writing");
        }
        let written = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(
            written == text,
            "{} is out of date: run `M365AUTH_GENERATE=1 cargo test --lib generate`",
            file.display()
        );
    }
}

#[test]
fn the_readme_names_the_flags_that_each_command_has() {
    for command in commands() {
        let name = command.get_name().to_owned();
        let mut command = command;
        command.build();
        let flags = command.get_arguments().filter_map(|argument| argument.get_long()).map(|long| format!("--{long}"));
        assert_eq!(markdown::flags(&name), flags.collect::<BTreeSet<_>>(), "{name}");
    }
}

#[test]
fn the_readme_names_each_exit_code_once() {
    let rows =
        markdown::exit_codes().lines().filter_map(|line| line.strip_prefix("| ")?.split(' ').next()?.parse().ok());
    let kinds = include_str!("../../error.rs")
        .lines()
        .filter_map(|line| line.split_once(" = ")?.1.strip_suffix(',')?.parse().ok());
    let kinds: Vec<u8> = [0].into_iter().chain(kinds).collect();
    assert!(kinds.len() > 5, "{kinds:?}");
    assert_eq!(rows.collect::<Vec<u8>>(), kinds);
}
