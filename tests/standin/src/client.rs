//! Client authentication at `/token`.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::form_urlencoded;

use crate::assertion;
use crate::parameters::Parameters;
use crate::platform::Platform;
use crate::refusal::Refusal;
use crate::setup::App;

/// Returns the application, authenticated in the request body or with HTTP Basic (RFC 6749 §2.3.1).
pub(crate) fn authenticate<'platform>(
    platform: &'platform Platform,
    tenant: &str,
    headers: &HeaderMap,
    parameters: &Parameters,
) -> Result<&'platform App, Refusal> {
    let basic = basic(headers)?;
    let (client_id, secret) = match &basic {
        Some(_) if parameters.get("client_secret").is_some() => return Err(Refusal::new(9002313)),
        Some((id, _)) if parameters.get("client_id").is_some_and(|other| other != id) => {
            return Err(Refusal::new(9002313));
        }
        Some((id, secret)) => (id.as_str(), Some(secret.as_str())),
        None => (parameters.required("client_id")?, parameters.get("client_secret")),
    };
    let app = platform.app(client_id, tenant)?;
    if parameters.get("client_assertion").is_some() && app.secret.is_some() {
        if secret.is_some() {
            return Err(Refusal::new(9002313));
        }
        return assertion::verify(platform, tenant, app, parameters).map(|()| app);
    }
    match (&app.secret, secret) {
        // Stricter than RFC 6749 §3.2: a public client must not send a secret, not even an empty one.
        (None, Some(_)) => Err(Refusal::new(700025)),
        (Some(_), None | Some("")) => Err(Refusal::new(7000218)),
        (Some(expected), Some(sent)) if expected != sent => {
            let message = format!(
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret \
                 value, not the client secret ID, for a secret added to app '{client_id}'."
            );
            Err(Refusal::with_message(7000215, message))
        }
        _ => Ok(app),
    }
}

/// Returns client ID and secret from HTTP Basic, where each is form-encoded.
fn basic(headers: &HeaderMap) -> Result<Option<(String, String)>, Refusal> {
    let Some(value) = headers.get(AUTHORIZATION) else {
        return Ok(None);
    };
    let credentials = || {
        let encoded = value.to_str().ok()?.strip_prefix("Basic ")?;
        let decoded = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
        let (id, secret) = decoded.split_once(':')?;
        Some((form_decode(id), form_decode(secret)))
    };
    credentials().map(Some).ok_or_else(|| Refusal::new(9002313))
}

fn form_decode(text: &str) -> String {
    form_urlencoded::parse(text.as_bytes()).next().map(|(decoded, _)| decoded.into_owned()).unwrap_or_default()
}
