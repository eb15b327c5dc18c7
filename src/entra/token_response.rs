//! The token response (RFC 6749, 5.1). Parsing is lenient, so that a malformed field does not lose the refresh token
//! beside it.

use std::time::Duration;

use oauth2::basic::BasicTokenType;
use oauth2::{AccessToken, RefreshToken, Scope, TokenResponse};
use serde::de::{DeserializeOwned, Deserializer};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::lifetime::Lifetime;
use crate::sanitize::for_terminal;

/// Microsoft's token response.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct EntraTokenResponse {
    /// Empty if it is missing.
    #[serde(default = "empty_token", deserialize_with = "access_token")]
    access_token: AccessToken,
    #[serde(default, deserialize_with = "lenient")]
    refresh_token: Option<RefreshToken>,
    /// In seconds.
    #[serde(default, deserialize_with = "seconds")]
    expires_in: Option<u64>,
    /// After how many seconds Microsoft wants the token to be renewed.
    #[serde(default, deserialize_with = "seconds")]
    refresh_in: Option<u64>,
    #[serde(default, deserialize_with = "scopes")]
    scope: Vec<Scope>,
    /// Added by OpenID Connect (Core 1.0, 3.1.3.3).
    #[serde(default, deserialize_with = "lenient")]
    id_token: Option<String>,
}

impl EntraTokenResponse {
    pub(super) fn id_token(&self) -> Option<&str> {
        self.id_token.as_deref()
    }

    /// Returns the lifetime of an access token that was issued `now`, in seconds since 1970, if the response says how
    /// long it is.
    pub(super) fn lifetime(&self, now: u64) -> Option<Lifetime> {
        self.expires_in.map(|expires_in| Lifetime::new(now, expires_in, self.refresh_in))
    }
}

impl TokenResponse for EntraTokenResponse {
    type TokenType = BasicTokenType;

    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> &BasicTokenType {
        &BasicTokenType::Bearer // the only type that Microsoft issues
    }

    fn expires_in(&self) -> Option<Duration> {
        self.expires_in.map(Duration::from_secs)
    }

    fn refresh_token(&self) -> Option<&RefreshToken> {
        self.refresh_token.as_ref()
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        Some(&self.scope)
    }
}

/// Parses a field, or returns `None` if its type is wrong.
fn lenient<'de, T: DeserializeOwned, D: Deserializer<'de>>(field: D) -> Result<Option<T>, D::Error> {
    Value::deserialize(field).map(|value| serde_json::from_value(value).ok())
}

fn empty_token() -> AccessToken {
    AccessToken::new(String::new())
}

fn access_token<'de, D: Deserializer<'de>>(field: D) -> Result<AccessToken, D::Error> {
    lenient(field).map(|token| token.unwrap_or_else(empty_token))
}

/// Parses a number, or a string with a number, which Microsoft's v1.0 endpoint sends.
fn seconds<'de, D: Deserializer<'de>>(field: D) -> Result<Option<u64>, D::Error> {
    Value::deserialize(field).map(|value| value.as_u64().or_else(|| value.as_str()?.parse().ok()))
}

fn scopes<'de, D: Deserializer<'de>>(field: D) -> Result<Vec<Scope>, D::Error> {
    let text: Option<String> = lenient(field)?;
    Ok(text.unwrap_or_default().split_whitespace().map(|scope| Scope::new(for_terminal(scope))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_field_does_not_affect_the_others() {
        for malformed in [
            r#""expires_in":-1,"refresh_in":"soon","scope":null"#,
            r#""expires_in":3599.5,"scope":["a"]"#,
            r#""expires_in":99999999999999999999,"id_token":5"#,
            r#""access_token":null,"token_type":{}"#,
        ] {
            let response: EntraTokenResponse =
                serde_json::from_str(&format!(r#"{{"refresh_token":"r",{malformed}}}"#)).expect(malformed);
            assert_eq!(
                response.refresh_token().map(RefreshToken::secret).map(String::as_str),
                Some("r"),
                "{malformed}"
            );
            assert_eq!((response.expires_in(), response.id_token()), (None, None), "{malformed}");
            assert_eq!(response.access_token().secret(), "", "{malformed}");
        }
    }

    #[test]
    fn a_lifetime_may_be_a_string() {
        let response: EntraTokenResponse =
            serde_json::from_str(r#"{"access_token":"a","expires_in":"3599"}"#).expect("a response");
        assert_eq!(response.expires_in(), Some(Duration::from_secs(3599)));
    }
}
