//! The target `python_config`: the Python tool's `config.py`.

use super::configuration::{CLIENT_ID, parse};
use crate::cli::python_config::PythonConfig;
use crate::config::ProfileName;

/// The Python original's `config.py`: whatever it says, the lines that we make of it are a configuration of the same.
pub fn python_config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let python = PythonConfig::parse(text);
    for value in [&python.client_id, &python.client_secret, &python.authority, &python.redirect_uri] {
        assert!(value.len() <= text.len());
    }
    let lines = python.lines_of_other_profiles();
    let config = parse(&format!("client_id = \"{CLIENT_ID}\"\n{lines}")).expect("our lines are TOML");
    for (name, scopes) in &python.profiles {
        let Ok(name) = name.parse::<ProfileName>() else { continue };
        // Scopes that are none are refused, by name and line, when they are used.
        let Ok(profile) = config.profile(&name) else { continue };
        let ours: Vec<&str> = profile.scopes.iter().map(|scope| scope.as_str()).collect();
        assert!(scopes.iter().all(|scope| ours.contains(&scope.as_str())), "{name}: {scopes:?}, not {ours:?}");
    }
}
