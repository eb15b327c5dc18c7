//! The redirect URL (RFC 6749, 4.1.2), which the browser requests from the listener or the user pastes.

/// The contents of a redirect URL.
#[cfg_attr(any(test, fuzzing), derive(Debug, PartialEq, Eq))] // no Debug in the commands: a code must not be logged
pub(crate) enum Redirect {
    Code(String),
    Refused { error: String, description: String },
}

/// Why a text is not a redirect URL of this sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RedirectError {
    /// `state` belongs to another sign-in, or the browser's request does not contain it.
    OtherSignIn,
    /// The pasted URL has no `state`, or only the beginning of ours: its end is missing.
    Incomplete,
    /// `state` is ours, but there is neither a code nor an error.
    NoCode,
    /// The pasted text is not a redirect URL.
    NotRedirect,
    /// The pasted URL is the one at which the user signs in.
    SignInUrl,
}

const COPY_FULL_URL: &str = "after signing in, paste the full URL from the address bar (it contains code= and state=)";

impl RedirectError {
    /// Says what is wrong with the pasted text.
    pub(crate) fn explanation(self) -> &'static str {
        match self {
            Self::OtherSignIn => "the pasted URL belongs to another sign-in",
            Self::Incomplete => "the pasted URL is incomplete",
            Self::NoCode => "the pasted URL contains no authorization code",
            Self::NotRedirect => "the pasted text is not a redirect URL",
            Self::SignInUrl => "the pasted URL is the sign-in URL",
        }
    }

    /// Says what to do about it, as an imperative.
    pub(crate) fn advice(self) -> &'static str {
        match self {
            Self::OtherSignIn => "sign in at the URL that get-token shows now, then paste the URL from the address bar",
            Self::Incomplete | Self::NoCode | Self::NotRedirect => COPY_FULL_URL,
            Self::SignInUrl => "open the sign-in URL in a browser, sign in, then paste the URL from the address bar",
        }
    }
}

/// Parses the query of a redirect URL. The checks run in this order: state, error, code.
pub(crate) fn parse(query: &str, state: &str) -> Result<Redirect, RedirectError> {
    let parameter = |name| parameter(query, name);
    if parameter("state").as_deref() != Some(state) {
        return Err(RedirectError::OtherSignIn);
    }
    match (parameter("error"), parameter("code")) {
        (Some(error), _) => {
            Ok(Redirect::Refused { error, description: parameter("error_description").unwrap_or_default() })
        }
        (None, Some(code)) if !code.is_empty() => Ok(Redirect::Code(code)),
        (None, _) => Err(RedirectError::NoCode),
    }
}

fn parameter(query: &str, name: &str) -> Option<String> {
    url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// Parses a pasted redirect URL, or its query alone. Removes white space and line ends, which terminals and mail programs
/// insert.
pub(crate) fn parse_pasted(text: &str, state: &str) -> Result<Redirect, RedirectError> {
    let text: String = text.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect();
    if text.contains("/oauth2/v2.0/authorize?") {
        return Err(RedirectError::SignInUrl);
    }
    let query = match text.split_once('?') {
        Some((_, query)) => query,
        None => &text,
    };
    let query = query.split('#').next().unwrap_or_default();
    if !["code=", "error="].iter().any(|name| query.contains(name)) {
        return Err(RedirectError::NotRedirect);
    }
    match parse(query, state) {
        // The listener must not make this distinction: it would let other programs guess `state` one character at a time.
        Err(RedirectError::OtherSignIn) if parameter(query, "state").is_none_or(|start| state.starts_with(&start)) => {
            Err(RedirectError::Incomplete)
        }
        parsed => parsed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_its_query_and_a_url_with_line_breaks_are_equivalent() {
        for text in [
            "https://localhost:7598/?code=abc&state=xyz&session_state=1",
            "?code=abc&state=xyz",
            "code=abc&state=xyz",
            "  https://localhost:7598/?co\r\n  de=a\n bc&state=x yz#  \n",
        ] {
            assert_eq!(parse_pasted(text, "xyz"), Ok(Redirect::Code("abc".to_owned())), "{text}");
        }
    }

    #[test]
    fn every_other_text_is_explained() {
        for (text, error) in [
            ("", RedirectError::NotRedirect),
            ("hello", RedirectError::NotRedirect),
            ("https://localhost:7598/", RedirectError::NotRedirect),
            ("https://localhost:7598/?code=abc", RedirectError::Incomplete),
            ("https://localhost:7598/?code=abc&state=xy", RedirectError::Incomplete),
            ("https://localhost:7598/?code=abc&state=other", RedirectError::OtherSignIn),
            ("https://localhost:7598/?code=&state=xyz", RedirectError::NoCode),
            (
                "https://login.microsoftonline.com/common/oauth2/v2.0/authorize?response_type=code&state=xyz",
                RedirectError::SignInUrl,
            ),
        ] {
            assert_eq!(parse_pasted(text, "xyz"), Err(error), "{text}");
        }
    }
}
