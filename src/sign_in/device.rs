//! The sign-in with a code that the user enters on another device (device authorization grant, RFC 8628).

use std::time::{Duration, Instant};

use super::port::ssh_forward;
use super::{SignIn, SignInOutcome};
use crate::entra::DeviceCode;
use crate::error::{Error, Result};

/// How often the remaining time is shown.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// A sign-in that waits for the user to enter the code.
pub(crate) struct DeviceSignIn<'a> {
    sign_in: &'a SignIn<'a>,
    code: DeviceCode,
    started: Instant,
}

impl<'a> DeviceSignIn<'a> {
    /// Requests a device code.
    pub(crate) fn begin(sign_in: &'a SignIn<'a>) -> Result<Self> {
        let code = sign_in.first_session().entra().device_code()?;
        Ok(Self { sign_in, code, started: Instant::now() })
    }

    pub(crate) fn code(&self) -> &DeviceCode {
        &self.code
    }

    /// Waits until the user has signed in, and stores the tokens. Calls `progress` with the time until the code
    /// expires.
    pub(crate) fn finish(self, progress: impl Fn(Duration)) -> Result<SignInOutcome> {
        let pause = |length: Duration| {
            let start = Instant::now();
            while let Some(left) = length.checked_sub(start.elapsed()).filter(|left| !left.is_zero()) {
                progress(self.code.expires_in().saturating_sub(self.started.elapsed()));
                std::thread::sleep(left.min(POLL_INTERVAL));
            }
        };
        let tokens = self
            .sign_in
            .first_session()
            .entra()
            .device_tokens(&self.code, pause)
            .map_err(|error| self.explain(error))?;
        self.sign_in.store(tokens)
    }

    /// Replaces the hint of refusals that concern device codes only.
    fn explain(&self, error: Error) -> Error {
        let profile = self.sign_in.first_session().profile();
        match error.refusal().and_then(|refusal| refusal.code) {
            // Many organisations block this flow because it is used for phishing (Microsoft: "Block authentication
            // flows with Conditional Access policy").
            Some(53003 | 530_032 | 530_035) => {
                let name = &profile.name;
                let forward = ssh_forward(&profile.redirect_uri);
                error.hint(format!(
                    "run `get-token --profile {name:#}` to sign in with a browser: many organisations block \
                     only the sign-in with a device code; on a remote machine, connect with `{forward}` and add --server"
                ))
            }
            // In the other flows, the type of the redirect URI decides whether the client is public. A device code
            // request has no redirect URI.
            Some(7_000_218) => error.hint(format!(
                "turn on \"Allow public client flows\" under Authentication in the app registration {}, or set \
                 client_secret in {}",
                profile.client_id.as_str(),
                profile.file.display()
            )),
            _ => error,
        }
    }
}
