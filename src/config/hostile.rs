//! What holds for every text that is called a configuration.

use std::path::Path;
use std::sync::LazyLock;

use super::{ALWAYS_ASKED_FOR, Config, Profile, ProfileName};
use crate::error::{Error, ErrorKind};
use crate::foreign::is_token;
use crate::hostile::{must_be_explained, must_be_one_plain_line, must_not_tell};
use crate::sign_in::hostile::must_lead_back;

/// Also the audience of the seeds' id_tokens.
pub(crate) const CLIENT_ID: &str = "9e5f94bc-e8a4-4e73-b8be-63364c29d753";
/// The client secret of the seeds.
const SECRET: &str = "hunter2";

/// An ordinary profile, for other borders.
pub(crate) fn profile() -> &'static Profile {
    static PROFILE: LazyLock<Profile> = LazyLock::new(|| {
        let config = parse(&format!("client_id = \"{CLIENT_ID}\"")).expect("a configuration");
        config.profile(&"mail".parse().expect("a name")).expect("a profile")
    });
    &PROFILE
}

pub(crate) fn parse(text: &str) -> Result<Config, Error> {
    Config::parse(Path::new("config.toml"), text.to_owned())
}

/// `config.toml`: whatever is accepted can be used, and whatever is not is named with its line.
pub fn configuration(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let config = match parse(text) {
        Ok(config) => config,
        Err(error) => return must_name_the_line(&error, text),
    };
    for name in config.profile_names().into_iter().take(4) {
        let name: ProfileName = name.parse().expect("a name that was accepted");
        let file = Path::new("cache").join(format!("refresh_token_{name}"));
        assert_eq!((file.parent(), file.components().count()), (Some(Path::new("cache")), 2), "it leads nowhere else");
        match config.profile(&name) {
            Ok(profile) => must_be_usable(&profile, text),
            Err(error) => must_name_the_line(&error, text),
        }
    }
}

fn must_name_the_line(error: &Error, text: &str) {
    must_be_explained(error, &[ErrorKind::Configuration]);
    let message = error.to_string();
    let place = message.strip_prefix("config.toml:").expect("the file comes first");
    let line = place.split_once(": ").and_then(|(line, _)| line.parse().ok());
    match line {
        Some(line) => assert!((1..=text.matches('\n').count() + 1).contains(&line), "{message}"),
        None => assert_eq!(place, " client_id is missing"),
    }
    if secret_is_in_its_place(text) {
        must_not_tell(error, SECRET);
    }
}

fn must_be_usable(profile: &Profile, text: &str) {
    assert!(is_token(profile.client_id.as_str()));
    let authority = profile.authority.to_string();
    assert_eq!(authority.parse().as_ref(), Ok(&profile.authority));
    let token = profile.authority.endpoint("oauth2/v2.0/token");
    assert_eq!(token.as_str(), format!("{authority}oauth2/v2.0/token"));
    assert!(token.scheme() == "https" && token.username().is_empty() && token.password().is_none(), "{token}");
    must_lead_back(&profile.redirect_uri);
    for server in [&profile.imap_server, &profile.smtp_server, &profile.graph_server] {
        assert!(is_token(&server.host));
        must_be_one_plain_line(&server.to_string());
    }
    let scopes: Vec<&str> = profile.scopes.iter().map(|scope| scope.as_str()).collect();
    assert!(ALWAYS_ASKED_FOR.iter().all(|always| scopes.contains(always)));
    assert!(!scopes.iter().any(|scope| scope.is_empty() || scope.contains(char::is_whitespace)), "{scopes:?}");
    assert!((1..=600).contains(&profile.network_timeout.as_secs()));
    if secret_is_in_its_place(text) {
        assert!(!format!("{profile:?}").contains(SECRET));
    }
}

/// It stands on lines of its own alone, and these are no part of a text of many lines.
fn secret_is_in_its_place(text: &str) -> bool {
    let mut lines = text.lines().filter(|line| line.contains(SECRET));
    !text.contains("\"\"\"") && !text.contains("'''") && lines.all(|line| line.starts_with("client_secret = "))
}
