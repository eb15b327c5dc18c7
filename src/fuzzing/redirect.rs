//! The target `redirect`: the redirect URL that a browser requests or a user pastes.

use axum::http::{StatusCode, Uri};

use super::{assert_explained, configuration};
use crate::entra::{Flow, refusal};
use crate::error::{ErrorKind, Refusal};
use crate::sign_in::redirect::{Redirect, RedirectError, parse, parse_pasted};

/// The `state` in the seeds.
const STATE: &str = "ourState42";

/// Values that are similar to [`STATE`].
const OTHER_STATES: &[&str] = &["", "ourState4", "ourState42x", "ourstate42"];
/// The start of a pasted URL.
const ORIGIN: &str = "https://localhost:7598/";

/// Checks that no pasted text and no query is accepted without our `state`, and that what surrounds a URL is ignored.
pub fn redirect(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let pasted = parse_pasted(&text, STATE);
    // Other text may contain the redirects of several sign-ins.
    let has_one_query = !text.trim_start_matches(ORIGIN).contains(['"', '\'', '<', '>', ':']);
    assert_explained_or_ours(&text, &pasted, if has_one_query { OTHER_STATES } else { &[] }, parse_pasted);
    let (start, end) = text.split_at(text.find(['=', '&']).unwrap_or_default());
    for same in [
        format!(" {start}\r\n  {end}\n"),
        format!("\u{feff}{start}\u{200b}{end}"),
        format!("\"{text}\""),
        format!("<{text}>"),
        format!("curl '{text}' --compressed"),
    ] {
        assert_eq!(parse_pasted(&same, STATE), pasted, "{same:?}");
    }

    // The listener parses the request target as a URI and passes on its query.
    let Ok(uri) = format!("/?{text}").parse::<Uri>() else { return };
    let query = uri.query().unwrap_or_default();
    let requested = parse(query, STATE);
    assert_explained_or_ours(query, &requested, OTHER_STATES, parse);
    assert!(
        !matches!(requested, Err(RedirectError::Incomplete | RedirectError::NotRedirect | RedirectError::SignInUrl)),
        "these errors are for pasted text only"
    );
    // Microsoft and the browser escape all other characters of a query.
    let url = format!("{ORIGIN}?{query}");
    if query.chars().all(|c| c.is_ascii_alphanumeric() || "-_~*%+&=".contains(c)) && parse_pasted(&url, STATE).is_ok() {
        for pasted in [format!("{url} {url}"), url.replace('&', "&amp;"), url] {
            assert_eq!(parse_pasted(&pasted, STATE), requested, "a pasted URL gives the same result as its request");
        }
    }
}

type Parse = fn(&str, &str) -> Result<Redirect, RedirectError>;

/// Asserts that an error is explained, that a code is not empty and a refusal can be shown, and that neither is
/// returned for another `state`.
fn assert_explained_or_ours(text: &str, parsed: &Result<Redirect, RedirectError>, other_states: &[&str], parse: Parse) {
    match parsed {
        Err(error) => assert!(!error.explanation().is_empty() && !error.advice().is_empty()),
        Ok(redirect) => {
            for other in other_states {
                assert!(matches!(parse(text, other), Err(RedirectError::OtherSignIn | RedirectError::Incomplete)));
            }
            match redirect {
                Redirect::Code(code) => assert!(!code.is_empty()),
                Redirect::Refused { error, description } => {
                    let refusal = Refusal::from_redirect(error, description);
                    let (profile, flow) = (configuration::profile(), Flow::AuthorizationCode);
                    let error = refusal::into_error(refusal, StatusCode::BAD_REQUEST, profile, flow);
                    assert_explained(&error, &[ErrorKind::SignIn, ErrorKind::TryLater, ErrorKind::Configuration]);
                }
            }
        }
    }
}
