//! The key `grant`: for whom access tokens are requested.

use super::error::ConfigurationError;
use super::keys::form;
use super::values::Cloud;
use super::{Profile, ProfileName};

/// How access tokens are requested (RFC 6749, 1.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Grant {
    /// With the refresh token of a person who signed in.
    #[default]
    RefreshToken,
    /// With the credential of the application itself. Nobody signs in.
    ClientCredentials,
}

impl Grant {
    pub(super) fn parse(name: &str) -> Option<Self> {
        match name {
            "refresh_token" => Some(Self::RefreshToken),
            "client_credentials" => Some(Self::ClientCredentials),
            _ => None,
        }
    }
}

impl std::fmt::Display for Grant {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::RefreshToken => "refresh_token",
            Self::ClientCredentials => "client_credentials",
        })
    }
}

/// Fails if the profile cannot request tokens for the application itself.
pub(super) fn ensure_client_credentials(profile: &Profile) -> Result<(), ConfigurationError> {
    let name = &profile.name;
    if profile.credential.is_none() {
        let message = format!("the profile \"{name}\" has grant = \"client_credentials\", but no credential");
        return Err(ConfigurationError::new(None, message)
            .hint_in_file("set client_secret or client_certificate, as in the app registration"));
    }
    // A tenant that stands for many has no application of its own (Microsoft: "client credentials flow").
    if ["common", "organizations", "consumers"].contains(&profile.authority.tenant()) {
        let message = format!(
            "the profile \"{name}\" has grant = \"client_credentials\", which needs the tenant of the application, not \
             \"{}\"",
            profile.authority.tenant()
        );
        return Err(ConfigurationError::new(None, message).hint_in_file("set tenant to its ID or domain"));
    }
    match profile.scopes.as_slice() {
        [scope] if scope.ends_with("/.default") => Ok(()),
        scopes => {
            let scopes: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
            let message = format!(
                "with grant = \"client_credentials\", the profile \"{name}\" must have one scope that ends with /.default, \
                 not {scopes:?}"
            );
            Err(ConfigurationError::new(None, message).hint_in_file(format!(
                "set {} = [\"{}\"]",
                form("scopes").key,
                default_scope(name, profile.cloud)
            )))
        }
    }
}

/// Returns the scope of a profile that names none: all permissions that an administrator granted to the application.
pub(super) fn default_scope(name: &ProfileName, cloud: Cloud) -> String {
    match name.as_str() {
        "calendar" | "send" => format!("https://{}/.default", cloud.graph_host()),
        _ => format!("{}/.default", cloud.application_mail_resource()),
    }
}
