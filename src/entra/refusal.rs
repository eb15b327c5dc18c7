//! Error responses: parsed, and turned into errors with a cause and a next step.

use reqwest::StatusCode;
use serde::Deserialize;

use super::aadsts::{self, NextStep, fill};
use super::{Flow, suberror};
use crate::config::{Grant, Profile};
use crate::error::{Error, ErrorKind, Refusal};
use crate::sanitize::for_terminal;

/// The most characters of Microsoft's own sentence that a message quotes.
const MAX_SUMMARY: usize = 300;
/// In bytes.
const MAX_CLAIMS: usize = 4096;

/// Microsoft's error response. Unknown fields are ignored.
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
    #[serde(default)]
    claims: serde_json::Value,
}

/// Parses the body of an error response. Returns `None` for any other body.
pub(crate) fn parse(body: &[u8]) -> Option<Refusal> {
    let body: Body = serde_json::from_slice(body).ok()?;
    let refusal = Refusal::from_redirect(&body.error, body.error_description.as_deref().unwrap_or_default());
    let code = body.error_codes.first().and_then(serde_json::Value::as_u64).and_then(|code| u32::try_from(code).ok());
    let sanitized = |text: Option<String>| text.map(|text| for_terminal(&text)).filter(|text| !text.is_empty());
    Some(Refusal {
        suberror: sanitized(body.suberror),
        code: code.or(refusal.code),
        trace_id: sanitized(body.trace_id),
        correlation_id: sanitized(body.correlation_id),
        timestamp: sanitized(body.timestamp),
        claims: body.claims.as_str().filter(|claims| are_valid(claims)).map(str::to_owned),
        ..refusal
    })
}

/// Returns whether claims are a JSON object of a size that a URL has room for. Others are ignored.
fn are_valid(claims: &str) -> bool {
    claims.len() <= MAX_CLAIMS && serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(claims).is_ok()
}

impl Refusal {
    /// Creates a refusal from the parameters `error` and `error_description` of a redirect (RFC 6749, 4.1.2.1).
    pub(crate) fn from_redirect(error: &str, description: &str) -> Self {
        // The description ends with the IDs, on lines of their own or on the same line.
        let id = |name: &str| {
            let value = description.split(name).nth(1)?.split_whitespace().next()?;
            Some(for_terminal(value))
        };
        let text = description.split("Trace ID:").next().unwrap_or_default();
        Self {
            error: for_terminal(error),
            description: for_terminal(text),
            summary: summary(text),
            code: aadsts_code(description),
            trace_id: id("Trace ID:"),
            correlation_id: id("Correlation ID:"),
            ..Self::default()
        }
    }
}

/// Returns the first line of a description without its AADSTS code, 300 characters at most.
fn summary(description: &str) -> String {
    let line = description.trim_start().split(['\r', '\n']).next().unwrap_or_default();
    let digits = |code: &str| code.chars().all(|c| c.is_ascii_digit());
    let sentence = match line.strip_prefix("AADSTS").and_then(|rest| rest.split_once(':')) {
        Some((code, sentence)) if digits(code) => sentence,
        _ => line,
    };
    let sentence = for_terminal(sentence);
    match sentence.char_indices().nth(MAX_SUMMARY) {
        None => sentence,
        Some(_) => sentence.chars().take(MAX_SUMMARY - 1).chain(['…']).collect(),
    }
}

/// Whether Microsoft refused the refresh token itself, so that another stored copy may still work.
pub(crate) fn token_is_refused(refusal: &Refusal) -> bool {
    refusal.error == "invalid_grant" && !is_transient(refusal)
}

/// Whether a policy of the organisation is the reason, which only its administrators can change.
pub(crate) fn is_policy(refusal: &Refusal) -> bool {
    advice(refusal).is_some_and(|(_, next)| matches!(next, NextStep::Policy | NextStep::ManagedDevice))
}

/// Whether the cause of a refusal is in our tables.
pub(crate) fn is_known(refusal: &Refusal) -> bool {
    advice(refusal).is_some()
}

/// Returns the kind of a refusal that did not come with an HTTP status.
pub(crate) fn kind_of(refusal: &Refusal) -> ErrorKind {
    kind(refusal, StatusCode::BAD_REQUEST)
}

/// Returns the cause and the next step of a refusal, with placeholders.
fn advice(refusal: &Refusal) -> Option<(&'static str, NextStep)> {
    let of_code = refusal.code.and_then(aadsts::advice).map(|row| (row.cause, row.next));
    // 70000 comes with every refused grant, and `suberror` says why it was refused.
    match refusal.code {
        Some(70_000) | None => suberror::advice(refusal).or(of_code),
        Some(_) => of_code.or_else(|| suberror::advice(refusal)),
    }
}

/// Converts a refusal into an error with a cause and a hint. `status` is the HTTP status of the response.
pub(crate) fn into_error(refusal: Refusal, status: StatusCode, profile: &Profile, flow: Flow) -> Error {
    log::info!("Microsoft's error response: {}: {}", refusal.error, refusal.description);
    let kind = kind(&refusal, status);
    explain(refusal, kind, profile, flow)
}

/// Returns an error of this kind, with the refusal's cause and a hint.
pub(crate) fn explain(refusal: Refusal, kind: ErrorKind, profile: &Profile, flow: Flow) -> Error {
    let advice = advice(&refusal);
    let cause = advice.map(|(cause, _)| fill(cause, profile, flow));
    Error::new(kind, message(&refusal, cause))
        .hint(hint(kind, advice.map(|(_, next)| next), profile, flow))
        .with_refusal(refusal)
}

/// The cause with its values, the code, and Microsoft's own first sentence.
fn message(refusal: &Refusal, cause: Option<String>) -> String {
    let code = match refusal.code {
        Some(code) => format!(" (AADSTS{code})"),
        None if cause.is_none() && !refusal.error.is_empty() => format!(" ({})", refusal.error),
        None => String::new(),
    };
    let sentence = &refusal.summary;
    match cause {
        Some(cause) if sentence.is_empty() => format!("{cause}{code}"),
        Some(cause) => format!("{cause}{code}. Microsoft: \"{sentence}\""),
        None if sentence.is_empty() => format!("Microsoft refused the request{code} without an explanation"),
        None => format!("Microsoft refused the request{code}: \"{sentence}\""),
    }
}

/// The next step. If the kind says that waiting helps, it overrides the code.
fn hint(kind: ErrorKind, next: Option<NextStep>, profile: &Profile, flow: Flow) -> String {
    let next = match next {
        _ if kind == ErrorKind::TryLater => NextStep::Later,
        Some(NextStep::Later) | None if kind == ErrorKind::Configuration => NextStep::Fix(
            "compare client_id, client_secret, tenant, redirect_uri and scopes in {file} with the app registration",
        ),
        Some(NextStep::Later) | None => NextStep::SignIn,
        // The broker has presented the device's credential, so the add-on would not help.
        Some(NextStep::ManagedDevice) if profile.grant == Grant::Broker => NextStep::Policy,
        Some(next) => next,
    };
    fill(next.hint(flow), profile, flow)
}

/// Returns the kind of an error, from `error` and `suberror`. Of the AADSTS codes only the transient ones count.
fn kind(refusal: &Refusal, status: StatusCode) -> ErrorKind {
    if is_transient(refusal) || status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
        return ErrorKind::TryLater;
    }
    match (refusal.error.as_str(), refusal.suberror.as_deref()) {
        // The refresh token was issued to another client ID.
        ("invalid_grant", Some("client_mismatch")) => ErrorKind::Configuration,
        // A policy of the organisation: nothing in the configuration is wrong.
        (_, Some("protection_policy_required" | "device_authentication_failed")) => ErrorKind::SignIn,
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

pub(crate) fn is_transient(refusal: &Refusal) -> bool {
    refusal.code.and_then(aadsts::advice).is_some_and(|advice| advice.next == NextStep::Later)
}

pub(crate) fn aadsts_code(description: &str) -> Option<u32> {
    let digits = description.split("AADSTS").nth(1)?;
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Config;

    #[test]
    fn an_error_response_is_parsed_and_sanitized() {
        let body = br#"{"error":"invalid_grant","error_description":"AADSTS700082: The token has \u001b[31mexpired.\r\nTrace ID: t\r\nCorrelation ID: c","error_codes":[700082],"timestamp":"2026-01-02 03:04:05Z","trace_id":"t","correlation_id":"c","error_uri":"https://example.com"}"#;
        let refusal = parse(body).expect("a refusal");
        assert_eq!(refusal.description, "AADSTS700082: The token has [31mexpired.");
        assert_eq!(refusal.ids(), "AADSTS700082, trace t, correlation c, 2026-01-02 03:04:05Z");
        assert_eq!(refusal.summary, "The token has [31mexpired.");
        assert!(token_is_refused(&refusal));
    }

    #[test]
    fn the_summary_is_the_first_line_without_the_code() {
        assert_eq!(summary("AADSTS50011: The redirect URI\u{7} is wrong.\r\nMore."), "The redirect URI is wrong.");
        assert_eq!(summary("\r\nNo code: at all.\nMore."), "No code: at all.");
        assert_eq!(summary("AADSTSx: odd"), "AADSTSx: odd");
        assert_eq!(summary("AADSTS1:"), "");
        let long = summary(&"ä".repeat(301));
        assert_eq!((long.chars().count(), long.ends_with('…')), (300, true));
        assert_eq!(summary(&"ä".repeat(300)), "ä".repeat(300));
    }

    #[test]
    fn a_message_has_cause_code_and_microsofts_sentence() {
        let client_id = "9e5f94bc-e8a4-4e73-b8be-63364c29d753";
        let file = Path::new("/home/ada/.config/m365auth/config.toml");
        let config = Config::parse(file, format!("client_id = '{client_id}'")).expect("a configuration");
        let profile = config.profile(&"mail".parse().expect("a name")).expect("a profile");
        let message = |error: &str, description: &str| {
            into_error(Refusal::from_redirect(error, description), StatusCode::BAD_REQUEST, &profile, Flow::Refresh)
                .to_string()
        };
        assert_eq!(
            message("invalid_request", "AADSTS50011: The redirect URI is wrong.\r\nTrace ID: t"),
            format!(
                "the redirect URI https://localhost:7598/ is not registered for client {client_id} (AADSTS50011). \
                 Microsoft: \"The redirect URI is wrong.\""
            )
        );
        assert_eq!(message("expired_token", ""), "the device code has expired");
        assert_eq!(message("odd", "AADSTS1: No."), "Microsoft refused the request (AADSTS1): \"No.\"");
        assert_eq!(message("odd", ""), "Microsoft refused the request (odd) without an explanation");
        assert_eq!(message("", ""), "Microsoft refused the request without an explanation");
    }

    #[test]
    fn throttling_as_invalid_grant_does_not_refuse_the_token() {
        let refusal = Refusal::from_redirect("invalid_grant", "AADSTS50196: The server terminated an operation");
        assert!(!token_is_refused(&refusal));
        assert_eq!(kind(&refusal, StatusCode::BAD_REQUEST), ErrorKind::TryLater);
    }

    #[test]
    fn unknown_errors_and_missing_fields_are_accepted() {
        let refusal = parse(br#"{"error":"something_new"}"#).expect("a refusal");
        assert_eq!(kind(&refusal, StatusCode::BAD_REQUEST), ErrorKind::Configuration);
        assert!(parse(br#"{"error":"invalid_grant","error_description":null,"error_codes":["x"]}"#).is_some());
        assert!(parse(b"<html>").is_none());
        assert!(parse(br#"{"access_token":"a"}"#).is_none());
    }

    #[test]
    fn the_ids_are_read_from_the_description_of_a_redirect() {
        let refusal =
            Refusal::from_redirect("access_denied", "AADSTS65004: Declined.\r\nTrace ID: t1\r\nCorrelation ID: c1\r\n");
        assert_eq!(refusal.ids(), "AADSTS65004, trace t1, correlation c1");
    }
}
