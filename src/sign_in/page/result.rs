//! The page with the result of a sign-in: a heading, a sentence, and the hint that the terminal shows too.

use super::{Mark, Page};
use crate::config::ProfileName;
use crate::config_flag;
use crate::entra::admin_consent;
use crate::error::{Cause, Error, ErrorKind, Result};
use crate::hint::{self, Part};
use crate::sanitize::escape_html;
use crate::session::Session;
use crate::sign_in::SignInOutcome;

impl Page {
    /// Returns the page with the result of a sign-in for the profiles of these sessions.
    pub(crate) fn of_result(sessions: &[Session], result: &Result<SignInOutcome>) -> Self {
        let profiles: Vec<&ProfileName> = sessions.iter().map(|session| &session.profile().name).collect();
        // The profiles share the client and the authority, so the page on which an administrator consents is the same
        // for all of them.
        let link = admin_consent(sessions[0].profile());
        let page = match result {
            Err(error) => Self::new(Mark::No, heading(error), failure(None, error, &link)),
            Ok(outcome) => of_outcome(profiles[0], outcome, &link),
        };
        page.with_profiles(&profiles)
    }
}

fn of_outcome(first: &ProfileName, outcome: &SignInOutcome, link: &str) -> Page {
    let others = outcome.others.iter().map(|(name, result)| (name, result));
    let results: Vec<_> = [(first, &outcome.first)].into_iter().chain(others).collect();
    let stored: Vec<_> = results.iter().filter_map(|(name, result)| Some((*name, result.as_ref().ok()?))).collect();
    let failures: Vec<_> = results.iter().filter_map(|(name, result)| Some((*name, result.as_ref().err()?))).collect();
    let mut content = String::new();
    if let Some((_, signed_in)) = stored.first() {
        let account = signed_in.access.account.as_ref().map_or("", |account| &account.name);
        content += &stored_sentence(account, &stored.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    }
    for (name, error) in &failures {
        content += &failure(Some(*name).filter(|_| results.len() > 1), error, link);
    }
    match failures.first() {
        None => {
            content += "<p>You can close this tab and return to the terminal.</p>";
            Page::new(Mark::Yes, "You are signed in", content)
        }
        Some(_) if !stored.is_empty() => Page::new(Mark::No, "You are signed in, but not for every profile", content),
        Some((_, error)) => Page::new(Mark::No, heading(error), content),
    }
}

/// Returns a heading that fits every error of this kind.
fn heading(error: &Error) -> &'static str {
    match error.kind() {
        _ if error.is_caused_by(Cause::WrongAccount) => "Wrong account",
        // Either Microsoft refused it, or the user declined.
        _ if error.refusal().is_some() => "Microsoft did not complete the sign-in",
        ErrorKind::Storage => "The token could not be stored",
        _ => "Sign-in failed",
    }
}

fn stored_sentence(account: &str, profiles: &[&ProfileName]) -> String {
    let account = match account {
        "" => "your account".to_owned(),
        name => format!("<strong>{}</strong>", escape_html(name)),
    };
    let profiles: Vec<String> =
        profiles.iter().map(|name| format!("<strong>{}</strong>", escape_html(name.as_str()))).collect();
    let noun = if profiles.len() == 1 { "profile" } else { "profiles" };
    format!("<p>The token of {account} is stored for the {noun} {}.</p>", profiles.join(", "))
}

/// Returns the error with its hint and with the IDs that Microsoft's support asks for, in the order of the terminal:
/// hints refer to the "reference below".
fn failure(profile: Option<&ProfileName>, error: &Error, link: &str) -> String {
    let message = match profile {
        Some(name) => format!("Profile \"{name}\": {error}"),
        None => error.to_string(),
    };
    let mut html = format!("<p>{}</p>", escape_html(&sentence(&message)));
    html += &match error.next_step().filter(|hint| !hint.is_empty()) {
        Some(hint) => format!("<p class=\"hint\">{}</p>", hint_html(&sentence(&config_flag::repeat(hint)), link)),
        None => "<p>Return to the terminal.</p>".to_owned(),
    };
    if let Some(ids) = error.refusal().map(|refusal| refusal.ids()).filter(|ids| !ids.is_empty()) {
        html += &format!("<p class=\"note\">Microsoft's reference: {}</p>", escape_html(&ids));
    }
    html
}

/// Returns the text with a capital letter and a full stop, except where a name or a URL would change.
fn sentence(text: &str) -> String {
    let first = text.split([' ', ',', ';', ':']).next().unwrap_or_default();
    let mut sentence = match first.chars().all(|c| c.is_ascii_lowercase()) {
        true => first.chars().take(1).map(|c| c.to_ascii_uppercase()).chain(text.chars().skip(1)).collect(),
        false => text.to_owned(),
    };
    let ends_with_url = text.split_whitespace().next_back().is_some_and(|word| word.contains("://"));
    if !ends_with_url && !sentence.trim_end_matches(['"', '\'', ')']).ends_with(['.', '!', '?', '…', ':']) {
        sentence.push('.');
    }
    sentence
}

/// Returns a hint as HTML, with commands as `<code>`. Only `link`, the one URL that a hint asks to open, becomes a
/// link: a hint may also contain the name of an account, and this name may look like a URL.
fn hint_html(hint: &str, link: &str) -> String {
    let anchor = format!("<a href=\"{0}\" rel=\"noreferrer\">{0}</a>", escape_html(link));
    let to_html = |text: &str| {
        let texts: Vec<String> = text.split(link).map(|text| escape_html(text).replace('\n', "<br>")).collect();
        texts.join(&anchor)
    };
    let parts = hint::parts(hint).into_iter().map(|part| match part {
        Part::Command(command) => format!("<code>{}</code>", to_html(command)),
        Part::Text(text) => to_html(text),
    });
    parts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: &str = "https://login.microsoftonline.com/organizations/adminconsent?client_id=1";

    #[test]
    fn a_hint_shows_commands_as_code_and_the_known_url_as_a_link() {
        let html = hint_html("run `get-token -p 'a b'` & see\nit ` once", LINK);
        assert_eq!(html, "run <code>get-token -p &#39;a b&#39;</code> &amp; see<br>it ` once");
        let link = format!("<a href=\"{LINK}\" rel=\"noreferrer\">{LINK}</a>");
        assert_eq!(hint_html(&format!("forward this:\n{LINK}"), LINK), format!("forward this:<br>{link}"));
    }

    #[test]
    fn no_other_url_in_a_hint_becomes_a_link() {
        for url in [
            "https://evil.example/",
            "https://login.microsoftonline.com/common/oauth2/v2.0/authorize?client_id=evil",
            "javascript:alert(1)",
            "\"><a href=\"https://evil.example/",
        ] {
            let html = hint_html(&format!("choose {url} or `{url}`"), LINK);
            assert!(!html.contains("<a ") && !html.contains("href=\""), "{html}");
        }
        // What follows the known URL is not part of the link.
        let html = hint_html(&format!("{LINK}&redirect_uri=https://evil.example/"), LINK);
        assert!(html.contains(&format!("href=\"{LINK}\"")) && html.contains("</a>&amp;redirect_uri="), "{html}");
    }

    #[test]
    fn a_message_becomes_a_sentence() {
        for (text, expected) in [
            ("the consent was declined (AADSTS65004)", "The consent was declined (AADSTS65004)."),
            ("it is blocked. Microsoft: \"No access.\"", "It is blocked. Microsoft: \"No access.\""),
            ("get-token failed", "get-token failed."),
            ("client_id is missing", "client_id is missing."),
            ("run `get-token`", "Run `get-token`."),
            ("forward this URL:\nhttps://localhost/", "Forward this URL:\nhttps://localhost/"),
            ("", "."),
        ] {
            assert_eq!(sentence(text), expected);
        }
    }
}
