//! The target `configuration`: the text of `config.toml`.

use std::path::Path;
use std::sync::LazyLock;

use oauth2::RedirectUrl;

use super::{assert_explained, assert_not_leaked, assert_one_plain_line};
use crate::config::{ALWAYS_REQUESTED, Config, Profile, ProfileName};
use crate::error::{Error, ErrorKind};
use crate::sanitize::is_well_formed_token;
use crate::sign_in::port::with_port;

/// A client ID. The id_tokens of the seeds have it as their audience.
pub(super) const CLIENT_ID: &str = "9e5f94bc-e8a4-4e73-b8be-63364c29d753";
/// The client secret in the seeds.
const SECRET: &str = "hunter2";

/// Returns an ordinary profile, for other targets.
pub(super) fn profile() -> &'static Profile {
    static PROFILE: LazyLock<Profile> = LazyLock::new(|| {
        let config = parse(&format!("client_id = \"{CLIENT_ID}\"")).expect("a configuration");
        config.profile(&"mail".parse().expect("a name")).expect("a profile")
    });
    &PROFILE
}

pub(super) fn parse(text: &str) -> Result<Config, Error> {
    Config::parse(Path::new("config.toml"), text.to_owned())
}

/// Checks that a configuration that is accepted can be used, and that an error names the line.
pub fn configuration(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let config = match parse(text) {
        Ok(config) => config,
        Err(error) => return assert_names_line(&error, text),
    };
    for name in config.profile_names().into_iter().take(4) {
        let name: ProfileName = name.parse().expect("a name that was accepted");
        let file = Path::new("cache").join(format!("refresh_token_{name}"));
        assert_eq!(
            (file.parent(), file.components().count()),
            (Some(Path::new("cache")), 2),
            "the file is in the folder of the cache"
        );
        match config.profile(&name) {
            Ok(profile) => assert_usable(&profile, text),
            Err(error) => assert_names_line(&error, text),
        }
    }
}

fn assert_names_line(error: &Error, text: &str) {
    assert_explained(error, &[ErrorKind::Configuration]);
    let message = error.to_string();
    let place = message.strip_prefix("config.toml:").expect("the error starts with the file");
    let line = place.split_once(": ").and_then(|(line, _)| line.parse().ok());
    match line {
        Some(line) => assert!((1..=text.matches('\n').count() + 1).contains(&line), "{message}"),
        None => assert!(place.starts_with(" client_id is missing for profile "), "{message}"),
    }
    if secret_has_lines_of_its_own(text) {
        assert_not_leaked(error, SECRET);
    }
}

fn assert_usable(profile: &Profile, text: &str) {
    assert!(is_well_formed_token(profile.client_id.as_str()));
    let authority = profile.authority.to_string();
    assert_eq!(authority.parse().as_ref(), Ok(&profile.authority));
    let token = profile.authority.endpoint("oauth2/v2.0/token");
    assert_eq!(token.as_str(), format!("{authority}oauth2/v2.0/token"));
    assert!(token.scheme() == "https" && token.username().is_empty() && token.password().is_none(), "{token}");
    assert_usable_redirect_uri(&profile.redirect_uri);
    for server in [&profile.imap_server, &profile.smtp_server, &profile.graph_server] {
        assert!(is_well_formed_token(&server.host));
        assert_one_plain_line(&server.to_string());
    }
    let scopes: Vec<&str> = profile.scopes.iter().map(|scope| scope.as_str()).collect();
    assert!(ALWAYS_REQUESTED.iter().all(|always| scopes.contains(always)));
    assert!(!scopes.iter().any(|scope| scope.is_empty() || scope.contains(char::is_whitespace)), "{scopes:?}");
    assert!((1..=600).contains(&profile.network_timeout.as_secs()));
    if secret_has_lines_of_its_own(text) {
        assert!(!format!("{profile:?}").contains(SECRET));
    }
}

/// Whether the secret occurs only as the value of `client_secret`, and not in a text of several lines.
fn secret_has_lines_of_its_own(text: &str) -> bool {
    let mut lines = text.lines().filter(|line| line.contains(SECRET));
    !text.contains("\"\"\"") && !text.contains("'''") && lines.all(|line| line.starts_with("client_secret = "))
}

/// Checks that the browser can return to the URI: it is plain ASCII, and its port can be replaced by a free one.
fn assert_usable_redirect_uri(redirect_uri: &RedirectUrl) {
    assert!(redirect_uri.as_str().chars().all(|c| c.is_ascii_graphic()), "{redirect_uri:?}");
    let before = redirect_uri.url();
    if before.scheme() == "http" && before.port().is_none() {
        let with_port = with_port(redirect_uri.as_str(), 50_000);
        let after = with_port.url();
        assert_eq!((after.host_str(), after.port(), after.path()), (before.host_str(), Some(50_000), before.path()));
    }
}
