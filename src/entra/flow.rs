//! What a token request belongs to. The wording of errors depends on it: a sign-in does not use the stored token, and
//! the hint of a failed `get-token` is to run `get-token` again.

use crate::config::Profile;
use crate::error::{Error, ErrorKind};

/// What a token request belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// A sign-in with a browser.
    AuthorizationCode,
    /// A sign-in with a device code.
    DeviceCode,
    /// A refresh token that is not stored yet: one from stdin, or one that a further profile redeems after a sign-in.
    UnstoredToken,
    /// A refresh of the stored token.
    Refresh,
    /// A request of the application for itself. Nobody signs in.
    ClientCredentials,
}

impl Flow {
    /// Returns whether the user is signing in.
    pub(super) fn is_sign_in(self) -> bool {
        matches!(self, Self::AuthorizationCode | Self::DeviceCode)
    }

    /// Returns what is exchanged for tokens.
    pub(super) fn grant(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization code",
            Self::DeviceCode => "device code",
            Self::UnstoredToken | Self::Refresh => "refresh token",
            Self::ClientCredentials => "client credential",
        }
    }

    /// Returns the command that signs in, with "again" if it is the command that is running.
    pub(super) fn get_token(self, profile: &Profile) -> String {
        let name = &profile.name;
        match self {
            Self::AuthorizationCode => format!("`get-token --profile {name:#}` again"),
            Self::DeviceCode => format!("`get-token --device --profile {name:#}` again"),
            Self::UnstoredToken | Self::Refresh | Self::ClientCredentials => format!("`get-token --profile {name:#}`"),
        }
    }

    /// Adds to the hint of a temporary failure that the stored token is kept, if the request used it.
    pub(super) fn mention_stored_token(self, error: Error) -> Error {
        let is_temporary = [ErrorKind::TryLater, ErrorKind::Protocol].contains(&error.kind());
        match error.next_step().filter(|_| is_temporary && self == Self::Refresh) {
            Some(hint) => {
                let hint = format!("{hint}; the stored token is kept");
                error.hint(hint)
            }
            None => error,
        }
    }
}
