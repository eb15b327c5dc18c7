//! The parameters of a query or a form.

use std::collections::BTreeMap;

use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use url::form_urlencoded;

use crate::refusal::Refusal;

#[derive(Debug, Clone, Default)]
pub(crate) struct Parameters(BTreeMap<String, String>);

impl Parameters {
    /// Parses form-encoded parameters. A parameter must not occur twice (RFC 6749 §3.1).
    pub fn parse(encoded: &[u8]) -> Result<Parameters, Refusal> {
        if !encoded.is_ascii() {
            return Err(Refusal::new(9002313));
        }
        let mut parameters = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(encoded) {
            if parameters.insert(name.to_string(), value.into_owned()).is_some() {
                let message = format!("The request is not properly formatted. The parameter '{name}' is duplicated.");
                return Err(Refusal::with_message(9000411, message));
            }
        }
        Ok(Parameters(parameters))
    }

    /// Parses a form. A body with another content type has no parameters, so the first required one is missing.
    pub fn from_form(headers: &HeaderMap, body: &[u8]) -> Result<Parameters, Refusal> {
        if is_form(headers) { Parameters::parse(body) } else { Ok(Parameters::default()) }
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Returns a required parameter. A parameter without a value counts as omitted (RFC 6749 §3.1).
    pub fn required(&self, name: &str) -> Result<&str, Refusal> {
        self.get(name).filter(|value| !value.is_empty()).ok_or_else(|| Refusal::missing_parameter(name))
    }
}

pub(crate) fn is_form(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}
