//! The token response (RFC 6749, 5.1), read so that no odd field costs the refresh token that stands beside it.

use std::time::Duration;

use oauth2::basic::BasicTokenType;
use oauth2::{AccessToken, RefreshToken, Scope, TokenResponse};
use serde::de::{DeserializeOwned, Deserializer};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::sanitize::for_terminal;

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct EntraTokenResponse {
    /// Empty where there is none.
    #[serde(default = "none", deserialize_with = "access_token")]
    access_token: AccessToken,
    #[serde(default, deserialize_with = "lenient")]
    refresh_token: Option<RefreshToken>,
    /// In seconds.
    #[serde(default, deserialize_with = "seconds")]
    expires_in: Option<u64>,
    #[serde(default, deserialize_with = "scopes")]
    scope: Vec<Scope>,
    /// OpenID Connect's addition (Core 1.0, 3.1.3.3).
    #[serde(default, deserialize_with = "lenient")]
    id_token: Option<String>,
}

impl EntraTokenResponse {
    pub(super) fn id_token(&self) -> Option<&str> {
        self.id_token.as_deref()
    }
}

impl TokenResponse for EntraTokenResponse {
    type TokenType = BasicTokenType;

    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> &BasicTokenType {
        &BasicTokenType::Bearer // Microsoft has no other
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

/// None where it is of another type.
fn lenient<'de, T: DeserializeOwned, D: Deserializer<'de>>(field: D) -> Result<Option<T>, D::Error> {
    Value::deserialize(field).map(|value| serde_json::from_value(value).ok())
}

fn none() -> AccessToken {
    AccessToken::new(String::new())
}

fn access_token<'de, D: Deserializer<'de>>(field: D) -> Result<AccessToken, D::Error> {
    lenient(field).map(|token| token.unwrap_or_else(none))
}

/// A number, or a text as Microsoft's older endpoint has it.
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
    fn an_odd_field_costs_no_other_one() {
        for odd in [
            r#""expires_in":-1,"scope":null"#,
            r#""expires_in":3599.5,"scope":["a"]"#,
            r#""expires_in":99999999999999999999,"id_token":5"#,
            r#""access_token":null,"token_type":{}"#,
        ] {
            let answer: EntraTokenResponse =
                serde_json::from_str(&format!(r#"{{"refresh_token":"r",{odd}}}"#)).expect(odd);
            assert_eq!(answer.refresh_token().map(RefreshToken::secret).map(String::as_str), Some("r"), "{odd}");
            assert_eq!((answer.expires_in(), answer.id_token()), (None, None), "{odd}");
            assert_eq!(answer.access_token().secret(), "", "{odd}");
        }
    }

    #[test]
    fn a_lifetime_may_be_a_text() {
        let answer: EntraTokenResponse =
            serde_json::from_str(r#"{"access_token":"a","expires_in":"3599"}"#).expect("an answer");
        assert_eq!(answer.expires_in(), Some(Duration::from_secs(3599)));
    }
}
