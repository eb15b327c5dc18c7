//! `--generate`: man pages and shell completions, for packages and for a person who installs the commands.
//!
//! A test writes them to `packaging/share` from the commands' arguments and the hand-written sections. Generating them
//! at run time would make `refresh-token` 166 KiB larger (`clap_complete`, `clap_mangen`); the generated files add 20 KiB.

#[cfg(test)]
mod files;
#[cfg(test)]
mod man;
#[cfg(test)]
mod markdown;
#[cfg(test)]
mod sections;

use clap::ValueEnum;

/// Which file to print.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum GenerateMode {
    Man,
    ManConfig,
    CompleteBash,
    CompleteElvish,
    CompleteFish,
    CompletePowershell,
    CompleteZsh,
}

/// The generated files of one command.
pub(super) struct Generated {
    pub(super) man: &'static str,
    pub(super) bash: &'static str,
    pub(super) elvish: &'static str,
    pub(super) fish: &'static str,
    pub(super) powershell: &'static str,
    pub(super) zsh: &'static str,
}

impl Generated {
    /// Returns the text to print.
    pub(super) fn text(&self, kind: GenerateMode) -> &'static str {
        match kind {
            GenerateMode::Man => self.man,
            GenerateMode::ManConfig => include_str!("../../packaging/share/man/man5/m365auth-config.5"),
            GenerateMode::CompleteBash => self.bash,
            GenerateMode::CompleteElvish => self.elvish,
            GenerateMode::CompleteFish => self.fish,
            GenerateMode::CompletePowershell => self.powershell,
            GenerateMode::CompleteZsh => self.zsh,
        }
    }
}

/// Includes the generated files of the command with this name.
macro_rules! generated {
    ($name:literal) => {
        $crate::cli::generate::Generated {
            man: include_str!(concat!("../../packaging/share/man/man1/", $name, ".1")),
            bash: include_str!(concat!("../../packaging/share/bash-completion/completions/", $name)),
            elvish: include_str!(concat!("../../packaging/share/elvish/lib/", $name, ".elv")),
            fish: include_str!(concat!("../../packaging/share/fish/vendor_completions.d/", $name, ".fish")),
            powershell: include_str!(concat!("../../packaging/share/powershell/", $name, ".ps1")),
            zsh: include_str!(concat!("../../packaging/share/zsh/site-functions/_", $name)),
        }
    };
}
pub(super) use generated;

/// Returns the description of a command, which follows its summary.
#[cfg(test)]
fn description(command: &clap::Command) -> String {
    let about = command.get_long_about().expect("each command has one").to_string();
    about.split_once("\n\n").expect("a summary first").1.to_owned()
}

/// Returns the examples of a command with their meaning.
#[cfg(test)]
fn examples(command: &clap::Command) -> Vec<(String, String)> {
    let text = command.get_after_long_help().expect("each command has some").to_string();
    let lines: Vec<&str> = text.lines().skip(1).map(str::trim).collect();
    lines.chunks(2).map(|pair| (pair[0].to_owned(), pair[1].to_owned())).collect()
}
