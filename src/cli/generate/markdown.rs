//! `docs/commands.md` and `docs/configuration.md`: the text of the man pages.

use std::collections::BTreeSet;

use clap::{Arg, ArgAction, Command};

use super::sections::{
    AFTER_EXIT_CODES, Block, CONFIGURATION, ENVIRONMENT, EXIT_CODES, FILES, KEYS, NOTIFICATIONS, PROFILES, Section,
    meaning,
};
use super::{description, examples};

/// Returns the page of the commands: arguments, exit codes and environment.
pub(super) fn commands_page(commands: &[Command]) -> String {
    let mut page = "# Commands\n\nThe man pages contain the same text: `man get-token`.\n".to_owned();
    let shared = flags_of_all(commands);
    for command in commands {
        page += &format!("\n## {}\n\n{}\n\n", command.get_name(), description(command));
        for argument in command.get_arguments().filter(|argument| !shared.contains(argument.get_id().as_str())) {
            page += &flag(argument);
        }
        page += "\n```sh\n";
        for (example, meaning) in examples(command) {
            page += &format!("{example}  # {meaning}\n");
        }
        page += "```\n";
    }
    page += "\n## Flags of all commands\n\n";
    for argument in commands[0].get_arguments().filter(|argument| shared.contains(argument.get_id().as_str())) {
        page += &flag(argument);
    }
    page += "\n## Exit status\n\n- 0: Success.\n";
    for kind in EXIT_CODES {
        page += &format!("- {}: {}\n", kind.exit_code(), meaning(kind));
    }
    page + &format!("\n{AFTER_EXIT_CODES}\n") + &section(&ENVIRONMENT)
}

/// Returns the page of the configuration file.
pub(super) fn configuration_page() -> String {
    let mut page = "# Configuration\n".to_owned();
    for block in CONFIGURATION.blocks {
        page += &markdown(block);
    }
    page + &[&KEYS, &PROFILES, &NOTIFICATIONS, &FILES].map(section).concat()
}

/// Returns the IDs of the arguments that all commands have with the same text.
fn flags_of_all(commands: &[Command]) -> BTreeSet<String> {
    let flags = |command: &Command| {
        let arguments = command.get_arguments().filter(|argument| argument.get_id() != "profile");
        arguments.map(|argument| argument.get_id().to_string()).collect::<BTreeSet<_>>()
    };
    let sets = commands.iter().map(flags);
    sets.reduce(|left, right| left.intersection(&right).cloned().collect()).unwrap_or_default()
}

fn flag(argument: &Arg) -> String {
    if matches!(
        argument.get_action(),
        ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version
    ) {
        return String::new(); // as in every program
    }
    let short = argument.get_short().map(|short| format!("`-{short}`, ")).unwrap_or_default();
    let value = argument.get_value_names().map(|names| format!(" {}", names.join(" "))).unwrap_or_default();
    let value = if argument.get_action().takes_values() { value } else { String::new() };
    let default = argument.get_default_values().first().filter(|_| argument.get_action().takes_values());
    let default = default.map(|default| format!(" Default: {}.", default.to_string_lossy())).unwrap_or_default();
    let text = argument.get_long_help().or(argument.get_help()).map(ToString::to_string).unwrap_or_default();
    let text = text.replace("\n\n", ". ");
    let text = if text.ends_with('.') { text } else { text + "." };
    let long = argument.get_long().unwrap_or_default();
    format!("- {short}`--{long}{value}`: {text}{default}\n")
}

fn section(section: &Section) -> String {
    format!("\n## {}\n", section.title) + &section.blocks.iter().map(markdown).collect::<String>()
}

fn markdown(block: &Block) -> String {
    let text = match block {
        Block::Text(text) => format!("\n{text}\n"),
        Block::Code(code) => format!("\n```toml\n{code}```\n"),
        Block::List(entries) => {
            format!("\n{}", entries.iter().map(|(term, meaning)| format!("- {term}: {meaning}\n")).collect::<String>())
        }
    };
    text.replace("](docs/", "](")
}
