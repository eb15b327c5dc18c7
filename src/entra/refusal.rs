//! What a refusal means, and what to do next.

use reqwest::StatusCode;
use serde::Deserialize;

use super::aadsts::{self, NextStep};
use crate::config::Profile;
use crate::error::{Error, ErrorKind, Refusal};
use crate::sanitize::for_terminal;

/// Each field may be missing, and those that we do not know may be there.
#[derive(Deserialize)]
struct Body {
    error: String,
    suberror: Option<String>,
    error_description: Option<String>,
    #[serde(default)]
    error_codes: Vec<serde_json::Value>,
    trace_id: Option<String>,
    correlation_id: Option<String>,
    timestamp: Option<String>,
}

/// The refusal that a body holds, if it holds one.
pub(crate) fn parse(body: &[u8]) -> Option<Refusal> {
    let body: Body = serde_json::from_slice(body).ok()?;
    let described = Refusal::from_redirect(&body.error, body.error_description.as_deref().unwrap_or_default());
    let code = body.error_codes.first().and_then(serde_json::Value::as_u64).and_then(|code| u32::try_from(code).ok());
    let shown = |text: Option<String>| text.map(|text| for_terminal(&text)).filter(|text| !text.is_empty());
    Some(Refusal {
        suberror: shown(body.suberror),
        code: code.or(described.code),
        trace_id: shown(body.trace_id),
        correlation_id: shown(body.correlation_id),
        timestamp: shown(body.timestamp),
        ..described
    })
}

impl Refusal {
    /// The refusal in a redirect: the parameters `error` and `error_description` (RFC 6749, 4.1.2.1).
    pub(crate) fn from_redirect(error: &str, description: &str) -> Self {
        // The description ends with the IDs, each on a line of its own.
        let id = |name: &str| {
            let value = description.split(name).nth(1)?.split_whitespace().next()?;
            Some(for_terminal(value))
        };
        Self {
            error: for_terminal(error),
            description: for_terminal(description.split("Trace ID:").next().unwrap_or_default()),
            code: aadsts_code(description),
            trace_id: id("Trace ID:"),
            correlation_id: id("Correlation ID:"),
            ..Self::default()
        }
    }
}

/// Whether the refresh token itself was refused, so that another copy of it may still do.
pub(crate) fn token_is_refused(refusal: &Refusal) -> bool {
    refusal.error == "invalid_grant" && !is_transient(refusal)
}

/// The refusal as an error that says what to do. The status is that of the answer that held it.
pub(crate) fn into_error(refusal: Refusal, status: StatusCode, profile: &Profile) -> Error {
    let kind = kind(&refusal, status);
    let advice = refusal.code.and_then(aadsts::advice);
    let message = match advice {
        Some(advice) => advice.cause.to_owned(),
        None if refusal.error == "expired_token" => "The code has expired".to_owned(),
        None if refusal.error == "authorization_declined" => "The sign-in was declined".to_owned(),
        None => match [&refusal.description, &refusal.error].into_iter().find(|words| !words.is_empty()) {
            Some(words) => format!("Microsoft refused: {words}"),
            None => "Microsoft refused, and did not say why".to_owned(),
        },
    };
    log::info!("Microsoft's words: {}: {}", refusal.error, refusal.description);
    Error::new(kind, message).hint(hint(kind, advice.map(|advice| advice.next), profile)).with_refusal(refusal)
}

/// The next command to type. Where the kind says that waiting helps, no code says otherwise.
fn hint(kind: ErrorKind, next: Option<NextStep>, profile: &Profile) -> String {
    let name = &profile.name;
    let sign_in = format!("run `get-token --profile {name:#}` to sign in again");
    match next {
        _ if kind == ErrorKind::TryLater => "try again later; the stored token is still good".to_owned(),
        Some(NextStep::SignIn) => sign_in,
        Some(NextStep::Interact) => {
            format!("run `get-token --profile {name:#}`, and do in the browser what your organisation asks for")
        }
        Some(NextStep::Policy) => {
            "only your organisation's IT department can change that; show it the reference below".to_owned()
        }
        Some(NextStep::OtherAccount) => format!(
            "run `get-token --profile {name:#}` and choose another account, or set tenant in config.toml to that \
             account's own"
        ),
        Some(NextStep::Consent) => {
            format!("run `get-token --profile {name:#}` and accept what Microsoft asks you there")
        }
        Some(NextStep::AdministratorConsent) => {
            let address = profile.authority.admin_consent();
            format!("forward this address to an administrator:\n{address}?client_id={}", profile.client_id.as_str())
        }
        Some(NextStep::Fix(what)) => what.to_owned(),
        Some(NextStep::Later) | None if kind == ErrorKind::Configuration => {
            "compare client_id, client_secret, tenant and redirect_uri with the app registration".to_owned()
        }
        Some(NextStep::Later) | None => sign_in,
    }
}

/// What to do, by `error` and `suberror`; among the codes only the transient ones decide.
fn kind(refusal: &Refusal, status: StatusCode) -> ErrorKind {
    if is_transient(refusal) || status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
        return ErrorKind::TryLater;
    }
    match (refusal.error.as_str(), refusal.suberror.as_deref()) {
        // The token belongs to another client ID.
        ("invalid_grant", Some("client_mismatch")) => ErrorKind::Configuration,
        (
            "invalid_grant"
            | "interaction_required"
            | "login_required"
            | "consent_required"
            | "access_denied"
            | "authorization_declined"
            | "expired_token"
            | "bad_verification_code",
            _,
        ) => ErrorKind::SignIn,
        ("temporarily_unavailable" | "server_error", _) => ErrorKind::TryLater,
        _ => ErrorKind::Configuration,
    }
}

fn is_transient(refusal: &Refusal) -> bool {
    refusal.code.and_then(aadsts::advice).is_some_and(|advice| advice.next == NextStep::Later)
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
        let refusal = parse(body).expect("a refusal");
        assert_eq!(refusal.description, "AADSTS700082: The token has [31mexpired.");
        assert_eq!(refusal.ids(), "AADSTS700082, trace t, correlation c, 2026-01-02 03:04:05Z");
        assert!(token_is_refused(&refusal));
    }

    #[test]
    fn throttling_is_no_dead_token_though_it_comes_as_invalid_grant() {
        let refusal = Refusal::from_redirect("invalid_grant", "AADSTS50196: The server terminated an operation");
        assert!(!token_is_refused(&refusal));
        assert_eq!(kind(&refusal, StatusCode::BAD_REQUEST), ErrorKind::TryLater);
    }

    #[test]
    fn an_unknown_error_and_missing_fields_are_refusals_too() {
        let refusal = parse(br#"{"error":"something_new"}"#).expect("a refusal");
        assert_eq!(kind(&refusal, StatusCode::BAD_REQUEST), ErrorKind::Configuration);
        assert!(parse(br#"{"error":"invalid_grant","error_description":null,"error_codes":["x"]}"#).is_some());
        assert!(parse(b"<html>").is_none());
        assert!(parse(br#"{"access_token":"a"}"#).is_none());
    }

    #[test]
    fn the_redirects_description_has_the_ids_too() {
        let refusal =
            Refusal::from_redirect("access_denied", "AADSTS65004: Declined.\r\nTrace ID: t1\r\nCorrelation ID: c1\r\n");
        assert_eq!(refusal.ids(), "AADSTS65004, trace t1, correlation c1");
    }
}
