//! The pages that the browser shows after the sign-in. They contain no scripts, load nothing, and escape all text.

use std::sync::LazyLock;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::sanitize;

const STYLE: &str = "\
    body{margin:18vh auto 0;max-width:34rem;padding:0 1.5rem;font:1.1rem/1.6 system-ui,sans-serif;color:#222;background:#fafafa}\
    h1{font-size:1.6rem;margin:0 0 1rem}p{margin:.5rem 0}\
    small{color:#777;overflow-wrap:anywhere}.mark{font-size:3rem;line-height:1}.yes{color:#177245}.no{color:#b3261e}\
    @media(prefers-color-scheme:dark){body{color:#eee;background:#1b1b1b}.yes{color:#6fd39c}.no{color:#ff8a80}}";

/// Allows only the style above, by its digest. Frames, forms and base URLs are forbidden.
static CONTENT_SECURITY_POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let digest = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).expect("ASCII")
});

/// Returns the page for a successful sign-in.
pub(super) fn success(account: &str) -> Response {
    let account =
        if account.is_empty() { String::new() } else { format!("<p>Account: {}</p>", sanitize::escape_html(account)) };
    let body = format!(
        "<p class=\"mark yes\">&#10003;</p><h1>You are signed in</h1>{account}\
         <p>You can close this tab and return to the terminal.</p>"
    );
    document(StatusCode::OK, "Signed in", &body)
}

/// Returns the page for a failed sign-in. The status is 200, because the request for the page succeeded.
pub(super) fn failure(message: &str, reference: &str) -> Response {
    let body = format!(
        "<p class=\"mark no\">&#10007;</p><h1>Sign-in failed</h1><p>{}</p>\
         <p>Return to the terminal to see what to do next.</p><p><small>{}</small></p>",
        sanitize::escape_html(message),
        sanitize::escape_html(reference)
    );
    document(StatusCode::OK, "Sign-in failed", &body)
}

/// Returns the page for a request that the listener does not accept.
pub(super) fn rejection(status: StatusCode, reason: &str) -> Response {
    let body =
        format!("<p class=\"mark no\">&#10007;</p><h1>Request rejected</h1><p>{}</p>", sanitize::escape_html(reason));
    document(status, "Request rejected", &body)
}

/// Returns the headers of every response. They forbid caching, content sniffing, referrers and scripts.
pub(super) fn headers() -> [(HeaderName, HeaderValue); 4] {
    [
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY.clone()),
    ]
}

fn document(status: StatusCode, title: &str, body: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{} - M365-Auth</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style></head><body>{body}</body></html>",
        sanitize::escape_html(title)
    );
    (status, headers(), Html(html)).into_response()
}
