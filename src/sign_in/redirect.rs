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

/// Returns whether the query has the parameter `state`, as the redirect of any sign-in has.
pub(super) fn has_state(query: &str) -> bool {
    parameter(query, "state").is_some()
}

fn parameter(query: &str, name: &str) -> Option<String> {
    url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// Characters that a browser escapes in a query (WHATWG URL, "special-query percent-encode set"). In a pasted text,
/// they surround a URL.
const DELIMITERS: [char; 4] = ['"', '\'', '<', '>'];
/// Characters that a browser does not escape, but that follow a URL in a sentence, in brackets or in Markdown.
const CLOSING: [char; 7] = [')', ']', '}', '`', '.', ',', ';'];

/// Parses a pasted redirect URL, or its query alone. The text may contain more than that, for example quotation marks,
/// a `curl` command or the same URL again. The first redirect of this sign-in counts.
pub(crate) fn parse_pasted(text: &str, state: &str) -> Result<Redirect, RedirectError> {
    let text = clean(text);
    let queries =
        text.split(DELIMITERS).map(query).filter(|query| ["code=", "error="].iter().any(|name| query.contains(name)));
    let redirects = queries.map(|query| parse_pasted_query(query, state));
    match redirects.reduce(|first, next| if first.is_err() && next.is_ok() { next } else { first }) {
        Some(redirect) => redirect,
        None if text.contains("/oauth2/v2.0/authorize?") => Err(RedirectError::SignInUrl),
        None => Err(RedirectError::NotRedirect),
    }
}

/// Removes what terminals, mail programs and shells insert: white space, line ends, zero-width characters, escapes of
/// `&`. Nothing is lost, because the URL in a browser's address bar contains ASCII only. A delimiter replaces each
/// scheme, so that two URLs without a space between them are two texts.
fn clean(text: &str) -> String {
    let text: String = text.chars().filter(|c| c.is_ascii_graphic() && !['\\', '^'].contains(c)).collect();
    text.replace("&amp;", "&").replace("https://", "\"").replace("http://", "\"")
}

/// Returns the query of a URL without a scheme. A text without a question mark is a query.
fn query(url: &str) -> &str {
    let query = url.split_once('?').map_or(url, |(_, query)| query);
    query.split('#').next().unwrap_or_default().trim_end_matches(CLOSING)
}

fn parse_pasted_query(query: &str, state: &str) -> Result<Redirect, RedirectError> {
    match parse(query, state) {
        // The listener must not make this distinction: it would let other programs guess `state` one character at a
        // time.
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
    fn text_around_a_url_is_ignored() {
        const URL: &str = "https://localhost:7598/?code=abc&state=xyz";
        for text in [
            format!("'{URL}'"),
            format!("“{URL}”"),
            format!("`{URL}`"),
            format!("<{URL}>"),
            format!("{URL}<{URL}>"),
            format!("[localhost]({URL})."),
            format!(
                "\u{feff}{}",
                URL.replace("code=", "co\u{200b}de\u{ad}=").replace("state", "\u{2060}st\u{200d}ate")
            ),
            format!("curl '{URL}' \\\n  -H 'referer: https://login.microsoftonline.com/' \\\n  --compressed"),
            format!("curl --url ^\"{}^\" ^\n  -H ^\"accept: */*^\"", URL.replace('&', "^&")),
            format!("{URL} {URL}"),
            format!("{URL}{URL}&session_state=1"),
            format!("https://localhost:7598/?code=abc {URL}"),
            format!("https://localhost:7598/?code=old&state=old {URL}"),
            format!("https://login.microsoftonline.com/common/oauth2/v2.0/authorize?state=xyz {URL}"),
            URL.replace('&', "&amp;"),
            URL.replace('&', "\\&").replace('?', "\\?").replace('=', "\\="),
        ] {
            assert_eq!(parse_pasted(&text, "xyz"), Ok(Redirect::Code("abc".to_owned())), "{text}");
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
