//! What is said to the Microsoft identity platform (v2.0): the address to sign in at, the exchange of a code, and the
//! refresh. How it is said stands in [`http`], what a refusal means in [`refusal`] and [`aadsts`].

mod aadsts;
mod device;
pub(crate) mod http;
pub(crate) mod id_token;
pub(crate) mod refusal;
pub(crate) mod retry;
mod tls;
mod token_response;

use std::borrow::Cow;

use oauth2::basic::{BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse};
use oauth2::{
    AccessToken, AuthType, AuthUrl, AuthorizationCode, CsrfToken, DeviceAuthorizationUrl, EndpointNotSet, EndpointSet,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError, Scope, StandardRevocableToken,
    TokenResponse, TokenUrl,
};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::config::Profile;
use crate::error::{Error, ErrorKind, Result};
use crate::sanitize::is_well_formed_token;
use crate::unix_time::now;
pub(crate) use device::DeviceCode;
use http::HttpClient;
pub use id_token::Account;
pub(crate) use refusal::token_is_refused;
use retry::Repeatable;
pub(crate) use tls::tls_configuration;
use token_response::EntraTokenResponse;

/// 256 bits for `state` and nonce: nobody guesses them within a sign-in.
const RANDOM_BYTES: u32 = 32;

/// How long a refresh token lives unused, in days (Microsoft: "Refresh tokens in the Microsoft identity platform").
pub(crate) const REFRESH_TOKEN_DAYS: u64 = 90;

/// One profile's line to the identity platform.
pub(crate) struct Entra<'a> {
    pub(crate) profile: &'a Profile,
    pub(crate) client: Client,
    http: HttpClient<'a>,
}

type Client = oauth2::Client<
    BasicErrorResponse,
    EntraTokenResponse,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,    // authorization
    EndpointSet,    // device authorization
    EndpointNotSet, // introspection
    EndpointNotSet, // revocation
    EndpointSet,    // token
>;

/// A sign-in that was begun: where the person goes, and the secrets that the answer must fit.
pub(crate) struct AuthorizationRequest {
    pub(crate) url: Url,
    pub(crate) state: CsrfToken,
    redirect_uri: RedirectUrl,
    nonce: CsrfToken,
    verifier: PkceCodeVerifier,
}

/// What the token endpoint handed out.
pub(crate) struct Tokens {
    pub(crate) access: Access,
    /// None where the one that was sent stays good.
    pub(crate) refresh_token: Option<RefreshToken>,
}

/// An access token, and what is known of it. All of that comes from Microsoft's answer: the token itself is for the
/// service alone to read (Microsoft: "Access tokens").
#[derive(Clone, Debug, Deserialize, Serialize)]
#[non_exhaustive]
pub struct Access {
    /// Redacted wherever it is printed with `{:?}`.
    pub token: AccessToken,
    /// When it ends, in seconds since 1970.
    pub expires: Option<u64>,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// Whose it is.
    pub account: Option<Account>,
}

impl<'a> Entra<'a> {
    pub(crate) fn new(profile: &'a Profile) -> Self {
        let endpoint = |path| profile.authority.endpoint(path);
        let mut client = oauth2::Client::new(profile.client_id.clone())
            .set_auth_uri(AuthUrl::from_url(endpoint("oauth2/v2.0/authorize")))
            .set_device_authorization_url(DeviceAuthorizationUrl::from_url(endpoint("oauth2/v2.0/devicecode")))
            .set_token_uri(TokenUrl::from_url(endpoint("oauth2/v2.0/token")))
            // Microsoft's documentation shows the client in the body alone, and a public client has no other way.
            .set_auth_type(AuthType::RequestBody);
        if let Some(secret) = &profile.client_secret {
            client = client.set_client_secret(secret.clone());
        }
        Self { profile, client, http: HttpClient::new(profile) }
    }

    /// Makes ready for a request, which takes some milliseconds. What goes wrong is told by the request.
    pub(crate) fn warm_up(&self) {
        _ = self.http.client();
    }

    /// Where the person signs in: code flow with PKCE (RFC 7636), `state` and nonce. The redirect URI is the profile's,
    /// perhaps with the port that was free. Consent may be asked for several services at once (Microsoft), so that one
    /// sign-in can serve more profiles.
    pub(crate) fn authorization_request(&self, redirect_uri: RedirectUrl, more: &[Scope]) -> AuthorizationRequest {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let nonce = CsrfToken::new_random_len(RANDOM_BYTES);
        let mut request = self
            .client
            .authorize_url(|| CsrfToken::new_random_len(RANDOM_BYTES))
            .set_pkce_challenge(challenge)
            .set_redirect_uri(Cow::Borrowed(&redirect_uri))
            .add_scopes(self.profile.scopes.iter().chain(more).cloned())
            .add_extra_param("response_mode", "query")
            .add_extra_param("nonce", nonce.secret());
        request = match &self.profile.username {
            Some(username) => request.add_extra_param("login_hint", username),
            // Else whoever is signed in to the browser is taken unasked, be it the wrong account.
            None => request.add_extra_param("prompt", "select_account"),
        };
        let (url, state) = request.url();
        AuthorizationRequest { url, state, redirect_uri, nonce, verifier }
    }

    /// Exchanges the authorization code that the browser brought back.
    pub(crate) fn exchange(&self, code: AuthorizationCode, request: AuthorizationRequest) -> Result<Tokens> {
        let answer = self
            .client
            .exchange_code(code)
            .set_pkce_verifier(request.verifier)
            .set_redirect_uri(Cow::Owned(request.redirect_uri))
            // Microsoft wants the scopes of one resource named here too; RFC 6749 and the library know none.
            .add_extra_param("scope", self.scopes())
            .request(&|request| self.http.post(request, Repeatable::UntilAnswered))
            .map_err(into_error)?;
        self.tokens(answer, Some(request.nonce.secret()))
    }

    /// Exchanges a refresh token for an access token, and mostly for a new refresh token.
    pub(crate) fn refresh(&self, refresh_token: &RefreshToken) -> Result<Tokens> {
        let answer = self
            .client
            .exchange_refresh_token(refresh_token)
            .add_scopes(self.profile.scopes.iter().cloned())
            .request(&|request| self.http.post(request, Repeatable::Always))
            .map_err(into_error)?;
        self.tokens(answer, None)
    }

    /// The authority's own description of itself, for the sake of the way there: the answer's `Date`.
    pub(crate) fn discover(&self) -> Result<Option<String>> {
        let address = self.profile.authority.endpoint("v2.0/.well-known/openid-configuration");
        let answer = self.http.get(address.as_str(), None)?;
        let answer = http::success(answer, self.profile)?;
        let date = answer.headers().get("date").and_then(|date| date.to_str().ok());
        Ok(date.map(str::to_owned))
    }

    /// Whom Microsoft Graph sees behind the token.
    pub(crate) fn graph_me(&self, token: &AccessToken) -> Result<String> {
        let server = &self.profile.graph_server;
        let answer = self.http.get(&format!("https://{server}/v1.0/me"), Some(token))?;
        match answer.status().as_u16() {
            200 => Ok(format!("{server} knows the account")),
            // The token is good for what it asks, and this asks for more than a calendar does.
            403 => Ok(format!("{server} takes the token; it does not ask for the profile itself")),
            status => Err(Error::new(ErrorKind::SignIn, format!("{server} refuses the token ({status})"))
                .hint("compare the profile's scopes with what the app registration may do")),
        }
    }

    fn scopes(&self) -> String {
        self.profile.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" ")
    }

    pub(crate) fn tokens(&self, answer: EntraTokenResponse, nonce: Option<&str>) -> Result<Tokens> {
        if answer.access_token().secret().is_empty() && answer.refresh_token().is_none() {
            return Err(http::unexpected_response("it is no token response"));
        }
        let account = match id_token::account(answer.id_token(), &self.profile.client_id, nonce) {
            // Without a nonce there is nothing to prove: the tokens came for a secret that we sent, and are good.
            Err(error) if nonce.is_none() => {
                log::warn!("the account is not known: {error}");
                None
            }
            account => account?,
        };
        let access = Access {
            token: answer.access_token().clone(),
            expires: answer.expires_in().map(|lifetime| now().saturating_add(lifetime.as_secs())),
            scopes: answer.scopes().cloned().unwrap_or_default(),
            account,
        };
        // What would not be loaded again must not replace one that is.
        let refresh_token = answer.refresh_token().filter(|token| is_well_formed_token(token.secret())).cloned();
        Ok(Tokens { access, refresh_token })
    }
}

/// Whether a program that reads one line, or a header, takes it.
pub(crate) fn ensure_well_formed(token: &AccessToken) -> Result<()> {
    match is_well_formed_token(token.secret()) {
        true => Ok(()),
        false => Err(http::unexpected_response("the access token in it is none")),
    }
}

/// The library's error as ours. Its `Parse` carries the whole answer, tokens included: only the fact is kept.
pub(crate) fn into_error(error: RequestTokenError<Error, BasicErrorResponse>) -> Error {
    match error {
        RequestTokenError::Request(error) => error,
        RequestTokenError::ServerResponse(_) => http::unexpected_response("it is an error that says success"),
        RequestTokenError::Parse(..) => http::unexpected_response("it is no token response"),
        RequestTokenError::Other(_) => http::unexpected_response("it is no JSON"),
    }
}
