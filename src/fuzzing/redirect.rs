//! The target `redirect`: the redirect URL that a browser requests or a user pastes.

use axum::http::{StatusCode, Uri};

use super::{assert_explained, configuration};
use crate::entra::{Flow, refusal};
use crate::error::{ErrorKind, Refusal};
use crate::sign_in::redirect::{Redirect, RedirectError, parse, parse_pasted};

/// The `state` in the seeds.
const STATE: &str = "ourState42";

/// Checks that no pasted text and no query is accepted without our `state`.
pub fn redirect(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let pasted = parse_pasted(&text, STATE);
    assert_needs_state(&text, &pasted, parse_pasted);
    let (start, end) = text.split_at(text.find(['=', '&']).unwrap_or_default());
    let in_lines = format!(" {start}\r\n  {end}\n");
    assert_eq!(parse_pasted(&in_lines, STATE), pasted, "white space is ignored");

    // The listener parses the request target as a URI and passes on its query.
    let Ok(uri) = format!("/?{text}").parse::<Uri>() else { return };
    let query = uri.query().unwrap_or_default();
    let requested = parse(query, STATE);
    assert_needs_state(query, &requested, parse);
    assert!(
        !matches!(requested, Err(RedirectError::Incomplete | RedirectError::NotRedirect | RedirectError::SignInUrl)),
        "these errors are for pasted text only"
    );
    if query.chars().all(|c| c.is_ascii_graphic())
        && let Ok(pasted) = parse_pasted(&format!("https://localhost:7598/?{query}"), STATE)
    {
        assert_eq!(Ok(pasted), requested, "a pasted URL gives the same result as its request");
    }
}

type Parse = fn(&str, &str) -> Result<Redirect, RedirectError>;

/// Asserts that the result depends on our `state`, and that it is a code or a refusal that can be shown.
fn assert_needs_state(text: &str, parsed: &Result<Redirect, RedirectError>, parse: Parse) {
    match parsed {
        Err(error) => assert!(!error.explanation().is_empty() && !error.advice().is_empty()),
        Ok(redirect) => {
            for other in ["", "ourState4", "ourState42x", "ourstate42"] {
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
