//! POST `/v1.0/me/sendMail` of Graph, for a message in MIME format (Microsoft: "user: sendMail").

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::platform::Shared;
use crate::resource::{GraphRefusal, graph_account};
use crate::setup::Account;

/// A message whose base64 is larger is refused with 413 (Microsoft: "up to 4 MB").
pub(crate) const MAX_BODY: usize = 4 * 1024 * 1024;

/// RFC 5322 §2.1.1.
const LONGEST_LINE: usize = 998;

/// Accepts a message, and keeps its bytes for the test.
pub(crate) async fn send_mail(State(platform): Shared, headers: HeaderMap, body: Bytes) -> Response {
    let message = graph_account(&platform, &headers, "Mail.Send").and_then(|account| read(&headers, &body, &account));
    match message {
        Ok(message) => {
            platform.sent().push(message);
            StatusCode::ACCEPTED.into_response()
        }
        Err(refusal) => refusal.into_response(),
    }
}

fn read(headers: &HeaderMap, body: &[u8], account: &Account) -> Result<Vec<u8>, GraphRefusal> {
    if headers.get(CONTENT_TYPE).is_none_or(|value| value != "text/plain") {
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(GraphRefusal {
            status,
            code: "UnsupportedMediaType",
            message: "The media type is not text/plain.",
        });
    }
    let message = STANDARD.decode(body).map_err(|_| GraphRefusal {
        status: StatusCode::BAD_REQUEST,
        code: "ErrorMimeContentInvalidBase64String",
        message: "Invalid base64 string for MIME content.",
    })?;
    let fields = mime_fields(&message).map_err(malformed)?;
    let from = fields.iter().find(|(name, _)| name == "from").map_or("", |(_, value)| address(value));
    if !from.eq_ignore_ascii_case(&account.address) {
        let message = "The user account which was used to submit this request does not have the right to send mail on \
                       behalf of the specified sending account.";
        return Err(GraphRefusal { status: StatusCode::FORBIDDEN, code: "ErrorSendAsDenied", message });
    }
    Ok(message)
}

fn malformed(message: &'static str) -> GraphRefusal {
    GraphRefusal { status: StatusCode::BAD_REQUEST, code: "ErrorMimeContentInvalid", message }
}

/// Returns the header fields of a valid message, unfolded, with their names in lower case.
fn mime_fields(message: &[u8]) -> Result<Vec<(String, String)>, &'static str> {
    if message.contains(&0) || message.split(|byte| *byte == b'\n').any(|line| line.len() > LONGEST_LINE + 1) {
        return Err("The message contains a NUL character or a line that is too long.");
    }
    let text = String::from_utf8_lossy(message).replace("\r\n", "\n");
    let (header, body) = text.split_once("\n\n").ok_or("The header does not end.")?;
    let header = header.replace("\n ", " ").replace("\n\t", " ");
    let mut fields = Vec::new();
    for line in header.lines() {
        let (name, value) = line.split_once(':').ok_or("A line of the header is not a field.")?;
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("The name of a field is not valid.");
        }
        fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let count = |name| fields.iter().filter(|(other, _)| other == name).count();
    // RFC 5322 §3.6.
    if count("from") != 1 || ["to", "cc", "bcc", "subject", "mime-version"].iter().any(|name| count(name) > 1) {
        return Err("From is missing, or a field occurs twice.");
    }
    let recipients = fields.iter().filter(|(name, _)| ["to", "cc", "bcc"].contains(&name.as_str()));
    if !recipients.into_iter().any(|(_, value)| value.contains('@')) {
        return Err("The message has no recipient.");
    }
    let content_type = fields.iter().find(|(name, _)| name == "content-type").map_or("", |(_, value)| value);
    match content_type.to_ascii_lowercase().starts_with("multipart/") {
        true => ensure_multipart(content_type, body)?,
        false if content_type.is_empty() || content_type.contains('/') => {}
        false => return Err("Content-Type is not valid."),
    }
    Ok(fields)
}

/// Fails unless the body is a multipart with the boundary of its content type (RFC 2046, 5.1.1).
fn ensure_multipart(content_type: &str, body: &str) -> Result<(), &'static str> {
    let (_, boundary) = content_type.split_once("boundary=").ok_or("A multipart has no boundary.")?;
    let boundary = match boundary.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => boundary.split([';', ' ']).next(),
    };
    let boundary = boundary.unwrap_or_default();
    let has_line = |line: &str| body.lines().any(|other| other.trim_end() == line);
    match has_line(&format!("--{boundary}")) && has_line(&format!("--{boundary}--")) {
        true => Ok(()),
        false => Err("A multipart does not begin or end."),
    }
}

/// Returns the address of a mailbox, such as `Ada <ada@example.com>`.
fn address(mailbox: &str) -> &str {
    match mailbox.rsplit_once('<') {
        Some((_, address)) => address.trim_end_matches('>'),
        None => mailbox,
    }
}
