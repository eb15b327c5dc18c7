//! The client of the Microsoft identity platform (v2.0): builds authorization requests, exchanges authorization codes
//! and redeems refresh tokens. [`http`] sends the requests; [`refusal`] and [`aadsts`] explain error responses.

mod aadsts;
mod certificate;
mod client_authentication;
#[cfg(test)]
pub(crate) mod codes_page;
mod device;
mod dns;
mod flow;
pub(crate) mod http;
pub(crate) mod id_token;
mod lifetime;
mod network_error;
pub(crate) mod permission;
mod proxy;
pub(crate) mod refusal;
pub(crate) mod retry;
mod suberror;
mod tls;
mod token_response;

use std::borrow::Cow;
use std::cell::Cell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use oauth2::basic::{BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse};
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, CsrfToken, DeviceAuthorizationUrl, EndpointNotSet, EndpointSet, HttpRequest,
    HttpResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope, StandardRevocableToken,
    TokenResponse, TokenUrl,
};
use url::Url;

use crate::config::Profile;
use crate::error::{Error, ErrorKind, Refusal, Result};
use crate::patience::Patience;
use crate::sanitize::is_well_formed_token;
use crate::token::{AccessToken, RefreshToken};
use crate::unix_time::now;
pub(crate) use aadsts::admin_consent;
pub(crate) use certificate::ClientCertificate;
pub(crate) use device::DeviceCode;
pub(crate) use flow::Flow;
use http::HttpClient;
pub use id_token::Account;
pub(crate) use id_token::CLOCK_TOLERANCE;
use id_token::IdToken;
pub(crate) use lifetime::Lifetime;
pub(crate) use network_error::{certificate_hint, refusal_of_certificate};
pub(crate) use proxy::proxy_for;
pub(crate) use refusal::{is_policy, token_is_refused};
pub(crate) use tls::tls_configuration;
use token_response::EntraTokenResponse;

/// The length of `state` and nonce: 256 bits cannot be guessed during a sign-in.
const RANDOM_BYTES: u32 = 32;

/// Days without use after which a refresh token expires (Microsoft: "Refresh tokens in the Microsoft identity
/// platform").
pub(crate) const REFRESH_TOKEN_DAYS: u64 = 90;

/// The identity platform as seen by one profile.
pub(crate) struct Entra<'a> {
    pub(crate) profile: &'a Profile,
    pub(crate) client: Client,
    http: HttpClient<'a>,
    /// What Microsoft demanded in its last refusal, as JSON (Microsoft: "Claims challenges").
    claims: Option<String>,
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

/// A sign-in in progress: the URL to open, and the secrets that the response is checked against.
pub(crate) struct AuthorizationRequest {
    pub(crate) url: Url,
    pub(crate) state: CsrfToken,
    redirect_uri: RedirectUrl,
    nonce: CsrfToken,
    verifier: PkceCodeVerifier,
}

/// The tokens of one token response.
pub(crate) struct Tokens {
    pub(crate) access: Access,
    /// The new refresh token. `None` if the one that was sent remains valid.
    pub(crate) refresh_token: Option<RefreshToken>,
    /// The account in an id_token that is not valid.
    unverified_account: Option<Account>,
}

impl Tokens {
    /// Returns the account that the id_token names, verified or not: if it is another one than expected, the tokens
    /// must not be used.
    pub(crate) fn named_account(&self) -> Option<&Account> {
        self.access.account.as_ref().or(self.unverified_account.as_ref())
    }
}

/// An access token with its expiry, scopes and account.
///
/// These come from the token response. The access token itself is never parsed, because only the service that it was
/// issued for may read it (Microsoft: "Access tokens").
///
/// It cannot be serialized, so it does not reach a file by mistake:
///
/// ```compile_fail,E0277
/// fn serialize(_: impl serde::Serialize) {}
/// fn save(access: m365auth::Access) {
///     serialize(access);
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Access {
    pub(crate) token: AccessToken,
    /// When the token is renewed, if the response said when it expires.
    pub(crate) lifetime: Option<Lifetime>,
    pub(crate) scopes: Vec<Scope>,
    pub(crate) account: Option<Account>,
}

impl Access {
    /// Returns the access token.
    #[must_use]
    pub fn token(&self) -> &AccessToken {
        &self.token
    }

    /// Returns the access token without the rest.
    #[must_use]
    pub fn into_token(self) -> AccessToken {
        self.token
    }

    /// Returns when the token expires, or `None` if Microsoft did not say.
    #[must_use]
    pub fn expires_at(&self) -> Option<SystemTime> {
        UNIX_EPOCH.checked_add(Duration::from_secs(self.lifetime?.expires))
    }

    /// Returns the scopes that were granted, as the response names them. They may be fewer than the profile's.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.scopes.iter().map(|scope| scope.as_str())
    }

    /// Returns the account that signed in, if it is known.
    #[must_use]
    pub fn account(&self) -> Option<&Account> {
        self.account.as_ref()
    }
}

impl<'a> Entra<'a> {
    pub(crate) fn new(profile: &'a Profile, patience: Patience, claims: Option<String>) -> Self {
        let endpoint = |path| profile.authority.endpoint(path);
        let client = oauth2::Client::new(profile.client_id.clone())
            .set_auth_uri(AuthUrl::from_url(endpoint("oauth2/v2.0/authorize")))
            .set_device_authorization_url(DeviceAuthorizationUrl::from_url(endpoint("oauth2/v2.0/devicecode")))
            .set_token_uri(TokenUrl::from_url(endpoint("oauth2/v2.0/token")))
            // The client ID is sent in the request body, as `client_authentication` sends the credential.
            .set_auth_type(AuthType::RequestBody);
        Self { profile, client, http: HttpClient::new(profile, patience), claims }
    }

    /// Builds the HTTP client and looks up the login host ahead of the first request, which takes some milliseconds. The
    /// request reports any error.
    pub(crate) fn warm_up(&self) {
        self.http.warm_up(&self.profile.authority.endpoint(""));
    }

    /// Begins the authorization code flow with PKCE (RFC 7636), `state` and nonce.
    ///
    /// `redirect_uri` is the profile's, with the port of the callback. `extra_scopes` belong to other profiles: one
    /// authorization request may ask for consent to several services (Microsoft: "authorization code flow"), so
    /// one sign-in serves them all.
    pub(crate) fn authorization_request(
        &self,
        redirect_uri: RedirectUrl,
        extra_scopes: &[Scope],
    ) -> AuthorizationRequest {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let nonce = CsrfToken::new_random_len(RANDOM_BYTES);
        let mut request = self
            .client
            .authorize_url(|| CsrfToken::new_random_len(RANDOM_BYTES))
            .set_pkce_challenge(challenge)
            .set_redirect_uri(Cow::Borrowed(&redirect_uri))
            .add_scopes(self.profile.scopes.iter().chain(extra_scopes).cloned())
            .add_extra_param("response_mode", "query")
            .add_extra_param("nonce", nonce.secret());
        if let Some(claims) = &self.claims {
            request = request.add_extra_param("claims", claims);
        }
        request = match &self.profile.username {
            Some(username) => request.add_extra_param("login_hint", username),
            // Without it, Microsoft silently uses the account that is signed in to the browser, even a wrong one.
            None => request.add_extra_param("prompt", "select_account"),
        };
        let (url, state) = request.url();
        AuthorizationRequest { url, state, redirect_uri, nonce, verifier }
    }

    /// Exchanges the authorization code of the redirect for tokens.
    pub(crate) fn exchange(&self, code: AuthorizationCode, request: AuthorizationRequest) -> Result<Tokens> {
        let answered_at = Cell::new(0);
        let mut exchange = self
            .client
            .exchange_code(code)
            .set_pkce_verifier(request.verifier)
            .set_redirect_uri(Cow::Owned(request.redirect_uri))
            // Microsoft requires the scopes of one resource here; RFC 6749 and the oauth2 crate have no such parameter.
            .add_extra_param("scope", self.scopes());
        if let Some(claims) = &self.claims {
            exchange = exchange.add_extra_param("claims", claims);
        }
        let response = exchange
            .request(&|request| self.post(request, Flow::AuthorizationCode, &answered_at))
            .map_err(into_error)?;
        self.tokens(response, Flow::AuthorizationCode, Some(request.nonce.secret()), answered_at.get())
    }

    /// Redeems a refresh token for an access token and, in most responses, a new refresh token.
    pub(crate) fn refresh(&self, refresh_token: &RefreshToken, flow: Flow) -> Result<Tokens> {
        let answered_at = Cell::new(0);
        let refresh_token = oauth2::RefreshToken::new(refresh_token.secret().to_owned());
        let mut exchange =
            self.client.exchange_refresh_token(&refresh_token).add_scopes(self.profile.scopes.iter().cloned());
        if let Some(claims) = &self.claims {
            exchange = exchange.add_extra_param("claims", claims);
        }
        let response = exchange.request(&|request| self.post(request, flow, &answered_at)).map_err(into_error);
        let tokens = response.and_then(|response| self.tokens(response, flow, None, answered_at.get()));
        tokens.map_err(|error| flow.mention_stored_token(error))
    }

    /// Requests an access token for the application itself (RFC 6749, 4.4).
    pub(crate) fn client_credentials(&self) -> Result<Tokens> {
        let flow = Flow::ClientCredentials;
        let request = self.client.exchange_client_credentials().add_scopes(self.profile.scopes.iter().cloned());
        let response = request.request(&|request| self.http.post(request, flow)).map_err(into_error)?;
        self.tokens(response, flow, None, now())
    }

    /// Returns the error for a request that Microsoft refused to another process.
    pub(crate) fn explain_refusal(&self, refusal: Refusal, flow: Flow) -> Error {
        refusal::into_error(refusal, http::BAD_REQUEST, self.profile, flow)
    }

    /// Sends a token request, and notes when the server answered.
    fn post(&self, request: HttpRequest, flow: Flow, answered_at: &Cell<u64>) -> Result<HttpResponse> {
        let response = self.http.post(request, flow)?;
        answered_at.set(http::time_of(&response));
        Ok(response)
    }

    /// Fetches the OpenID configuration of the authority, to test the connection. Returns the `Date` of the response.
    pub(crate) fn discover(&self) -> Result<Option<String>> {
        let url = self.profile.authority.endpoint("v2.0/.well-known/openid-configuration");
        let response = self.http.get(url.as_str(), None)?;
        let response = http::success(response, self.profile, Flow::Refresh)?;
        let date = response.headers().get("date").and_then(|date| date.to_str().ok());
        Ok(date.map(str::to_owned))
    }

    /// Returns whether Microsoft Graph shows what is at this path below `/v1.0/me`.
    ///
    /// # Errors
    ///
    /// Graph rejects the token, or does not respond.
    pub(crate) fn can_read_graph(&self, token: &AccessToken, path: &str) -> Result<bool> {
        let server = &self.profile.graph_server;
        let response = self.http.get(&format!("https://{server}/v1.0/me{path}"), Some(token))?;
        match response.status().as_u16() {
            200 => Ok(true),
            // Reading the account needs User.Read, which few profiles have.
            403 if path.is_empty() => Ok(false),
            408 | 429 | 500.. => Err(http::busy(&server.to_string(), response.status())),
            404 if !path.is_empty() => {
                Err(Error::new(ErrorKind::SignIn, format!("{server} has no {path} for this account (HTTP status 404)"))
                    .hint("check whether the account has a mailbox in Exchange Online"))
            }
            status => {
                let message = match status {
                    401 | 403 => format!("{server} rejected the token (HTTP status {status})"),
                    _ => format!("the test request to {server} failed (HTTP status {status})"),
                };
                Err(Error::new(ErrorKind::SignIn, message).hint(format!(
                    "compare the scopes of profile \"{}\" in {} with the API permissions of client {}",
                    self.profile.name,
                    self.profile.file.display(),
                    self.profile.client_id.as_str()
                )))
            }
        }
    }

    fn scopes(&self) -> String {
        self.profile.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// Returns the tokens of a response. `answered_at` is the server's time in seconds since 1970.
    pub(crate) fn tokens(
        &self,
        response: EntraTokenResponse,
        flow: Flow,
        nonce: Option<&str>,
        answered_at: u64,
    ) -> Result<Tokens> {
        if response.access_token().secret().is_empty() && response.refresh_token().is_none() {
            return Err(http::unexpected_response("the response contains no token"));
        }
        let IdToken { account, fault } = match response.id_token() {
            // Nobody signed in (Microsoft: "client credentials flow").
            _ if flow == Flow::ClientCredentials => IdToken { account: None, fault: None },
            Some(id_token) => id_token::parse(id_token, self.profile, nonce, answered_at),
            None => IdToken { account: None, fault: Some("it is missing".to_owned()) },
        };
        match &fault {
            // In a refresh, the tokens were issued for a secret of ours, so they are valid even if the id_token is not.
            Some(fault) if !flow.is_sign_in() => log::warn!("the id_token in the response is not used: {fault}"),
            Some(fault) => return Err(self.invalid_id_token(fault, flow)),
            None => {}
        }
        let (account, unverified_account) = if fault.is_none() { (account, None) } else { (None, account) };
        let lifetime = response.lifetime(now());
        let access = Access {
            token: AccessToken::new(response.access_token().secret().clone()),
            lifetime,
            scopes: response.scopes().cloned().unwrap_or_default(),
            account,
        };
        // A malformed token could not be loaded again, so it must not replace the stored one.
        let refresh_token = response.refresh_token().map(|token| token.secret());
        let refresh_token = refresh_token.filter(|token| is_well_formed_token(token)).cloned().map(RefreshToken::new);
        Ok(Tokens { access, refresh_token, unverified_account })
    }

    fn invalid_id_token(&self, fault: &str, flow: Flow) -> Error {
        let again = flow.get_token(self.profile);
        Error::new(ErrorKind::Protocol, format!("the id_token in the response is not valid: {fault}"))
            .hint(format!("nothing was stored; run {again} and sign in at the URL that it shows"))
    }
}

/// Fails if the token does not fit on one line or into a header.
pub(crate) fn ensure_well_formed(token: &AccessToken) -> Result<()> {
    match is_well_formed_token(token.secret()) {
        true => Ok(()),
        false => Err(http::unexpected_response("the access token is not valid")),
    }
}

/// Converts an error of the oauth2 crate. `Parse` contains the whole response with its tokens, so its content is
/// dropped.
pub(crate) fn into_error(error: RequestTokenError<Error, BasicErrorResponse>) -> Error {
    match error {
        RequestTokenError::Request(error) => error,
        RequestTokenError::ServerResponse(_) => {
            http::unexpected_response("it is an error response in an unknown format")
        }
        RequestTokenError::Parse(..) => http::unexpected_response("it is not a token response"),
        // Mostly a Content-Type other than JSON.
        RequestTokenError::Other(_) => http::unexpected_response("it is not JSON"),
    }
}
