//! A refusal of the stored token also applies to the processes that wait for the lock: mail programs often start dozens
//! of them at once. A process that begins to wait later asks Microsoft again.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::config::{Credential, Profile};
use crate::error::{Error, ErrorKind, Refusal};
use crate::lock::Lock;

#[derive(Deserialize, Serialize)]
struct Refused {
    /// What was refused: the result of [`digest`].
    request: String,
    refusal: Refusal,
}

/// Returns the refusal of this request, if another process received it while this one was waiting for the lock.
pub(super) fn find(lock: &Lock, request: &str) -> Option<Refusal> {
    let messages = lock.messages();
    let mut refused = messages.iter().filter_map(|message| serde_json::from_str::<Refused>(message).ok());
    refused.find(|refused| refused.request == request).map(|refused| refused.refusal)
}

/// Leaves the refusal for the processes that are waiting for the lock.
pub(super) fn leave(lock: &Lock, request: String, error: &Error) {
    if let Some(refusal) = error.refusal().cloned().filter(|_| error.kind() != ErrorKind::TryLater)
        && let Ok(message) = serde_json::to_string(&Refused { request, refusal })
    {
        lock.leave_message(&message);
    }
}

/// Returns the SHA-256 of what the request redeems (the stored token, the broker's account, or nothing) and of what the
/// configuration adds to the request.
pub(super) fn digest(token: &str, profile: &Profile) -> String {
    hexadecimal(update(Sha256::new().chain_update(token).chain_update([0]), profile).finalize().as_slice())
}

/// Returns 64 bits of the SHA-256 of what the configuration adds to the request: enough to notice a change.
pub(super) fn configuration_digest(profile: &Profile) -> String {
    hexadecimal(&update(Sha256::new(), profile).finalize()[..8])
}

fn update(digest: Sha256, profile: &Profile) -> Sha256 {
    let Profile { client_id, credential, authority, scopes, grant, .. } = profile;
    let secret = match credential {
        Some(Credential::Secret(secret)) => secret.secret().clone(),
        Some(Credential::SecretCommand(command)) => command.join(" "),
        Some(Credential::Certificate(files)) => format!("{files:?}"),
        None => String::new(),
    };
    let (authority, grant) = (authority.to_string(), grant.to_string());
    let scopes = scopes.iter().map(|scope| scope.as_str());
    let parts = [client_id.as_str(), &secret, &authority, &grant].into_iter().chain(scopes);
    parts.fold(digest, |digest, part| digest.chain_update(part).chain_update([0]))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
