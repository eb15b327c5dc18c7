//! The target `redirect`: the redirect URL that a browser requests or a person pastes.

use axum::http::{StatusCode, Uri};

use super::{assert_explained, configuration};
use crate::entra::refusal;
use crate::error::{ErrorKind, Refusal};
use crate::sign_in::redirect::{Redirect, RedirectError, parse, parse_pasted};

/// The `state` that the seeds have.
const STATE: &str = "ourState42";

/// The pasted address, and the query of the callback.
pub fn redirect(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let pasted = parse_pasted(&text, STATE);
    assert_ours(&text, &pasted, parse_pasted);
    let (start, end) = text.split_at(text.find(['=', '&']).unwrap_or_default());
    let in_lines = format!(" {start}\r\n  {end}\n");
    assert_eq!(parse_pasted(&in_lines, STATE), pasted, "the terminal's line ends are no part of it");

    // The server hands on what is a URI, and of it the query.
    let Ok(uri) = format!("/?{text}").parse::<Uri>() else { return };
    let query = uri.query().unwrap_or_default();
    let came = parse(query, STATE);
    assert_ours(query, &came, parse);
    assert!(
        !matches!(came, Err(RedirectError::CutOff | RedirectError::NoRedirect | RedirectError::SignInAddress)),
        "a person's mistakes"
    );
    if query.chars().all(|c| c.is_ascii_graphic())
        && let Ok(pasted) = parse_pasted(&format!("https://localhost:7598/?{query}"), STATE)
    {
        assert_eq!(Ok(pasted), came, "the browser would have said the same");
    }
}

type Parse = fn(&str, &str) -> Result<Redirect, RedirectError>;

/// Nothing is taken without our `state`; what is taken is a code, or a refusal that can be shown.
fn assert_ours(text: &str, parsed: &Result<Redirect, RedirectError>, parse: Parse) {
    match parsed {
        Err(error) => assert!(!error.explanation().is_empty()),
        Ok(redirect) => {
            for other in ["", "ourState4", "ourState42x", "ourstate42"] {
                assert!(matches!(parse(text, other), Err(RedirectError::OtherSignIn | RedirectError::CutOff)));
            }
            match redirect {
                Redirect::Code(code) => assert!(!code.is_empty()),
                Redirect::Refused { error, description } => {
                    let refusal = Refusal::from_redirect(error, description);
                    let error = refusal::into_error(refusal, StatusCode::BAD_REQUEST, configuration::profile());
                    assert_explained(&error, &[ErrorKind::SignIn, ErrorKind::TryLater, ErrorKind::Configuration]);
                }
            }
        }
    }
}
