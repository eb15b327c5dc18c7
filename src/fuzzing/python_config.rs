//! The target `python_config`: the Python tool's `config.py`.

use super::configuration::{CLIENT_ID, parse};
use crate::cli::python_config::PythonConfig;
use crate::config::ProfileName;

/// Checks that the lines made from any `config.py` are a valid configuration with the same profiles.
pub fn python_config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let python = PythonConfig::parse(text);
    for value in [&python.client_id, &python.client_secret, &python.authority, &python.redirect_uri] {
        assert!(value.len() <= text.len());
    }
    let lines = python.lines_of_other_profiles();
    let config = parse(&format!("client_id = \"{CLIENT_ID}\"\n{lines}")).expect("the lines are valid TOML");
    for (name, scopes) in &python.profiles {
        let Ok(name) = name.parse::<ProfileName>() else { continue };
        // Scopes that are not valid are reported, with name and line, when the profile is used.
        let Ok(profile) = config.profile(&name) else { continue };
        let ours: Vec<&str> = profile.scopes.iter().map(|scope| scope.as_str()).collect();
        assert!(scopes.iter().all(|scope| ours.contains(&scope.as_str())), "{name}: {scopes:?}, not {ours:?}");
    }
}
