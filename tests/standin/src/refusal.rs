//! Refusals in Microsoft's format.

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use time::OffsetDateTime;
use time::macros::format_description;

use crate::page;
use crate::platform::Caller;
use crate::random;

mod known;

/// Why a request is refused.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub code: u32,
    pub error: String,
    pub suberror: Option<String>,
    pub message: String,
    pub status: StatusCode,
    /// What a token must contain, as JSON.
    pub claims: Option<String>,
}

impl Refusal {
    pub fn new(code: u32) -> Refusal {
        let (error, suberror, message) = known::lookup(code);
        let status = match error {
            "invalid_client" => StatusCode::UNAUTHORIZED,
            "temporarily_unavailable" => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        };
        Refusal {
            code,
            error: error.into(),
            suberror: suberror.map(Into::into),
            message: message.into(),
            status,
            claims: None,
        }
    }

    pub fn with_message(code: u32, message: impl Into<String>) -> Refusal {
        Refusal { message: message.into(), ..Refusal::new(code) }
    }

    pub fn missing_parameter(parameter: &str) -> Refusal {
        Refusal::with_message(900144, format!("The request body must contain the following parameter: '{parameter}'."))
    }

    /// Returns the error `slow_down` (RFC 8628 §3.5), for which Microsoft has no code.
    pub fn slow_down() -> Refusal {
        Refusal {
            error: "slow_down".into(),
            message: "Polling faster than the announced interval.".into(),
            ..Refusal::new(70016)
        }
    }

    pub fn with_error(self, error: &str) -> Refusal {
        Refusal { error: error.into(), ..self }
    }

    /// Returns the refusal as JSON.
    pub fn json(self, caller: &Caller) -> Response {
        let status = self.status;
        (status, caller.headers(), Json(self.body(caller))).into_response()
    }

    /// Returns the refusal as a page for a browser. It does not redirect, because the redirect URI may not be the
    /// client's.
    pub fn html(self, caller: &Caller) -> Response {
        let body = self.body(caller);
        let page = page::error(&body.error, &body.error_description);
        (StatusCode::BAD_REQUEST, caller.headers(), [(CONTENT_TYPE, page::HTML)], page).into_response()
    }

    pub fn body(self, caller: &Caller) -> Body {
        let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]Z");
        let timestamp = OffsetDateTime::now_utc().format(&format).expect("the format has no fallible part");
        let trace_id = random::guid();
        let correlation_id = caller.correlation_id.clone();
        Body {
            error_description: format!(
                "AADSTS{}: {} Trace ID: {trace_id} Correlation ID: {correlation_id} Timestamp: {timestamp}",
                self.code, self.message
            ),
            error_uri: format!("{}/error?code={}", caller.origin, self.code),
            error: self.error,
            error_codes: [self.code],
            timestamp,
            trace_id,
            correlation_id,
            suberror: self.suberror,
            claims: self.claims,
        }
    }
}

/// The JSON body of a refusal.
#[derive(Debug, Serialize)]
pub(crate) struct Body {
    pub error: String,
    pub error_description: String,
    pub error_codes: [u32; 1],
    pub timestamp: String,
    pub trace_id: String,
    pub correlation_id: String,
    pub error_uri: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suberror: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claims: Option<String>,
}
