//! Client assertions (RFC 7523; Microsoft: "certificate credentials").

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
use serde::Deserialize;

use crate::issue::unix_time;
use crate::parameters::Parameters;
use crate::platform::Platform;
use crate::refusal::Refusal;
use crate::setup::App;

pub(crate) const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// In seconds. Microsoft recommends 5 to 10 minutes.
const MAX_LIFETIME: u64 = 10 * 60;

#[derive(Deserialize)]
struct Header {
    alg: String,
    typ: String,
    #[serde(rename = "x5t#S256")]
    thumbprint: String,
}

#[derive(Deserialize)]
struct Claims {
    aud: String,
    iss: String,
    sub: String,
    jti: String,
    nbf: u64,
    exp: u64,
}

/// Checks the assertion: signature, certificate, audience, times, and that it is presented for the first time.
pub(crate) fn verify(platform: &Platform, tenant: &str, app: &App, parameters: &Parameters) -> Result<(), Refusal> {
    let malformed = || Refusal::with_message(50027, "JWT token is invalid or malformed.".to_owned());
    if parameters.get("client_assertion_type") != Some(JWT_BEARER) {
        return Err(Refusal::new(900144));
    }
    let assertion = parameters.required("client_assertion")?;
    let (text, signature) = assertion.rsplit_once('.').ok_or_else(malformed)?;
    let (header, claims) = text.split_once('.').ok_or_else(malformed)?;
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| malformed());
    let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| malformed())?;
    let claims: Claims = serde_json::from_slice(&decode(claims)?).map_err(|_| malformed())?;
    if header.alg != "PS256" || header.typ != "JWT" {
        return Err(malformed());
    }
    let mut vault = platform.vault();
    let registered = vault.certificates.get(&app.id).filter(|registered| registered.thumbprint == header.thumbprint);
    let registered = registered.filter(|registered| registered.expires > unix_time());
    let registered = registered.ok_or_else(|| Refusal::new(700_027))?;
    UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, &registered.public_key)
        .verify(text.as_bytes(), &decode(signature)?)
        .map_err(|_| Refusal::new(700_027))?;
    let audience = format!("{}/{tenant}/oauth2/v2.0/token", platform.origin);
    if claims.aud != audience || claims.iss != app.id || claims.sub != app.id {
        return Err(Refusal::with_message(700_023, "Client assertion audience claim does not match.".to_owned()));
    }
    let now = unix_time();
    if claims.nbf > now || claims.exp <= now || claims.exp - claims.nbf > MAX_LIFETIME {
        return Err(Refusal::new(700_024));
    }
    if !vault.assertions.insert(claims.jti) {
        return Err(malformed());
    }
    Ok(())
}
