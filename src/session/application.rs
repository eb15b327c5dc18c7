//! An access token for the application itself: no person, no refresh token, no store.

use super::{Session, refused};
use crate::cache::IssuedFor;
use crate::entra::{self, Access, Entra, Flow};
use crate::error::Result;
use crate::lock::Lock;

impl Session {
    /// Requests a token with the credential of the application, unless Microsoft refused it while this process was
    /// waiting for the lock.
    pub(super) fn request_for_application(&self, entra: &Entra<'_>, lock: &Lock) -> Result<Access> {
        let request = refused::digest("", &self.profile);
        if let Some(refusal) = refused::find(lock, &request) {
            log::info!("Microsoft refused this request while this command was waiting");
            return Err(entra.explain_refusal(refusal, Flow::ClientCredentials));
        }
        let tokens = entra.client_credentials().inspect_err(|error| {
            refused::leave(lock, request, error);
            self.remember_refusal(error);
        })?;
        entra::ensure_well_formed(&tokens.access.token)?;
        self.stores.remove_refusal();
        self.reset_notification();
        self.cache(&tokens.access, IssuedFor::Application);
        Ok(tokens.access)
    }
}
