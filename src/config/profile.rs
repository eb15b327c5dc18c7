//! A profile of the configuration.

use std::path::PathBuf;
use std::time::Duration;

use oauth2::{ClientId, RedirectUrl, Scope};

use super::{ALWAYS_REQUESTED, Authority, CacheChoice, Cloud, Credential, Grant, ProfileName, Server, StoreChoice};

/// A profile with all its values: its own keys, then the file's, then the defaults.
///
/// `{:?}` does not show the client secret.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The name given with `--profile`.
    pub(crate) name: ProfileName,
    /// The configuration file that the profile was read from.
    pub(crate) file: PathBuf,
    /// The Application (client) ID.
    pub(crate) client_id: ClientId,
    /// How access tokens are requested.
    pub(crate) grant: Grant,
    /// The credential of a confidential client ("Web").
    pub(crate) credential: Option<Credential>,
    /// The issuer of the tokens.
    pub(crate) authority: Authority,
    /// The cloud of the authority.
    pub(crate) cloud: Cloud,
    /// The redirect URI, exactly as registered.
    pub(crate) redirect_uri: RedirectUrl,
    /// The scopes of the profile's resource, then `openid profile offline_access` if a person signs in.
    pub(crate) scopes: Vec<Scope>,
    /// The email address of the account.
    pub(crate) username: Option<String>,
    /// Where refresh tokens are stored.
    pub(crate) store: StoreChoice,
    /// Where access tokens are cached between two calls.
    pub(crate) cache: CacheChoice,
    /// The total timeout of a request to Microsoft, retries included.
    pub(crate) network_timeout: Duration,
    /// A file with an additional certificate authority (PEM).
    pub(crate) ca_file: Option<PathBuf>,
    /// The IMAP server that `--check` tests.
    pub(crate) imap_server: Server,
    /// The SMTP server that `--check` tests.
    pub(crate) smtp_server: Server,
    /// The Microsoft Graph server that `--check` tests.
    pub(crate) graph_server: Server,
}

impl Profile {
    /// Returns the name of the profile.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// Returns the configured `username`: the email address of the account or mailbox.
    #[must_use]
    pub fn username(&self) -> Option<&str> {
        self.username.as_deref()
    }

    /// Returns the IMAP server. It expects TLS from the first byte.
    #[must_use]
    pub fn imap_server(&self) -> &Server {
        &self.imap_server
    }

    /// Returns the SMTP server. On port 465 it expects TLS from the first byte, on every other port STARTTLS.
    #[must_use]
    pub fn smtp_server(&self) -> &Server {
        &self.smtp_server
    }

    /// Returns the scopes of the profile's service, without those that every sign-in may request.
    pub(crate) fn own_scopes(&self) -> impl Iterator<Item = &Scope> {
        let is_own = |scope: &&Scope| !ALWAYS_REQUESTED.contains(&scope.as_str()) && scope.as_str() != "email";
        self.scopes.iter().filter(is_own)
    }

    /// Returns these scopes with their resource. A scope without one is of Microsoft Graph (Microsoft: "Scopes and
    /// permissions").
    pub(crate) fn own_scopes_in_full(&self) -> impl Iterator<Item = String> {
        self.own_scopes().map(|scope| match scope.contains('/') {
            true => scope.as_str().to_owned(),
            false => format!("https://{}/{}", self.cloud.graph_host(), scope.as_str()),
        })
    }

    /// Returns the scope that stands for all permissions that were consented to (Microsoft: "The .default scope"), of
    /// the first scope's resource.
    pub(crate) fn default_scope(&self) -> String {
        let first = self.own_scopes_in_full().next();
        let resource = first.as_deref().and_then(|scope| scope.rsplit_once('/')).map(|(resource, _)| resource);
        format!("{}/.default", resource.unwrap_or(self.cloud.mail_resource()))
    }
}
