//! The address that the browser comes back with (RFC 6749, 4.1.2), from the browser itself or from a person's clipboard.

/// What it says.
#[cfg_attr(any(test, fuzzing), derive(Debug, PartialEq, Eq))] // a code has no business in a message
pub(crate) enum Redirect {
    Code(String),
    Refused { error: String, description: String },
}

/// Why it is not ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RedirectError {
    /// `state` is another, or from the browser missing.
    OtherSignIn,
    /// Pasted, and `state` is missing or only begins like ours: what cuts an address off takes it before the code.
    CutOff,
    /// Ours, and it holds neither a code nor an error.
    NoCode,
    /// No such address at all.
    NoRedirect,
    /// The address to sign in at, not the one after it.
    SignInAddress,
}

impl RedirectError {
    /// For a person who pasted it.
    pub(crate) fn explanation(self) -> &'static str {
        match self {
            Self::OtherSignIn => "that address belongs to another sign-in: use the address that get-token shows now",
            Self::CutOff => "that address is cut off: copy the whole of it (it holds code= and state=)",
            Self::NoCode => "that address has no code in it: copy the whole of it",
            Self::NoRedirect => {
                "that is not the address: after the sign-in, copy the whole address from the browser's address bar \
                 (it holds code= and state=)"
            }
            Self::SignInAddress => {
                "that is the address to sign in at: open it in a browser, sign in, and copy the address that the \
                 browser then comes to"
            }
        }
    }
}

/// The order of the checks: state, error, code.
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

/// The whole address or its query. White space and line ends, which terminals and mail programs put in, are no part of
/// either.
pub(crate) fn parse_pasted(text: &str, state: &str) -> Result<Redirect, RedirectError> {
    let text: String = text.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect();
    if text.contains("/oauth2/v2.0/authorize?") {
        return Err(RedirectError::SignInAddress);
    }
    let query = match text.split_once('?') {
        Some((_, query)) => query,
        None => &text,
    };
    let query = query.split('#').next().unwrap_or_default();
    if !["code=", "error="].iter().any(|name| query.contains(name)) {
        return Err(RedirectError::NoRedirect);
    }
    match parse(query, state) {
        // Only to the person who pasted: another program could find `state` so, letter by letter.
        Err(RedirectError::OtherSignIn) if parameter(query, "state").is_none_or(|begun| state.starts_with(&begun)) => {
            Err(RedirectError::CutOff)
        }
        parsed => parsed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_its_query_and_one_broken_into_lines_are_the_same() {
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
    fn anything_else_is_explained() {
        for (text, error) in [
            ("", RedirectError::NoRedirect),
            ("hello", RedirectError::NoRedirect),
            ("https://localhost:7598/", RedirectError::NoRedirect),
            ("https://localhost:7598/?code=abc", RedirectError::CutOff),
            ("https://localhost:7598/?code=abc&state=xy", RedirectError::CutOff),
            ("https://localhost:7598/?code=abc&state=other", RedirectError::OtherSignIn),
            ("https://localhost:7598/?code=&state=xyz", RedirectError::NoCode),
            (
                "https://login.microsoftonline.com/common/oauth2/v2.0/authorize?response_type=code&state=xyz",
                RedirectError::SignInAddress,
            ),
        ] {
            assert_eq!(parse_pasted(text, "xyz"), Err(error), "{text}");
        }
    }
}
