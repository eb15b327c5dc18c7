//! The three commands: arguments, output and exit codes. Nothing outside this module prints.

mod alarm;
mod as_cron;
mod check;
mod each;
mod first_run;
mod generate;
pub mod get_refresh_token;
pub mod get_token;
mod help;
mod imported;
mod new_profile;
#[cfg(all(target_os = "linux", feature = "keychain"))]
mod notification;
pub(crate) mod python_config;
mod questions;
pub mod refresh_token;
mod sign_in_flow;
mod sign_out;
mod status;
mod stderr;
mod stdout;
mod summary;
pub(crate) mod text;

use std::path::PathBuf;
use std::process::{ExitCode, Termination};

use clap::Args;

use crate::config::{Config, ProfileName, how_to_create};
use crate::config_flag;
use crate::entra::Account;
use crate::error::{ErrorKind, Result};
use crate::paths::{Paths, ensure_expanded};
use crate::private_fs;
use crate::signals;
use python_config::PythonConfig;
use stdout::Stdout;

/// The flags of all three commands.
#[derive(Args)]
struct Common {
    /// Configuration file to use
    ///
    /// The default is the file in the environment variable M365AUTH_CONFIG, or else config.toml in your configuration
    /// folder.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Verbose output; never shows secrets
    #[arg(short, long, overrides_with = "verbose")] // -vv means -v, as there is one level
    verbose: bool,
    /// Print a man page or shell completions
    ///
    /// KIND is man, man-config, complete-bash, complete-elvish, complete-fish, complete-powershell or complete-zsh.
    #[arg(long, value_name = "KIND", hide_possible_values = true)]
    generate: Option<generate::GenerateMode>,
}

/// The profile of a command line that does not name one.
const DEFAULT_PROFILE: &str = "mail";

/// The flag of a command that serves one profile.
#[derive(Args)]
struct ProfileArgument {
    /// Profile to use
    #[arg(short, long, value_name = "NAME", default_value = DEFAULT_PROFILE)]
    profile: ProfileName,
}

/// Runs a command: reads its arguments with `parse`, calls `run`, and prints the error.
fn main<Arguments, Done: Termination>(
    generated: &generate::Generated,
    parse: impl FnOnce() -> Result<Arguments, clap::Error>,
    common: impl FnOnce(&Arguments) -> &Common,
    run: impl FnOnce(Arguments) -> Result<Done>,
) -> ExitCode {
    stderr::hide_panics();
    forbid_memory_access();
    let arguments = match parse() {
        Ok(arguments) => arguments,
        Err(answer) => {
            help::print(&answer);
            // Help and version are errors to clap, with the exit code 0.
            return if answer.exit_code() == 0 { ExitCode::SUCCESS } else { ErrorKind::Usage.exit_code().into() };
        }
    };
    let common = common(&arguments);
    stderr::log(common.verbose);
    if let Some(file) = &common.config {
        config_flag::remember(file);
    }
    let done = match common.generate {
        Some(kind) => Stdout::default().print(generated.text(kind).trim_end()).map(Termination::report),
        None => {
            signals::enable();
            run(arguments).map(Termination::report)
        }
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            stderr::print_error(&error);
            ExitCode::from(error.kind().exit_code())
        }
    }
}

/// Disables core dumps, and prevents other programs of this user from reading our memory (PR_SET_DUMPABLE(2const)).
fn forbid_memory_access() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

/// Returns the account name to show. Microsoft does not always send it.
fn account_name(account: Option<&Account>) -> &str {
    account.map(|account| account.name.as_str()).filter(|name| !name.is_empty()).unwrap_or("an unknown account")
}

impl Common {
    fn configuration_file(&self) -> Result<PathBuf> {
        let file = match &self.config {
            Some(file) => file.clone(),
            None => Paths::from_environment()?.configuration_file(),
        };
        ensure_expanded(&file)?;
        Ok(file)
    }

    fn load_config(&self) -> Result<Config> {
        let file = self.configuration_file()?;
        let config = Config::load(&file).map_err(|error| match &self.config {
            None if !private_fs::exists(&file) && PythonConfig::beside(&file).is_some() => {
                error.hint("found the Python tool's config.py: run `get-token` once to import it; your sign-in is kept")
            }
            Some(file) if !private_fs::exists(file) => error.hint(how_to_create(file)),
            _ => error,
        })?;
        log::info!("configuration: {}", config.file().display());
        Ok(config)
    }
}
