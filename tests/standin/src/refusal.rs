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

/// AADSTS code, OAuth error, suberror, and the first sentence of the description.
const KNOWN: &[(u32, &str, &str, &str)] = &[
    (28000, "invalid_request", "", "Provided value for the input parameter scope is not valid because it contains more than one resource."),
    (28002, "invalid_request", "", "Provided value for the input parameter scope is not valid when requesting an access token. Please specify a valid scope."),
    (28003, "invalid_request", "", "Provided value for the input parameter scope cannot be empty when requesting an access token using the provided authorization code. Please specify a valid scope."),
    (50011, "invalid_request", "", "The redirect URI specified in the request does not match the redirect URIs configured for the application."),
    (50020, "invalid_grant", "", "User account from identity provider does not exist in tenant and cannot access the application in that tenant."),
    (50058, "login_required", "", "A silent sign-in request was sent but no user is signed in."),
    (50076, "invalid_grant", "basic_action", "Due to a configuration change made by your administrator, or because you moved to a new location, you must use multi-factor authentication to access the resource."),
    (50079, "invalid_grant", "basic_action", "Due to a configuration change made by your administrator, or because you moved to a new location, you must enroll in multi-factor authentication to access the resource."),
    (50148, "invalid_grant", "", "The code_verifier does not match the code_challenge supplied in the authorization request for PKCE."),
    (50149, "invalid_request", "", "Invalid Code_Challenge_method parameter."),
    (50173, "invalid_grant", "bad_token", "The provided grant has expired due to it being revoked, a fresh auth token is needed. The user might have changed or reset their password."),
    (50194, "invalid_request", "", "The application is not configured as a multi-tenant application. Usage of the /common endpoint is not supported for such apps created after '10/15/2018'. Use a tenant-specific endpoint or configure the application to be multi-tenant."),
    (50196, "invalid_grant", "", "The server terminated an operation because it encountered a client request loop. Please contact your app vendor."),
    (53000, "invalid_grant", "message_only", "Your device is required to be compliant to access this resource."),
    (53003, "invalid_grant", "message_only", "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance."),
    (54005, "invalid_grant", "", "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token."),
    (65001, "invalid_grant", "consent_required", "The user or administrator has not consented to use the application. Send an interactive authorization request for this user and resource."),
    (65004, "access_denied", "", "User declined to consent to access the app."),
    (70000, "invalid_grant", "", "Provided grant is invalid or malformed."),
    (70003, "unsupported_grant_type", "", "The app requested an unsupported grant type."),
    (70008, "invalid_grant", "", "The provided authorization code or refresh token has expired due to inactivity. Send a new interactive authorization request for this user and resource."),
    (70011, "invalid_scope", "", "The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid."),
    (70016, "authorization_pending", "", "OAuth 2.0 device flow error. Authorization is pending. Continue polling."),
    (70018, "bad_verification_code", "", "The verification code is not recognized. Verify that the client is sending the correct device code."),
    (70020, "expired_token", "", "The provided value for the input parameter 'device_code' is not valid. This device code has expired."),
    (70043, "invalid_grant", "token_expired", "The refresh token has expired or is invalid due to sign-in frequency checks by conditional access."),
    (90002, "invalid_request", "", "Tenant not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud."),
    (90023, "invalid_request", "", "The provided value for an input parameter is not valid."),
    (90033, "temporarily_unavailable", "", "A transient error has occurred. Please try again."),
    (90055, "temporarily_unavailable", "", "The request is denied because of too many requests."),
    (500011, "invalid_resource", "", "The resource principal was not found in the tenant."),
    (500112, "invalid_client", "", "The reply address does not match the reply address provided when requesting Authorization code."),
    (501481, "invalid_grant", "", "The Code_Verifier does not match the code_challenge supplied in the authorization request."),
    (501491, "invalid_request", "", "Invalid size of Code_Challenge parameter."),
    (650053, "invalid_client", "", "The application asked for a scope that doesn't exist on the resource."),
    (700005, "invalid_grant", "", "Provided Authorization Code is intended to use against other tenant, thus rejected."),
    (700016, "unauthorized_client", "", "Application was not found in the directory."),
    (700025, "invalid_client", "", "Client is public so neither 'client_assertion' nor 'client_secret' should be presented."),
    (700054, "unsupported_response_type", "", "The response_type is not enabled for the application."),
    (700082, "invalid_grant", "", "The refresh token has expired due to inactivity. The token was issued too long ago and was inactive for 90.00:00:00."),
    (900144, "invalid_request", "", "The request body must contain a required parameter."),
    (900561, "invalid_request", "", "The endpoint only accepts POST, OPTIONS requests. Received a GET request."),
    (7000112, "unauthorized_client", "", "Application is disabled."),
    (7000215, "invalid_client", "", "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID."),
    (7000218, "invalid_client", "", "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."),
    (7000222, "invalid_client", "", "The provided client secret keys for app are expired."),
    (9000411, "invalid_request", "", "The request is not properly formatted. A parameter is duplicated."),
    (9002313, "invalid_request", "", "Invalid request. Request is malformed or invalid."),
    (9002325, "invalid_request", "", "Proof Key for Code Exchange is required for cross-origin authorization code redemption."),
];

/// What [`KNOWN`] says of `code`; any other code is an `invalid_grant`, as most are.
pub(crate) fn known(code: u32) -> (&'static str, Option<&'static str>, &'static str) {
    let (_, error, suberror, message) = KNOWN
        .iter()
        .find(|(known, ..)| *known == code)
        .unwrap_or(&(0, "invalid_grant", "", "The request was refused."));
    (error, Some(*suberror).filter(|suberror| !suberror.is_empty()), message)
}

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
        let (error, suberror, message) = known(code);
        let status = if error == "invalid_client" { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST };
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
