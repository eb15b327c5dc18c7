//! What a refusal means, and what to do next.

use reqwest::StatusCode;
use serde::Deserialize;

use crate::error::{Error, ErrorKind};
use crate::foreign::printable;

/// Comes as `invalid_grant`, and yet the token is not dead: too many requests in a short time (MSAL.PS issue 10).
const THROTTLED: u32 = 50196;

/// Microsoft's error response (RFC 6749, 5.2, and Microsoft's additions), fit to be shown.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Refusal {
    /// The code that decides, such as `invalid_grant`.
    pub error: String,
    /// Microsoft's refinement of it, such as `basic_action`.
    pub suberror: Option<String>,
    /// The first sentence or two of the description, for a person.
    pub description: String,
    /// The number of the AADSTS code. It chooses the advice.
    pub code: Option<u32>,
    /// For Microsoft's support.
    pub trace_id: Option<String>,
    /// For Microsoft's support.
    pub correlation_id: Option<String>,
    /// For Microsoft's support.
    pub timestamp: Option<String>,
}

/// Each field may be missing, and those that we do not know may be there.
#[derive(Deserialize)]
struct Body {
    error: String,
    suberror: Option<String>,
    #[serde(default)]
    error_description: String,
    #[serde(default)]
    error_codes: Vec<u32>,
    trace_id: Option<String>,
    correlation_id: Option<String>,
    timestamp: Option<String>,
}

impl Refusal {
    /// The refusal that a body holds, if it holds one.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let body: Body = serde_json::from_slice(body).ok()?;
        let described = Self::described(&body.error, &body.error_description);
        let shown = |text: Option<String>| text.map(|text| printable(&text)).filter(|text| !text.is_empty());
        Some(Self {
            suberror: shown(body.suberror),
            code: body.error_codes.first().copied().or(described.code),
            trace_id: shown(body.trace_id),
            correlation_id: shown(body.correlation_id),
            timestamp: shown(body.timestamp),
            ..described
        })
    }

    /// The refusal that the browser brings back in the redirect (RFC 6749, 4.1.2.1): two parameters.
    pub(crate) fn described(error: &str, description: &str) -> Self {
        // The description ends with the ids, each on a line of its own; they have fields of their own here.
        let sentence = description.split("Trace ID:").next().unwrap_or_default();
        Self {
            error: printable(error),
            suberror: None,
            description: printable(sentence),
            code: aadsts_code(description),
            trace_id: None,
            correlation_id: None,
            timestamp: None,
        }
    }

    /// Whether the refresh token itself was refused, so that another copy of it may still do.
    pub(crate) fn token_is_refused(&self) -> bool {
        self.error == "invalid_grant" && self.code != Some(THROTTLED)
    }

    pub(super) fn into_error(self, status: StatusCode) -> Error {
        let kind = self.kind(status);
        let hint = match kind {
            ErrorKind::SignIn => "run `get-token` to sign in again",
            ErrorKind::TryLater => "try again later; the stored token is still good",
            _ => "compare client_id, client_secret, tenant and redirect_uri with the app registration",
        };
        Error::new(kind, format!("Microsoft refused: {}", self.words())).hint(hint).because(self)
    }

    /// The refusal of a sign-in, as the browser brought it back.
    pub(crate) fn into_sign_in_error(self) -> Error {
        let message = match self.error.as_str() {
            "access_denied" => format!("the sign-in was declined: {}", self.words()),
            _ => format!("Microsoft refused the sign-in: {}", self.words()),
        };
        let kind = match self.kind(StatusCode::BAD_REQUEST) {
            ErrorKind::TryLater => ErrorKind::TryLater,
            ErrorKind::Configuration => ErrorKind::Configuration,
            _ => ErrorKind::SignIn,
        };
        Error::new(kind, message).hint("run `get-token` again to try once more").because(self)
    }

    /// What to do, by `error` alone: "programs should not depend on the codes" (Microsoft), but for the one that
    /// speaks of throttling.
    fn kind(&self, status: StatusCode) -> ErrorKind {
        if self.code == Some(THROTTLED) || status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
            return ErrorKind::TryLater;
        }
        match self.error.as_str() {
            "invalid_grant" | "interaction_required" | "login_required" | "consent_required" | "access_denied" => {
                ErrorKind::SignIn
            }
            "temporarily_unavailable" | "server_error" => ErrorKind::TryLater,
            _ => ErrorKind::Configuration,
        }
    }

    fn words(&self) -> &str {
        if self.description.is_empty() { &self.error } else { &self.description }
    }

    /// What Microsoft's support asks for, on one line.
    pub fn ids(&self) -> String {
        let code = self.code.map(|code| format!("AADSTS{code}"));
        let named = |name: &str, id: &Option<String>| id.as_ref().map(|id| format!("{name} {id}"));
        let parts =
            [code, named("trace", &self.trace_id), named("correlation", &self.correlation_id), self.timestamp.clone()];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

fn aadsts_code(description: &str) -> Option<u32> {
    let digits = description.split("AADSTS").nth(1)?;
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn microsofts_error_response_is_kept_and_fit_to_be_shown() {
        let body = br#"{"error":"invalid_grant","error_description":"AADSTS700082: The token has \u001b[31mexpired.\r\nTrace ID: t\r\nCorrelation ID: c","error_codes":[700082],"timestamp":"2026-01-02 03:04:05Z","trace_id":"t","correlation_id":"c","error_uri":"https://example.com"}"#;
        let refusal = Refusal::parse(body).expect("a refusal");
        assert_eq!(refusal.description, "AADSTS700082: The token has [31mexpired.");
        assert_eq!(refusal.ids(), "AADSTS700082, trace t, correlation c, 2026-01-02 03:04:05Z");
        assert!(refusal.token_is_refused());
    }

    #[test]
    fn throttling_is_no_dead_token_though_it_comes_as_invalid_grant() {
        let refusal = Refusal::described("invalid_grant", "AADSTS50196: The server terminated an operation");
        assert!(!refusal.token_is_refused());
        assert_eq!(refusal.into_error(StatusCode::BAD_REQUEST).kind(), ErrorKind::TryLater);
    }

    #[test]
    fn an_unknown_error_and_missing_fields_are_refusals_too() {
        let refusal = Refusal::parse(br#"{"error":"something_new"}"#).expect("a refusal");
        assert_eq!(refusal.into_error(StatusCode::BAD_REQUEST).to_string(), "Microsoft refused: something_new");
        assert!(Refusal::parse(b"<html>").is_none());
        assert!(Refusal::parse(br#"{"access_token":"a"}"#).is_none());
    }
}
