//! Faults that a test can order for the next answer of `/token`.

use std::time::Duration;

use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

use crate::issue::{self, Reply};
use crate::page;
use crate::platform::Caller;
use crate::refusal::{self, Refusal};
use crate::wire::Wire;

/// What goes wrong. As JSON: `"reset"`, `{"status": {"status": 503, "retry_after": "1"}}`,
/// `{"aadsts": {"code": 50196}}` and so on; what is left out is as [`Fault::aadsts`] has it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// A refusal in Microsoft's shape; see [`Fault::aadsts`].
    #[serde(deserialize_with = "deserialize::aadsts")]
    #[allow(missing_docs, reason = "the fields are those of Microsoft's error body")]
    Aadsts { code: u32, error: String, suberror: Option<String>, status: u16 },
    /// A bare HTTP status, as of a gateway in between.
    #[allow(missing_docs, reason = "the fields are the status line and the header of that name")]
    Status {
        status: u16,
        #[serde(default)]
        retry_after: Option<String>,
    },
    /// The connection is reset without an answer. The request has had no effect.
    Reset,
    /// The connection ends without an answer.
    Closed,
    /// The request is granted, the connection reset: the answer is lost.
    AnswerLost,
    /// No answer until the stand-in stops.
    Hang,
    /// The proper answer, late.
    #[allow(missing_docs, reason = "the name says all")]
    Delay { milliseconds: u64 },
    /// 200 with the page of a captive portal.
    Html,
    /// 200 without a body.
    Empty,
    /// 200 with a form instead of JSON.
    NotJson,
    /// 200 with a shorter body than announced, then the connection ends.
    Truncated,
    /// 200 with a body of 8 MiB.
    Huge,
    /// 307 to `/elsewhere` of the stand-in: a client that follows sends its token there.
    Redirect,
    /// The proper answer, byte by byte.
    ByteByByte,
    /// A refusal whose texts hold control characters, HTML and a terminal escape sequence.
    HostileText,
    /// The proper answer without a new refresh token.
    NoRefreshToken,
    /// The proper answer without an id token.
    NoIdToken,
    /// The proper answer without an access token.
    NoAccessToken,
    /// The proper answer without a lifetime.
    NoExpiresIn,
    /// The lifetime as a JSON string, as the older endpoint of Microsoft has it.
    ExpiresInText,
    /// Another access token; it is valid nowhere.
    AccessToken(String),
    /// Another token type.
    TokenType(String),
    /// Other scopes than those asked for.
    Scope(String),
    /// An id token that is no JWT.
    BrokenIdToken,
    /// An id token with another nonce.
    WrongNonce,
    /// An id token without a nonce.
    NoNonce,
    /// An id token for another client.
    WrongAudience,
    /// An id token of another tenant's issuer.
    WrongIssuer,
    /// An id token that expired an hour ago.
    ExpiredIdToken,
    /// An id token with these claims in place of its own; `null` removes a claim.
    Claims(serde_json::Map<String, Value>),
}

impl Fault {
    /// The refusal `code` with the error, suberror and status that Microsoft gives it.
    #[must_use]
    pub fn aadsts(code: u32) -> Fault {
        let Refusal { error, suberror, status, .. } = Refusal::of(code);
        Fault::Aadsts { code, error, suberror, status: status.as_u16() }
    }

    /// The answer of a fault that looks at no request.
    pub(crate) async fn instead(&self, caller: &Caller) -> Option<Response> {
        let answer = match self {
            Fault::Aadsts { code, error, suberror, status } => {
                let (error, suberror) = (error.clone(), suberror.clone());
                Refusal { error, suberror, status: status_code(*status), ..Refusal::of(*code) }.json(caller)
            }
            Fault::Status { status, retry_after } => {
                let retry_after = retry_after.iter().map(|value| (RETRY_AFTER, value.clone()));
                let mut answer = (status_code(*status), "upstream says no\n").into_response();
                for (name, value) in retry_after {
                    answer.headers_mut().insert(name, value.parse().expect("ordered value fits into a header"));
                }
                answer
            }
            Fault::Reset => Wire::Reset.into_response(),
            Fault::Closed => Wire::Closed.into_response(),
            Fault::Hang => Wire::Hang.into_response(),
            Fault::Delay { milliseconds } => {
                tokio::time::sleep(Duration::from_millis(*milliseconds)).await;
                return None;
            }
            Fault::Html => {
                let page = page::page("Welcome to the guest network", "<p>Please accept our terms.</p>");
                ([(CONTENT_TYPE, page::HTML)], page).into_response()
            }
            Fault::Empty => ().into_response(),
            Fault::NotJson => "token_type=Bearer&expires_in=3600&access_token=none".into_response(),
            Fault::Truncated => Wire::Truncated.into_response(),
            Fault::Huge => Wire::Huge.into_response(),
            Fault::Redirect => {
                let elsewhere = format!("{}/elsewhere", caller.origin);
                (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, elsewhere)]).into_response()
            }
            Fault::HostileText => {
                let message = "Look:\r\n\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m <script>alert(1)</script> \u{202e}\0end.";
                Refusal::saying(70000, message).json(caller)
            }
            _ => return None,
        };
        Some(answer)
    }

    /// The answer of a fault that lies in a proper answer.
    pub(crate) fn spoil(self, mut reply: Reply, caller: &Caller) -> Response {
        match self {
            Fault::NoRefreshToken => reply.refresh_token = None,
            Fault::NoIdToken => reply.id_token = None,
            Fault::NoAccessToken => reply.access_token = None,
            Fault::NoExpiresIn => reply.expires_in = None,
            Fault::ExpiresInText => reply.expires_in = reply.expires_in.map(|seconds| seconds.to_string().into()),
            Fault::AccessToken(other) => reply.access_token = Some(other),
            Fault::TokenType(other) => reply.token_type = other,
            Fault::Scope(other) => reply.scope = other,
            Fault::BrokenIdToken => reply.id_token = Some("not.a-jwt".into()),
            Fault::WrongNonce => alter(&mut reply, "nonce", Some("another-nonce".into())),
            Fault::NoNonce => alter(&mut reply, "nonce", None),
            Fault::WrongAudience => alter(&mut reply, "aud", Some("00000000-0000-4000-8000-00000000beef".into())),
            Fault::WrongIssuer => {
                let issuer = "https://login.example.net/00000000-0000-4000-8000-00000000beef/v2.0";
                alter(&mut reply, "iss", Some(issuer.into()));
            }
            Fault::ExpiredIdToken => alter(&mut reply, "exp", Some((issue::unix_time() - 3_600).into())),
            Fault::Claims(claims) => claims.into_iter().for_each(|(claim, value)| {
                alter(&mut reply, &claim, Some(value).filter(|value| !value.is_null()));
            }),
            Fault::AnswerLost => return Wire::Reset.into_response(),
            Fault::ByteByByte => return Wire::ByteByByte.with(reply.json(caller)),
            _ => {}
        }
        reply.json(caller)
    }
}

/// One claim of the id token gets another value, or none.
fn alter(reply: &mut Reply, claim: &str, value: Option<Value>) {
    let Some(id_token) = &mut reply.id_token else {
        return;
    };
    let payload = id_token.split('.').nth(1).expect("an id token has three parts");
    let payload = URL_SAFE_NO_PAD.decode(payload).expect("we encoded it");
    let mut claims: Value = serde_json::from_slice(&payload).expect("we encoded it");
    let object = claims.as_object_mut().expect("claims are an object");
    match value {
        Some(value) => object.insert(claim.into(), value),
        None => object.remove(claim),
    };
    *id_token = issue::encode(&claims, "c3RhbmRpbg");
}

fn status_code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).expect("ordered status is one of HTTP")
}

mod deserialize {
    //! Defaults that depend on the code.

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
        let ordered = Aadsts::deserialize(deserializer)?;
        let refusal = refusal::Refusal::of(ordered.code);
        Ok((
            ordered.code,
            ordered.error.unwrap_or(refusal.error),
            ordered.suberror.or(refusal.suberror),
            ordered.status.unwrap_or(refusal.status.as_u16()),
        ))
    }
}
