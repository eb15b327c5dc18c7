//! Faults that a test can inject into the next response of `/token`.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::issue::{self, TokenResponse};
use crate::page;
use crate::platform::Caller;
use crate::refusal::{self, Refusal};
use crate::wire::Wire;

/// What goes wrong. In JSON: `"reset"`, `{"aadsts": {"code": 50196}}`, `{"delay": {"milliseconds": 50}}` and so on.
/// Omitted fields of `aadsts` have the values of [`Fault::aadsts`].
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// A refusal in Microsoft's format; see [`Fault::aadsts`].
    #[serde(deserialize_with = "deserialize::aadsts")]
    #[allow(missing_docs, reason = "the fields are those of Microsoft's error body")]
    Aadsts { code: u32, error: String, suberror: Option<String>, status: u16 },
    /// A refusal without an AADSTS code.
    #[allow(missing_docs, reason = "the fields are those of Microsoft's error body")]
    WithoutCode { error: String, suberror: Option<String> },
    /// An HTTP status without Microsoft's JSON body, as a gateway returns it.
    #[allow(missing_docs, reason = "the fields are named after the HTTP status and header")]
    Status {
        status: u16,
        #[serde(default)]
        retry_after: Option<String>,
    },
    /// The connection is reset before a response. The request has no effect.
    Reset,
    /// The connection ends without a response.
    Closed,
    /// The request is granted, but the connection is reset before the response is sent.
    ResponseLost,
    /// No response until the stand-in stops.
    Hang,
    /// The normal response, delayed.
    #[allow(missing_docs, reason = "the field's name is enough")]
    Delay { milliseconds: u64 },
    /// The normal response, once the test calls `notify_one`.
    #[serde(skip)]
    Held(Arc<Notify>),
    /// The request is granted at once, but the response is delayed.
    #[allow(missing_docs, reason = "the field's name is enough")]
    LateResponse { milliseconds: u64 },
    /// 200 with a captive portal's page.
    Html,
    /// 200 without a body.
    Empty,
    /// The normal response, form-encoded instead of JSON.
    NotJson,
    /// The normal response as a JSON string.
    InString,
    /// 200 with a body shorter than its `Content-Length`; then the connection closes.
    Truncated,
    /// 200 with a body of 8 MiB.
    Huge,
    /// 307 to `/elsewhere` on the stand-in. A client that follows it sends its token there.
    Redirect,
    /// The normal response, byte by byte.
    ByteByByte,
    /// A refusal whose text contains control characters, HTML and a terminal escape sequence.
    HostileText,
    /// The normal response without a new refresh token.
    NoRefreshToken,
    /// The normal response without an ID token.
    NoIdToken,
    /// The normal response without an access token.
    NoAccessToken,
    /// The normal response without a lifetime.
    NoExpiresIn,
    /// The lifetime as a JSON string, as Microsoft's older endpoint sends it.
    ExpiresInString,
    /// A different access token, which is not valid.
    AccessToken(String),
    /// A different token type.
    TokenType(String),
    /// Scopes other than the requested ones.
    Scope(String),
    /// An ID token that is not a JWT.
    BrokenIdToken,
    /// An ID token with a different nonce.
    WrongNonce,
    /// An ID token without a nonce.
    NoNonce,
    /// An ID token for another client.
    WrongAudience,
    /// An ID token from another tenant's issuer.
    WrongIssuer,
    /// An ID token that expired an hour ago.
    ExpiredIdToken,
    /// An ID token with another user name.
    UserName(String),
    /// An ID token with these claims in place of its own; `null` removes a claim.
    Claims(serde_json::Map<String, Value>),
}

impl Fault {
    /// Returns the refusal `code` with the error, suberror and status that Microsoft uses for it.
    #[must_use]
    pub fn aadsts(code: u32) -> Fault {
        let Refusal { error, suberror, status, .. } = Refusal::new(code);
        Fault::Aadsts { code, error, suberror, status: status.as_u16() }
    }

    /// Returns the response of a fault that replaces the normal one; `None` if the request must be processed.
    pub(crate) async fn replacement(&self, caller: &Caller) -> Option<Response> {
        let response = match self {
            Fault::Aadsts { code, error, suberror, status } => {
                let (error, suberror) = (error.clone(), suberror.clone());
                Refusal { error, suberror, status: status_code(*status), ..Refusal::new(*code) }.json(caller)
            }
            Fault::WithoutCode { error, suberror } => {
                let body =
                    json!({ "error": error, "suberror": suberror, "error_description": "The request was refused." });
                (StatusCode::BAD_REQUEST, Json(body)).into_response()
            }
            Fault::Status { status, retry_after } => {
                let retry_after = retry_after.iter().map(|value| (RETRY_AFTER, value.clone()));
                let mut response = (status_code(*status), "upstream error\n").into_response();
                for (name, value) in retry_after {
                    response.headers_mut().insert(name, value.parse().expect("retry_after is a valid header value"));
                }
                response
            }
            Fault::Reset => Wire::Reset.into_response(),
            Fault::Closed => Wire::Closed.into_response(),
            Fault::Hang => Wire::Hang.into_response(),
            Fault::Delay { milliseconds } => {
                tokio::time::sleep(Duration::from_millis(*milliseconds)).await;
                return None;
            }
            Fault::Held(release) => {
                release.notified().await;
                return None;
            }
            Fault::Html => {
                let page = page::page("Welcome to the guest network", "<p>Please accept our terms.</p>");
                ([(CONTENT_TYPE, page::HTML)], page).into_response()
            }
            Fault::Empty => ().into_response(),
            Fault::Truncated => Wire::Truncated.into_response(),
            Fault::Huge => Wire::Huge.into_response(),
            Fault::Redirect => {
                let elsewhere = format!("{}/elsewhere", caller.origin);
                (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, elsewhere)]).into_response()
            }
            Fault::HostileText => {
                // In the first line, which is the one that a client shows.
                let message =
                    "Look: \u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m <script>alert(1)</script> \u{202e}\0end.\r\nMore.";
                Refusal::with_message(70000, message).json(caller)
            }
            _ => return None,
        };
        Some(response)
    }

    /// Returns the normal response with this fault in it.
    pub(crate) async fn corrupt(self, mut response: TokenResponse, caller: &Caller) -> Response {
        match self {
            Fault::NoRefreshToken => response.refresh_token = None,
            Fault::NoIdToken => response.id_token = None,
            Fault::NoAccessToken => response.access_token = None,
            Fault::NoExpiresIn => response.expires_in = None,
            Fault::ExpiresInString => {
                response.expires_in = response.expires_in.map(|seconds| seconds.to_string().into())
            }
            Fault::AccessToken(other) => response.access_token = Some(other),
            Fault::TokenType(other) => response.token_type = other,
            Fault::Scope(other) => response.scope = other,
            Fault::BrokenIdToken => response.id_token = Some("not.a-jwt".into()),
            Fault::WrongNonce => set_claim(&mut response, "nonce", Some("another-nonce".into())),
            Fault::NoNonce => set_claim(&mut response, "nonce", None),
            Fault::WrongAudience => {
                set_claim(&mut response, "aud", Some("00000000-0000-4000-8000-00000000beef".into()))
            }
            Fault::WrongIssuer => {
                let issuer = "https://login.example.net/00000000-0000-4000-8000-00000000beef/v2.0";
                set_claim(&mut response, "iss", Some(issuer.into()));
            }
            Fault::ExpiredIdToken => set_claim(&mut response, "exp", Some((issue::unix_time() - 3_600).into())),
            Fault::UserName(other) => set_claim(&mut response, "preferred_username", Some(other.into())),
            Fault::Claims(claims) => claims.into_iter().for_each(|(claim, value)| {
                set_claim(&mut response, &claim, Some(value).filter(|value| !value.is_null()));
            }),
            Fault::NotJson => {
                let [access, refresh] = [response.access_token, response.refresh_token].map(Option::unwrap_or_default);
                return format!("token_type=Bearer&access_token={access}&refresh_token={refresh}").into_response();
            }
            Fault::InString => return (caller.headers(), Json(json!(response).to_string())).into_response(),
            Fault::ResponseLost => return Wire::Reset.into_response(),
            Fault::LateResponse { milliseconds } => tokio::time::sleep(Duration::from_millis(milliseconds)).await,
            Fault::ByteByByte => return Wire::ByteByByte.with(response.json(caller)),
            _ => {}
        }
        response.json(caller)
    }
}

/// Replaces a claim of the ID token, or removes it if `value` is `None`.
fn set_claim(response: &mut TokenResponse, claim: &str, value: Option<Value>) {
    let Some(id_token) = &mut response.id_token else {
        return;
    };
    let payload = id_token.split('.').nth(1).expect("an ID token has three parts");
    let payload = URL_SAFE_NO_PAD.decode(payload).expect("the stand-in encoded it");
    let mut claims: Value = serde_json::from_slice(&payload).expect("the stand-in encoded it");
    let object = claims.as_object_mut().expect("claims are an object");
    match value {
        Some(value) => object.insert(claim.into(), value),
        None => object.remove(claim),
    };
    *id_token = issue::encode(&claims, "c3RhbmRpbg");
}

fn status_code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).expect("the status is a valid HTTP status")
}

mod deserialize {
    //! Deserializes [`super::Fault::Aadsts`] with defaults that depend on the code.

    use serde::{Deserialize, Deserializer};

    use super::refusal;

    #[derive(Deserialize)]
    struct Aadsts {
        code: u32,
        error: Option<String>,
        suberror: Option<String>,
        status: Option<u16>,
    }

    pub(super) fn aadsts<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<(u32, String, Option<String>, u16), D::Error> {
        let given = Aadsts::deserialize(deserializer)?;
        let refusal = refusal::Refusal::new(given.code);
        Ok((
            given.code,
            given.error.unwrap_or(refusal.error),
            given.suberror.or(refusal.suberror),
            given.status.unwrap_or(refusal.status.as_u16()),
        ))
    }
}
