//! Sign-in with a code on another device (RFC 8628; Microsoft: "device authorization grant").

use std::cell::{Cell, RefCell};
use std::time::Duration;

use oauth2::{HttpRequest, HttpResponse, RequestTokenError, StandardDeviceAuthorizationResponse};

use super::{Entra, Flow, Tokens, http, into_error, refusal};
use crate::error::{Error, ErrorKind, Refusal, Result};
use crate::sanitize::for_terminal;

/// The longest lifetime of a device code that is accepted. Microsoft's expire after 15 minutes.
const MAX_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// The longest polling interval that is accepted. Microsoft's is 5 seconds.
const MAX_INTERVAL: Duration = Duration::from_secs(60);

/// A device code with its user code and verification URI.
pub(crate) struct DeviceCode(StandardDeviceAuthorizationResponse);

impl DeviceCode {
    /// Rejects extreme values, because the oauth2 crate follows them: it would wait for years, or poll without a pause.
    pub(crate) fn validate(code: StandardDeviceAuthorizationResponse) -> Result<Self> {
        let interval = code.interval();
        if code.expires_in() > MAX_LIFETIME || interval.is_zero() || interval > MAX_INTERVAL {
            return Err(http::unexpected_response(format!(
                "the device code is valid for {} s and polled every {} s, which is out of range",
                code.expires_in().as_secs(),
                interval.as_secs()
            )));
        }
        Ok(Self(code))
    }

    /// The page where the user code is entered.
    pub(crate) fn address(&self) -> String {
        for_terminal(self.0.verification_uri())
    }

    /// The code to enter there.
    pub(crate) fn user_code(&self) -> String {
        for_terminal(self.0.user_code().secret())
    }

    pub(crate) fn expires_in(&self) -> Duration {
        self.0.expires_in()
    }
}

impl Entra<'_> {
    /// Requests a device code for the scopes of this profile only. The token request of the device flow has no `scope`
    /// (RFC 8628, 3.4), so Microsoft refuses it for a code with scopes of several services (AADSTS28000;
    /// MicrosoftDocs/azure-docs#42565).
    pub(crate) fn device_code(&self) -> Result<DeviceCode> {
        let mut request = self.client.exchange_device_code().add_scopes(self.profile.scopes.iter().cloned());
        if let Some(claims) = &self.claims {
            request = request.add_extra_param("claims", claims);
        }
        request
            .request(&|request| self.http.post(request, Flow::DeviceCode))
            .map_err(into_error)
            .and_then(DeviceCode::validate)
    }

    /// Polls until the sign-in is completed or declined, or the code has expired. The oauth2 crate paces the requests:
    /// the interval, `slow_down`, and longer pauses while the network is down. `pause` is called to wait.
    pub(crate) fn device_tokens(&self, code: &DeviceCode, pause: impl Fn(Duration)) -> Result<Tokens> {
        self.poll(code, pause, |request| self.http.post_once(request))
    }

    pub(crate) fn poll(
        &self,
        code: &DeviceCode,
        pause: impl Fn(Duration),
        send: impl Fn(HttpRequest) -> Result<HttpResponse>,
    ) -> Result<Tokens> {
        // The errors of the oauth2 crate contain neither the AADSTS code nor our hints. And if the code expires while
        // the network is down, the network error is the better message.
        let last_error: RefCell<Option<Error>> = RefCell::default();
        let answered_at = Cell::new(0);
        let send = |request: HttpRequest| {
            let result = send(request);
            last_error.replace(result.as_ref().err().cloned());
            let response = result?;
            answered_at.set(http::time_of(&response));
            let is_pending = refusal::parse(response.body())
                .is_some_and(|refusal| ["authorization_pending", "slow_down"].contains(&refusal.error.as_str()));
            let error = http::success(response.clone(), self.profile, Flow::DeviceCode).err().filter(|_| !is_pending);
            last_error.replace(error.clone());
            match error {
                // Transient: an error makes the oauth2 crate retry after a longer pause.
                Some(error) if [ErrorKind::TryLater, ErrorKind::Protocol].contains(&error.kind()) => Err(error),
                _ => Ok(response),
            }
        };
        let mut exchange = self.client.exchange_device_access_token(&code.0);
        if let Some(claims) = &self.claims {
            exchange = exchange.add_extra_param("claims", claims);
        }
        let result = exchange.request(&send, pause, None);
        match (result, last_error.into_inner()) {
            (Ok(response), _) => self.tokens(response, Flow::DeviceCode, None, answered_at.get()),
            (Err(_), Some(error)) => Err(error),
            // By our clock the code has expired, before Microsoft said so.
            (Err(RequestTokenError::ServerResponse(_)), None) => {
                let refusal = Refusal::from_redirect("expired_token", "");
                Err(refusal::into_error(refusal, http::BAD_REQUEST, self.profile, Flow::DeviceCode))
            }
            (Err(_), None) => Err(http::unexpected_response("it is not a token response")),
        }
    }
}
