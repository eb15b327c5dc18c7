//! Refusals in Microsoft's shape.

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

/// A request that is refused, and why.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub code: u32,
    pub error: String,
    pub suberror: Option<String>,
    pub message: String,
    pub status: StatusCode,
}

impl Refusal {
    pub fn of(code: u32) -> Refusal {
        let (error, suberror, message) = known::known(code);
        let status = match error {
            "invalid_client" => StatusCode::UNAUTHORIZED,
            "temporarily_unavailable" => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        };
        Refusal { code, error: error.into(), suberror: suberror.map(Into::into), message: message.into(), status }
    }

    pub fn saying(code: u32, message: impl Into<String>) -> Refusal {
        Refusal { message: message.into(), ..Refusal::of(code) }
    }

    pub fn missing(parameter: &str) -> Refusal {
        Refusal::saying(900144, format!("The request body must contain the following parameter: '{parameter}'."))
    }

    /// RFC 8628 §3.5; Microsoft has no code of its own for it.
    pub fn slow_down() -> Refusal {
        Refusal {
            error: "slow_down".into(),
            message: "Polling faster than the announced interval.".into(),
            ..Refusal::of(70016)
        }
    }

    pub fn with_error(self, error: &str) -> Refusal {
        Refusal { error: error.into(), ..self }
    }

    /// The answer of an endpoint that speaks JSON.
    pub fn json(self, caller: &Caller) -> Response {
        let status = self.status;
        (status, caller.headers(), Json(self.body(caller))).into_response()
    }

    /// The answer to a browser: a page, never a redirect to an address that may not be the client's.
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
        }
    }
}

/// The JSON of a refusal.
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
}
