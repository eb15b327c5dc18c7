//! Sign in with a code on another device (RFC 8628; Microsoft: "device authorization grant").

use std::cell::RefCell;
use std::time::Duration;

use oauth2::{HttpRequest, HttpResponse, RequestTokenError, StandardDeviceAuthorizationResponse};

use super::{Entra, Repeatable, Tokens, http, into_error, refusal};
use crate::error::{Error, ErrorKind, Refusal, Result};
use crate::sanitize::for_terminal;

/// Of a device code; Microsoft's live for 15 minutes.
const MAX_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// Between two questions whether the person has decided; Microsoft's is 5 seconds.
const MAX_INTERVAL: Duration = Duration::from_secs(60);

/// What the person is shown, and what the program asks with.
pub(crate) struct DeviceCode(StandardDeviceAuthorizationResponse);

impl DeviceCode {
    /// The library waits for as long as the answer says, and asks without a pause where it says so.
    pub(crate) fn validate(code: StandardDeviceAuthorizationResponse) -> Result<Self> {
        let interval = code.interval();
        if code.expires_in() > MAX_LIFETIME || interval.is_zero() || interval > MAX_INTERVAL {
            return Err(http::unexpected_response("a device code of such a lifetime or interval is none"));
        }
        Ok(Self(code))
    }

    /// Where the person enters the code.
    pub(crate) fn address(&self) -> String {
        for_terminal(self.0.verification_uri())
    }

    pub(crate) fn user_code(&self) -> String {
        for_terminal(self.0.user_code().secret())
    }

    pub(crate) fn expires_in(&self) -> Duration {
        self.0.expires_in()
    }
}

impl Entra<'_> {
    /// A code for the profile's scopes alone. The token request of a device code names none (RFC 8628, 3.4), so that
    /// Microsoft refuses it where the person consented to several services at once (AADSTS28000;
    /// MicrosoftDocs/azure-docs#42565).
    pub(crate) fn device_code(&self) -> Result<DeviceCode> {
        self.client
            .exchange_device_code()
            .add_scopes(self.profile.scopes.iter().cloned())
            .request(&|request| self.http.post(request, Repeatable::Always))
            .map_err(into_error)
            .and_then(DeviceCode::validate)
    }

    /// Asks until the person has decided, or the code has expired. The library keeps the pace: the interval, `slow_down`,
    /// and longer pauses while the network is down. `pause` is called for each.
    pub(crate) fn device_tokens(&self, code: &DeviceCode, pause: impl Fn(Duration)) -> Result<Tokens> {
        self.poll(code, pause, |request| self.http.send_once(request))
    }

    pub(crate) fn poll(
        &self,
        code: &DeviceCode,
        pause: impl Fn(Duration),
        send: impl Fn(HttpRequest) -> Result<HttpResponse>,
    ) -> Result<Tokens> {
        // The library's own errors know neither Microsoft's code nor our hints; and what stood in the way when the time
        // ran out is worth more than that it ran out.
        let last: RefCell<Option<Error>> = RefCell::default();
        let ask = |request: HttpRequest| {
            let asked = send(request);
            last.replace(asked.as_ref().err().cloned());
            let answer = asked?;
            let waits = refusal::parse(answer.body())
                .is_some_and(|refusal| ["authorization_pending", "slow_down"].contains(&refusal.error.as_str()));
            let error = http::success(answer.clone(), self.profile).err().filter(|_| !waits);
            last.replace(error.clone());
            match error {
                // It is_transient: an error makes the library try again, and more slowly.
                Some(error) if [ErrorKind::TryLater, ErrorKind::Protocol].contains(&error.kind()) => Err(error),
                _ => Ok(answer),
            }
        };
        let answer = self.client.exchange_device_access_token(&code.0).request(&ask, pause, None);
        match (answer, last.into_inner()) {
            (Ok(answer), _) => self.tokens(answer, None),
            (Err(_), Some(error)) => Err(error),
            // The library's clock ran out before Microsoft's did.
            (Err(RequestTokenError::ServerResponse(_)), None) => {
                Err(refusal::into_error(Refusal::from_redirect("expired_token", ""), http::BAD_REQUEST, self.profile))
            }
            (Err(_), None) => Err(http::unexpected_response("it is no token response")),
        }
    }
}
