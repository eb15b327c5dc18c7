//! The types of tokens. They are redacted when printed, and cannot be serialized.

use std::fmt;

macro_rules! token {
    ($(#[$attribute:meta])* $name:ident) => {
        $(#[$attribute])*
        ///
        /// `{:?}` does not show the token.
        #[derive(Clone)]
        pub struct $name(String);

        impl $name {
            pub(crate) fn new(secret: String) -> Self {
                Self(secret)
            }

            /// Returns the token, which must not reach a log or another user.
            #[must_use]
            pub fn secret(&self) -> &str {
                &self.0
            }

            /// Returns the token, which must not reach a log or another user.
            #[must_use]
            pub fn into_secret(self) -> String {
                self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(concat!(stringify!($name), "([redacted])"))
            }
        }
    };
}

token! {
    /// A token for a mail or calendar server, valid for about an hour.
    AccessToken
}

token! {
    /// A token for the identity platform, which issues access tokens for it. It expires after 90 days without use.
    RefreshToken
}
