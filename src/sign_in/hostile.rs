//! What holds for every address that a person pastes or a browser brings.

use axum::http::{StatusCode, Uri};
use oauth2::RedirectUrl;

use super::port::with_port;
use super::redirect::{Misfit, Redirect, parse, parse_pasted};
use crate::config;
use crate::entra::{described, refused};
use crate::error::ErrorKind;
use crate::hostile::must_be_explained;

/// The `state` that the seeds have.
const STATE: &str = "ourState42";

/// The pasted address, and the query of the callback.
pub fn redirect(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let pasted = parse_pasted(&text, STATE);
    must_be_ours(&text, &pasted, parse_pasted);
    let (start, end) = text.split_at(text.find(['=', '&']).unwrap_or_default());
    let in_lines = format!(" {start}\r\n  {end}\n");
    assert_eq!(parse_pasted(&in_lines, STATE), pasted, "the terminal's line ends are no part of it");

    // The server hands on what is a URI, and of it the query.
    let Ok(uri) = format!("/?{text}").parse::<Uri>() else { return };
    let query = uri.query().unwrap_or_default();
    let came = parse(query, STATE);
    must_be_ours(query, &came, parse);
    assert!(!matches!(came, Err(Misfit::CutOff | Misfit::NoRedirect | Misfit::SignInAddress)), "a person's mistakes");
    if query.chars().all(|c| c.is_ascii_graphic())
        && let Ok(pasted) = parse_pasted(&format!("https://localhost:7598/?{query}"), STATE)
    {
        assert_eq!(Ok(pasted), came, "the browser would have said the same");
    }
}

type Parse = fn(&str, &str) -> Result<Redirect, Misfit>;

/// Nothing is taken without our `state`; what is taken is a code, or a refusal that can be shown.
fn must_be_ours(text: &str, parsed: &Result<Redirect, Misfit>, parse: Parse) {
    match parsed {
        Err(misfit) => assert!(!misfit.explained().is_empty()),
        Ok(redirect) => {
            for other in ["", "ourState4", "ourState42x", "ourstate42"] {
                assert!(matches!(parse(text, other), Err(Misfit::OtherSignIn | Misfit::CutOff)));
            }
            match redirect {
                Redirect::Code(code) => assert!(!code.is_empty()),
                Redirect::Refused { error, description } => {
                    let refusal = described(error, description);
                    let error = refused(refusal, StatusCode::BAD_REQUEST, config::hostile::profile());
                    must_be_explained(&error, &[ErrorKind::SignIn, ErrorKind::TryLater, ErrorKind::Configuration]);
                }
            }
        }
    }
}

/// The browser can be sent there and comes back: the address is plain, and takes a port that is free.
pub(crate) fn must_lead_back(redirect_uri: &RedirectUrl) {
    assert!(redirect_uri.as_str().chars().all(|c| c.is_ascii_graphic()), "{redirect_uri:?}");
    let before = redirect_uri.url();
    if before.scheme() == "http" && before.port().is_none() {
        let with_port = with_port(redirect_uri.as_str(), 50_000);
        let after = with_port.url();
        assert_eq!((after.host_str(), after.port(), after.path()), (before.host_str(), Some(50_000), before.path()));
    }
}
