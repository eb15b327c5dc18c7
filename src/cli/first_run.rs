//! The first run: asks for the values of a new configuration, or writes a configuration to fill in.

use std::io::IsTerminal as _;
use std::path::Path;

use super::python_config::PythonConfig;
use super::stderr::{print, prompt, prompt_hidden};
use crate::config::{self, Authority, Cloud, client_id, redirect_uri};
use crate::error::{Error, ErrorKind, Result};
use crate::private_fs;

/// The answers to the questions.
#[derive(Default)]
struct Answers {
    client_id: String,
    client_secret: String,
    tenant: String,
    authority: String,
    redirect_uri: String,
}

/// Writes the configuration. Returns an error unless the questions were answered, because the sign-in needs the answers.
pub(super) fn run(file: &Path) -> Result<()> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        write(file, config::EXAMPLE)?;
        let message = format!("client_id is missing: {} is new and has no client ID yet", file.display());
        return Err(Error::new(ErrorKind::Configuration, message).hint(format!(
            "in {}, set client_id to the Application (client) ID of your app registration, then run the same command \
             again; \"Quick start\" in the README says how to get one",
            file.display()
        )));
    }
    print(&format!(
        "There is no configuration yet. A few questions follow; the answers are saved in {}.\n",
        file.display()
    ));
    let python = PythonConfig::beside(file);
    if python.is_some() {
        print("Found the Python tool's config.py in the same folder. Its values are offered in brackets.\n");
    }
    let python = python.unwrap_or_default();
    let answers = prompt_for_answers(&python).ok_or_else(|| {
        Error::new(ErrorKind::Configuration, "the questions were not answered; no configuration was written")
            .hint("run the same command again; \"Quick start\" in the README says how to get a client ID")
    })?;
    let mut text = answers.configuration();
    let others = python.lines_of_other_profiles();
    if !others.is_empty() {
        text.push_str(&format!("\n# Profiles from config.py\n\n{others}"));
    }
    write(file, &text)?;
    print(&format!("\nSaved to {}. You can edit this file at any time.\n", file.display()));
    if !others.is_empty() {
        print("It also contains the profiles of config.py.\n");
    }
    let not_copied = python.unusable_names().join(", ");
    if !not_copied.is_empty() {
        print(&format!(
            "These profiles of config.py were not copied, because their names are not valid: {not_copied}\n"
        ));
    }
    if !python.client_id.is_empty() {
        print(
            "If you have signed in with the Python tool, you need not sign in again: press Ctrl-C and run `get-token --check`.\n",
        );
    }
    Ok(())
}

/// Returns None at the end of the input.
fn prompt_for_answers(python: &PythonConfig) -> Option<Answers> {
    let mut answers = Answers::default();
    print(
        "The client ID identifies the application that requests the tokens. You get it by registering an app with \
         Microsoft, or from your IT department (see \"Quick start\" in the README).",
    );
    answers.client_id = prompt_until_valid("Client ID", &python.client_id, |id| client_id(id).map(drop))?;
    print(
        "\nOnly an app registration of the type \"Web\" has a client secret. It is not shown while you type. Press Enter if \
         there is none.",
    );
    let offered = if python.client_secret.is_empty() { "" } else { " [from config.py]" };
    answers.client_secret = prompt_hidden(&format!("Client secret{offered}"))?;
    if answers.client_secret.is_empty() {
        answers.client_secret.clone_from(&python.client_secret);
    }
    if python.authority.is_empty() {
        print(
            "\nThe tenant is your organisation at Microsoft: its ID or its domain. \"common\" works for most registrations.",
        );
        answers.tenant =
            prompt_until_valid("Tenant", "common", |tenant| Authority::of_tenant(Cloud::Global, tenant).map(drop))?;
    } else {
        print("\nThe authority is the URL of your organisation's sign-in at Microsoft.");
        answers.authority =
            prompt_until_valid("Authority", &python.authority, |authority| Authority::parse(authority).map(drop))?;
    }
    if !python.redirect_uri.is_empty() {
        print(
            "\nThe redirect URI is the URL to which Microsoft redirects the browser after the sign-in. It must be registered for the app.",
        );
        answers.redirect_uri =
            prompt_until_valid("Redirect URI", &python.redirect_uri, |uri| redirect_uri(uri).map(drop))?;
    }
    Some(answers)
}

/// Asks until the answer is valid.
fn prompt_until_valid(
    question: &str,
    offered: &str,
    check: impl Fn(&str) -> Result<(), &'static str>,
) -> Option<String> {
    loop {
        let text = prompt(question, offered)?;
        match check(&text) {
            Ok(()) => return Some(text),
            Err(must) => print(&format!("\"{text}\" is not valid: it must {must}.")),
        }
    }
}

fn write(file: &Path, text: &str) -> Result<()> {
    private_fs::write(file, text.as_bytes()).map_err(|error| {
        Error::new(ErrorKind::Storage, format!("cannot write {}: {error}", file.display()))
            .hint("choose another file with --config FILE")
    })
}

impl Answers {
    /// Returns the example configuration with the answers filled in.
    fn configuration(&self) -> String {
        let values = [
            ("client_id", &self.client_id),
            ("client_secret", &self.client_secret),
            ("tenant", &self.tenant),
            ("authority", &self.authority),
            ("redirect_uri", &self.redirect_uri),
        ];
        let line = |line: &str| {
            let key = line.trim_start_matches("# ").split(" = ").next().unwrap_or_default();
            match values.iter().find(|(name, value)| *name == key && !value.is_empty() && line.contains(" = ")) {
                Some((name, value)) => format!("{name} = {}\n", toml::Value::String((*value).clone())),
                None => format!("{line}\n"),
            }
        };
        config::EXAMPLE.lines().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_with_the_answers_is_a_valid_configuration() {
        let answers = Answers {
            client_id: "9e5f94bc-e8a4-4e73-b8be-63364c29d753".to_owned(),
            client_secret: "a \"quoted\" secret".to_owned(),
            tenant: "example.com".to_owned(),
            ..Answers::default()
        };
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("config.toml");
        write(&file, &answers.configuration()).expect("writing");
        let config = crate::config::Config::load(&file).expect("a configuration");
        let profile = config.profile(&"mail".parse().expect("a name")).expect("complete");
        assert_eq!(profile.authority.to_string(), "https://login.microsoftonline.com/example.com/");
        assert_eq!(profile.client_secret.expect("a secret").secret(), "a \"quoted\" secret");
    }
}
