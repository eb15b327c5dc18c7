//! Writes and compares the files that `--generate` prints, and the documents with the same text.

use std::path::Path;

use clap::{Command, CommandFactory as _, ValueHint};
use clap_complete::Shell;
use snapbox::{Data, assert_data_eq};

use super::{man, markdown};
use crate::cli::{get_refresh_token, get_token, refresh_token};
use crate::entra::codes_page;

/// Returns path and content of each generated file.
fn files() -> Vec<(String, String)> {
    let commands =
        [get_token::Arguments::command(), refresh_token::Arguments::command(), get_refresh_token::Arguments::command()]
            .map(|mut command| {
                command.build(); // adds --help and --version
                command
            });
    let mut files = vec![
        ("docs/aadsts.md".to_owned(), codes_page::page()),
        ("docs/commands.md".to_owned(), markdown::commands_page(&commands)),
        ("docs/configuration.md".to_owned(), markdown::configuration_page()),
        ("packaging/share/man/man5/m365auth-config.5".to_owned(), man::config_page()),
    ];
    for command in commands {
        let name = command.get_name().to_owned();
        let mut add = |path: String, text| files.push((format!("packaging/share/{path}"), text));
        add(format!("man/man1/{name}.1"), man::command_page(&command));
        for (shell, path) in [
            (Shell::Bash, format!("bash-completion/completions/{name}")),
            (Shell::Elvish, format!("elvish/lib/{name}.elv")),
            (Shell::Fish, format!("fish/vendor_completions.d/{name}.fish")),
            (Shell::PowerShell, format!("powershell/{name}.ps1")),
            (Shell::Zsh, format!("zsh/site-functions/_{name}")),
        ] {
            add(path, completions(&command, shell));
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

/// `SNAPSHOTS=overwrite cargo test --lib generate` writes the files.
#[test]
fn the_generated_files_are_up_to_date() {
    for (path, text) in files() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        assert_data_eq!(Data::text(text).raw(), Data::read_from(&file, Some(snapbox::data::DataFormat::Text)).raw());
    }
}
