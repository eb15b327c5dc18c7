//! The pages that the browser shows after the sign-in. They contain no scripts, load nothing, and escape all text.

mod result;
mod style;

use std::sync::LazyLock;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::config::ProfileName;
use crate::sanitize::escape_html;
use style::STYLE;

/// Allows only our style, by its digest. Frames, forms and base URLs are forbidden.
static CONTENT_SECURITY_POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let digest = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).expect("ASCII")
});

/// A page. Its status is 200 even for a failed sign-in, because the request for the page succeeded.
#[derive(Clone)]
pub(crate) struct Page {
    status: StatusCode,
    mark: Mark,
    heading: &'static str,
    /// In HTML.
    content: String,
    /// The product and, on the page of a result, the profiles, in HTML.
    footer: String,
}

/// The sign above the heading.
#[derive(Clone, Copy)]
enum Mark {
    Yes,
    No,
}

impl Page {
    fn new(mark: Mark, heading: &'static str, content: String) -> Self {
        Self { status: StatusCode::OK, mark, heading, content, footer: "M365-Auth".to_owned() }
    }

    /// Returns the page for a request that the listener does not accept. It does not name the profile, because any
    /// program on this machine can request it.
    pub(super) fn rejection(status: StatusCode, heading: &'static str, reason: &str) -> Self {
        Self { status, ..Self::new(Mark::No, heading, format!("<p>{}</p>", escape_html(reason))) }
    }

    fn with_profiles(mut self, profiles: &[&ProfileName]) -> Self {
        let noun = if profiles.len() == 1 { "profile" } else { "profiles" };
        let names: Vec<&str> = profiles.iter().map(|name| name.as_str()).collect();
        self.footer += &format!(" &middot; {noun} {}", escape_html(&names.join(", ")));
        self
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let Self { status, mark, heading, content, footer } = self;
        let mark = match mark {
            Mark::Yes => "<p class=\"mark yes\" aria-hidden=\"true\">&#10003;</p>",
            Mark::No => "<p class=\"mark no\" aria-hidden=\"true\">&#10007;</p>",
        };
        let heading = escape_html(heading);
        let html = format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{heading} - M365-Auth</title>\
             <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style></head>\
             <body><main>{mark}<h1>{heading}</h1>{content}</main><footer>{footer}</footer></body></html>"
        );
        (status, headers(), Html(html)).into_response()
    }
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
