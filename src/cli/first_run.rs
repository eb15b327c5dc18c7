//! The first run: asks a person for what must be known, or writes a configuration to fill in.

use std::io::IsTerminal as _;
use std::path::Path;

use super::python_config::PythonConfig;
use super::stderr::{print, prompt, prompt_hidden};
use crate::config::{self, Authority, CLIENT_ID_FORM, Cloud, is_client_id, redirect_uri};
use crate::error::{Error, ErrorKind, Result};
use crate::private_fs;

/// What the person answered.
#[derive(Default)]
struct Answers {
    client_id: String,
    client_secret: String,
    tenant: String,
    authority: String,
    redirect_uri: String,
}

/// Writes the configuration. Ok where the person was asked, so that the sign-in can go on.
pub(super) fn run(file: &Path) -> Result<()> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        write(file, config::EXAMPLE)?;
        return Err(Error::new(
            ErrorKind::Configuration,
            "there was no configuration yet; now there is one to fill in",
        )
        .hint(format!(
            "put your client ID into {}, as client_id = \"…\", then run the same command again; \
             the README's \"Quick start\" says how to get one",
            file.display()
        )));
    }
    print(&format!("There is no configuration yet. A few questions, and then it is in {}.\n", file.display()));
    let python = PythonConfig::beside(file);
    if python.is_some() {
        print("The Python tool's config.py lies beside it; what it says is offered in brackets.\n");
    }
    let python = python.unwrap_or_default();
    let answers = prompt_for_answers(&python).ok_or_else(|| {
        Error::new(ErrorKind::Configuration, "the questions were not answered, and nothing was written")
            .hint("run the same command again; the README's \"Quick start\" says how to get a client ID")
    })?;
    let mut text = answers.configuration();
    let others = python.lines_of_other_profiles();
    if !others.is_empty() {
        text.push_str(&format!("\n# The profiles of config.py\n\n{others}"));
    }
    write(file, &text)?;
    print(&format!("\nWritten to {}. You can change it there at any time.\n", file.display()));
    if !others.is_empty() {
        print("The profiles of config.py are in it.\n");
    }
    let left_out = python.unusable_names().join(", ");
    if !left_out.is_empty() {
        print(&format!("These profiles of config.py are left out, for a name here has other characters: {left_out}\n"));
    }
    if !python.client_id.is_empty() {
        print("You need not sign in if you did with the Python tool: press Ctrl-C, and run `get-token --check`.\n");
    }
    Ok(())
}

/// None where the input ends.
fn prompt_for_answers(python: &PythonConfig) -> Option<Answers> {
    let mut answers = Answers::default();
    print(
        "The client ID says which application asks for your mail. You get it by registering an app at Microsoft, or from \
         your IT department (README, \"Quick start\").",
    );
    answers.client_id = prompt_until_valid("Client ID", &python.client_id, |id| match is_client_id(id) {
        true => Ok(()),
        false => Err(format!("That is no client ID, {CLIENT_ID_FORM}.")),
    })?;
    print(
        "\nA client secret exists only for a registration of the kind \"Web\". It is not shown while you type. Press Enter \
         if there is none.",
    );
    let offered = if python.client_secret.is_empty() { "" } else { " [the one of config.py]" };
    answers.client_secret = prompt_hidden(&format!("Client secret{offered}"))?;
    if answers.client_secret.is_empty() {
        answers.client_secret.clone_from(&python.client_secret);
    }
    if python.authority.is_empty() {
        print(
            "\nThe tenant is your organisation at Microsoft: its ID or its domain. \"common\" is good for most \
             registrations.",
        );
        answers.tenant =
            prompt_until_valid("Tenant", "common", |tenant| Authority::of_tenant(Cloud::Global, tenant).map(drop))?;
    } else {
        print("\nThe authority is the address of your organisation at Microsoft.");
        answers.authority =
            prompt_until_valid("Authority", &python.authority, |authority| authority.parse::<Authority>().map(drop))?;
    }
    if !python.redirect_uri.is_empty() {
        print("\nThe redirect address is where your browser comes back to, as the app registration has it.");
        answers.redirect_uri =
            prompt_until_valid("Redirect address", &python.redirect_uri, |address| redirect_uri(address).map(drop))?;
    }
    Some(answers)
}

/// Asks until the answer has its form.
fn prompt_until_valid(question: &str, offered: &str, check: impl Fn(&str) -> Result<(), String>) -> Option<String> {
    loop {
        let text = prompt(question, offered)?;
        match check(&text) {
            Ok(()) => return Some(text),
            Err(why) => print(&why),
        }
    }
}

fn write(file: &Path, text: &str) -> Result<()> {
    private_fs::write(file, text.as_bytes()).map_err(|error| {
        Error::new(ErrorKind::Storage, format!("cannot write {}: {error}", file.display()))
            .hint("name another file with --config")
    })
}

impl Answers {
    /// The example, with the answers in their places.
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
    fn the_answers_stand_in_the_example_and_make_a_configuration() {
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
