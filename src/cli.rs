//! The commands: arguments, words, exit codes. The only room that prints.

mod check;
mod first_run;
mod generate;
pub mod get_refresh_token;
pub mod get_token;
pub(crate) mod python_config;
pub mod refresh_token;
mod sign_in_hook;
mod sign_out;
mod status;
pub(crate) mod stderr;
mod stdout;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind as ClapErrorKind;
use clap::{Args, Parser};

use crate::config::{Config, ProfileName};
use crate::error::{ErrorKind, Result};
use crate::paths::{Paths, ensure_expanded};
use crate::private_fs;
use crate::signals;
use stdout::Stdout;

/// What all three commands take.
#[derive(Args)]
struct Common {
    /// Read this configuration file (else the one that M365AUTH_CONFIG names)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Say what is done, never a secret
    #[arg(short, long)]
    verbose: bool,
    /// Print a man page (man, man-config), or completions (complete-bash, -elvish, -fish, -powershell, -zsh)
    #[arg(long, value_name = "KIND", hide_possible_values = true)]
    generate: Option<generate::GenerateMode>,
}

/// For a command that serves one profile.
#[derive(Args)]
struct ProfileArgument {
    /// What the token is for: a profile of the configuration
    #[arg(short, long, value_name = "NAME", default_value = "mail")]
    profile: ProfileName,
}

/// `main` of every command: reads the arguments, runs, and says what went wrong.
fn main<Arguments: Parser>(
    generated: &generate::Generated,
    common: impl FnOnce(&Arguments) -> &Common,
    run: impl FnOnce(Arguments) -> Result<()>,
) -> ExitCode {
    stderr::hide_panics();
    forbid_memory_access();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    let common = common(&arguments);
    stderr::log(common.verbose);
    let done = match common.generate {
        Some(kind) => Stdout::default().print(generated.of(kind).trim_end()),
        None => {
            signals::enable();
            run(arguments)
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            stderr::print_error(&error);
            ExitCode::from(error.kind().exit_code())
        }
    }
}

/// No core dump holds our tokens, and no other program of this user can look into our memory (PR_SET_DUMPABLE(2const)).
fn forbid_memory_access() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

/// Help and version are answers; everything else is a wrong call.
fn usage(error: &clap::Error) -> ExitCode {
    _ = error.print();
    match error.kind() {
        ClapErrorKind::DisplayHelp | ClapErrorKind::DisplayVersion => ExitCode::SUCCESS,
        _ => ExitCode::from(ErrorKind::Usage.exit_code()),
    }
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
        let config = Config::load(&self.configuration_file()?).map_err(|error| match &self.config {
            Some(file) if !private_fs::exists(file) => {
                error.hint(format!("run `get-token --config '{}'`: it writes one to fill in", file.display()))
            }
            _ => error,
        })?;
        log::info!("configuration: {}", config.file().display());
        Ok(config)
    }
}
