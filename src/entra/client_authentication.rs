//! How a confidential client authenticates itself at the token endpoint: with its secret (RFC 6749, 2.3.1) or with an
//! assertion that its certificate signs (RFC 7523, 2.2). Both go into the body of the request, as in
//! Microsoft's examples.

use oauth2::HttpRequest;
use url::form_urlencoded::Serializer;

use super::certificate::ClientCertificate;
use crate::config::{Credential, Profile};
use crate::error::Result;
use crate::patience::Patience;
use crate::user_programs::client_secret;

/// RFC 7523, 2.2.
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The credential of a profile, ready to be sent.
pub(super) enum ClientAuthentication {
    /// A public client has no credential.
    None,
    Secret(String),
    Certificate(Box<ClientCertificate>),
}

impl ClientAuthentication {
    /// Runs the program that prints the secret, or reads the certificate.
    pub(super) fn of(profile: &Profile, patience: Patience) -> Result<Self> {
        Ok(match &profile.credential {
            None => Self::None,
            Some(Credential::Secret(secret)) => Self::Secret(secret.secret().clone()),
            Some(Credential::SecretCommand(command)) => Self::Secret(client_secret(&profile.name, command, patience)?),
            Some(Credential::Certificate(files)) => Self::Certificate(Box::new(ClientCertificate::load(files)?)),
        })
    }

    /// Adds the credential to a request. Each attempt needs an assertion of its own.
    pub(super) fn add_to(&self, mut request: HttpRequest, profile: &Profile) -> Result<HttpRequest> {
        let client_id = profile.client_id.as_str();
        let parameters = match self {
            Self::None => return Ok(request),
            Self::Secret(secret) => vec![("client_secret", secret.clone())],
            Self::Certificate(certificate) => {
                let audience = profile.authority.endpoint("oauth2/v2.0/token");
                let assertion = certificate.assertion(client_id, audience.as_str())?;
                vec![("client_assertion_type", JWT_BEARER.to_owned()), ("client_assertion", assertion)]
            }
        };
        let body = String::from_utf8_lossy(request.body()).into_owned();
        *request.body_mut() = Serializer::new(body).extend_pairs(parameters).finish().into_bytes();
        Ok(request)
    }
}
