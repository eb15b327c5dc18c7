//! Sign in with a code on another device.

use std::time::{Duration, Instant};

use super::{SignIn, SignInOutcome};
use crate::entra::DeviceCode;
use crate::error::{Error, Result};

/// How often the progress is shown.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// A sign-in that waits for the person to enter the code.
pub(crate) struct DeviceSignIn<'a> {
    sign_in: &'a SignIn<'a>,
    code: DeviceCode,
    begun: Instant,
}

impl<'a> DeviceSignIn<'a> {
    pub(crate) fn begin(sign_in: &'a SignIn<'a>) -> Result<Self> {
        let code = sign_in.leading().entra().device_code()?;
        Ok(Self { sign_in, code, begun: Instant::now() })
    }

    pub(crate) fn code(&self) -> &DeviceCode {
        &self.code
    }

    /// Waits for the person. `progress` is called now and then with the time that is left.
    pub(crate) fn finish(self, progress: impl Fn(Duration)) -> Result<SignInOutcome> {
        let pause = |length: Duration| {
            let begun = Instant::now();
            while let Some(left) = length.checked_sub(begun.elapsed()).filter(|left| !left.is_zero()) {
                progress(self.code.expires_in().saturating_sub(self.begun.elapsed()));
                std::thread::sleep(left.min(POLL_INTERVAL));
            }
        };
        let tokens =
            self.sign_in.leading().entra().device_tokens(&self.code, pause).map_err(|error| self.explained(error))?;
        self.sign_in.store(tokens)
    }

    /// Organisations often forbid device codes alone, since these are used to deceive people; and so do registrations.
    fn explained(&self, error: Error) -> Error {
        let name = &self.sign_in.leading().profile().name;
        match error.refusal().and_then(|refusal| refusal.code) {
            Some(53003 | 530_032 | 530_035) => error.hint(format!(
                "many organisations forbid device codes alone: try `get-token --profile {name:#}` with the browser of this \
                 machine, over SSH with the browser of yours, or with `ssh -L` and --server"
            )),
            // Elsewhere it is the redirect address that makes a public client; here there is none.
            Some(7_000_218) => error.hint(
                "switch on \"Allow public client flows\" in the app registration (Authentication), or set client_secret",
            ),
            _ => error,
        }
    }
}
