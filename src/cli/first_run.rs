//! The first run: imports the Python tool's configuration, asks for the values of a new one, or writes one to fill in.

use std::path::Path;

use super::python_config::PythonConfig;
use super::questions::{self, Answers};
use super::stderr::{can_ask, print};
use crate::config;
use crate::error::{Error, ErrorKind, Result};
use crate::private_fs;

/// How the configuration was made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum FirstRun {
    /// From the Python tool's `config.py`. The sign-in of that tool may still be valid.
    Imported,
    /// From the answers to the questions.
    Asked,
}

/// Writes the configuration. Fails if there is neither a `config.py` with a client ID nor a terminal to ask for one,
/// because the sign-in needs it.
pub(super) fn run(file: &Path) -> Result<FirstRun> {
    let python = PythonConfig::beside(file);
    let is_found = python.is_some();
    let python = python.unwrap_or_default();
    let answers = Answers::of(&python);
    if answers.has("client_id") {
        write_configuration(file, &answers, &python)?;
        print(&format!("Imported the Python tool's config.py to {}.", file.display()));
        return Ok(FirstRun::Imported);
    }
    if !can_ask() {
        return Err(write_example(file));
    }
    print(&format!(
        "A few questions set up the sign-in. Press Enter to accept the answer in brackets.\nThe answers are saved in {}.\n",
        file.display()
    ));
    if is_found {
        print("The Python tool's config.py in the same folder has no valid client ID. Its other values are used.\n");
    }
    let answers = questions::of_new_configuration(file, answers).ok_or_else(unanswered)?;
    write_configuration(file, &answers, &python)?;
    print(&format!("\nSaved in {}. You can edit this file at any time.\n", file.display()));
    Ok(FirstRun::Asked)
}

/// Returns the error for questions that were not answered.
pub(super) fn unanswered() -> Error {
    Error::new(ErrorKind::Configuration, "the questions were not answered; the configuration is unchanged")
        .hint("run the same command again; docs/register-an-application.md says how to get a client ID")
}

/// Writes the answers and the profiles of `config.py`.
fn write_configuration(file: &Path, answers: &Answers, python: &PythonConfig) -> Result<()> {
    let mut text = filled_in(answers);
    let others = python.lines_of_other_profiles();
    if !others.is_empty() {
        text.push_str(&format!("\n# Profiles from config.py\n\n{others}"));
    }
    write(file, &text)?;
    let not_copied = python.unusable_names().join(", ");
    if !not_copied.is_empty() {
        print(&format!("These profiles were not copied, because their names are not valid: {not_copied}"));
    }
    Ok(())
}

/// Writes the example. Returns the error that says what to fill in.
fn write_example(file: &Path) -> Error {
    if let Err(error) = write(file, config::EXAMPLE) {
        return error;
    }
    let message = format!("client_id is missing: {} is new and has no client ID yet", file.display());
    Error::new(ErrorKind::Configuration, message).hint(format!(
        "in {}, set client_id to the Application (client) ID of your app registration, then run the same command \
         again; docs/register-an-application.md says how to get one",
        file.display()
    ))
}

pub(super) fn write(file: &Path, text: &str) -> Result<()> {
    private_fs::write(file, text.as_bytes()).map_err(|error| {
        Error::new(ErrorKind::Storage, format!("cannot write {}: {error}", file.display()))
            .hint("choose another file with --config FILE")
    })
}

/// Returns the example configuration with the answers filled in.
fn filled_in(answers: &Answers) -> String {
    let line = |line: &str| {
        let key = line.trim_start_matches("# ").split(" = ").next().filter(|_| line.contains(" = "));
        let answer = answers.lines().find(|(name, _)| Some(*name) == key);
        answer.map_or_else(|| format!("{line}\n"), |(_, answer)| answer)
    };
    config::EXAMPLE.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Credential;

    #[test]
    fn the_example_with_the_answers_is_a_valid_configuration() {
        let python = PythonConfig::parse(
            "ClientId = '9e5f94bc-e8a4-4e73-b8be-63364c29d753'\nClientSecret = 'a \"quoted\" secret'\n\
             Authority = 'https://login.microsoftonline.com/example.com/'\n",
        );
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("config.toml");
        write(&file, &filled_in(&Answers::of(&python))).expect("writing");
        let config = crate::config::Config::load(&file).expect("a configuration");
        let profile = config.profile(&"mail".parse().expect("a name")).expect("complete");
        assert_eq!(profile.authority.to_string(), "https://login.microsoftonline.com/example.com/");
        let Some(Credential::Secret(secret)) = profile.credential else { panic!("{:?}", profile.credential) };
        assert_eq!(secret.secret(), "a \"quoted\" secret");
    }
}
