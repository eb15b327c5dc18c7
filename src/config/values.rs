//! The types of the configuration's values. A value is checked once, when it is parsed.
//!
//! A parser's error is what the value must be or do, and follows "it must".

use std::fmt;
use std::str::FromStr;

use oauth2::{ClientId, RedirectUrl};
use url::Url;

use crate::error::{Error, ErrorKind};
use crate::sanitize::for_terminal;

/// The name of a profile. It is safe as a part of file names and of keychain entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProfileName(String);

impl ProfileName {
    /// The name as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ProfileName {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let allowed = |c: char| c.is_alphanumeric() || "-_.@+ ".contains(c);
        if name.trim().is_empty() || name.starts_with('.') || !name.chars().all(allowed) {
            let message = format!(
                "\"{}\" is not a valid profile name: it may contain letters, digits, spaces and - _ . @ +, and must not \
                 start with a dot",
                for_terminal(name)
            );
            return Err(Error::new(ErrorKind::Configuration, message).hint("choose another name, such as work"));
        }
        if name.len() > MAX_NAME_LENGTH {
            let message = format!("a profile name of {} bytes is too long: the limit is {MAX_NAME_LENGTH}", name.len());
            return Err(Error::new(ErrorKind::Configuration, message).hint("choose a shorter name"));
        }
        Ok(Self(name.to_owned()))
    }
}

/// In bytes. A file name has 255 at most (NAME_MAX), and the longest of ours adds 31 to the profile's.
const MAX_NAME_LENGTH: usize = 200;

/// Writes the name; with `{:#}`, quoted for a shell if necessary.
impl fmt::Display for ProfileName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match formatter.alternate() && self.0.contains(' ') {
            true => write!(formatter, "'{}'", self.0),
            false => formatter.write_str(&self.0),
        }
    }
}

/// Parses an Application (client) ID, which is a GUID.
pub(crate) fn client_id(text: &str) -> Result<ClientId, &'static str> {
    let groups: Vec<&str> = text.split('-').collect();
    let is_guid = groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.chars().all(|c| c.is_ascii_hexdigit()));
    match is_guid {
        true => Ok(ClientId::new(text.to_owned())),
        false => Err("have the form xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx (digits and a to f), \
                      such as 00001111-aaaa-2222-bbbb-3333cccc4444"),
    }
}

/// Where access tokens are cached between two calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum CacheChoice {
    /// In the kernel's memory on Linux. Other systems have no cache.
    #[default]
    Memory,
    /// Access tokens are not cached.
    None,
}

impl CacheChoice {
    pub(super) fn parse(name: &str) -> Option<Self> {
        match name {
            "memory" => Some(Self::Memory),
            "none" => Some(Self::None),
            _ => None,
        }
    }
}

/// One of Microsoft's clouds, which are separate from each other (Microsoft: "National clouds").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Cloud {
    /// The worldwide cloud.
    #[default]
    Global,
    /// Microsoft 365 GCC High.
    UsGov,
    /// Microsoft 365 operated by 21Vianet.
    China,
}

impl Cloud {
    const ALL: [Self; 3] = [Self::Global, Self::UsGov, Self::China];

    pub(super) fn parse(name: &str) -> Option<Self> {
        match name {
            "global" => Some(Self::Global),
            "us-gov" => Some(Self::UsGov),
            "china" => Some(Self::China),
            _ => None,
        }
    }

    /// The host of the sign-in page and of the token endpoint.
    pub(crate) fn login_host(self) -> &'static str {
        match self {
            Self::Global => "login.microsoftonline.com",
            Self::UsGov => "login.microsoftonline.us",
            Self::China => "login.partner.microsoftonline.cn",
        }
    }

    /// The resource of tokens for IMAP and SMTP.
    pub(crate) fn mail_resource(self) -> &'static str {
        match self {
            Self::Global => "https://outlook.office.com",
            Self::UsGov => "https://outlook.office365.us",
            Self::China => "https://partner.outlook.cn",
        }
    }

    /// The resource of an application's own tokens for IMAP and SMTP (Microsoft: "Authenticate an IMAP, POP or SMTP
    /// connection using OAuth").
    pub(super) fn application_mail_resource(self) -> &'static str {
        match self {
            Self::Global => "https://outlook.office365.com",
            other => other.mail_resource(),
        }
    }

    /// The host of Microsoft Graph.
    pub(crate) fn graph_host(self) -> &'static str {
        match self {
            Self::Global => "graph.microsoft.com",
            Self::UsGov => "graph.microsoft.us",
            Self::China => "microsoftgraph.chinacloudapi.cn",
        }
    }

    /// The IMAP server.
    pub(crate) fn imap_server(self) -> Server {
        let host = match self {
            Self::Global => "outlook.office365.com",
            Self::UsGov => "outlook.office365.us",
            Self::China => "partner.outlook.cn",
        };
        Server { host: host.to_owned(), port: IMAPS }
    }

    /// The SMTP server.
    pub(crate) fn smtp_server(self) -> Server {
        let host = match self {
            Self::Global => "smtp.office365.com",
            Self::UsGov => "outlook.office365.us", // Microsoft: "Office 365 U.S. Government GCC High endpoints"
            Self::China => "smtp.partner.outlook.cn",
        };
        Server { host: host.to_owned(), port: SUBMISSION }
    }

    /// Returns the cloud that has the authority's login host. An unknown host counts as the global cloud.
    pub(super) fn of(authority: &Authority) -> Self {
        Self::ALL.into_iter().find(|cloud| cloud.login_host() == authority.host()).unwrap_or_default()
    }
}

/// IMAP over TLS (RFC 8314).
pub(crate) const IMAPS: u16 = 993;
/// SMTP with STARTTLS (RFC 6409).
pub(crate) const SUBMISSION: u16 = 587;
/// HTTP over TLS.
pub(crate) const HTTPS: u16 = 443;

/// A server: host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Server {
    /// Returns the host name, as in the server's certificate.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Parses `HOST` or `HOST:PORT`.
    pub(super) fn parse(text: &str, default_port: u16) -> Result<Self, &'static str> {
        const FORM: &str = "be HOST or HOST:PORT, such as outlook.office365.com or localhost:1993";
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| FORM)?),
            None => (text, default_port),
        };
        if host.is_empty() || !host.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c)) {
            return Err(FORM);
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.host, self.port)
    }
}

/// The issuer of the tokens: `https://LOGIN-HOST/TENANT/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Authority(Url);

impl Authority {
    /// Returns the authority of a tenant: an ID, a domain, `common`, `organizations` or `consumers`.
    pub(crate) fn of_tenant(cloud: Cloud, tenant: &str) -> Result<Self, &'static str> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-.".contains(c);
        if tenant.is_empty() || !tenant.chars().all(allowed) {
            return Err("be a tenant ID, a domain such as example.com, or one of common, organizations and consumers");
        }
        Self::parse(&format!("https://{}/{tenant}/", cloud.login_host()))
    }

    /// Parses a URL with one path segment: the tenant.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        const FORM: &str = "be a login host and a tenant, such as https://login.microsoftonline.com/YOUR-TENANT-ID/";
        let mut url = Url::parse(text).map_err(|_| FORM)?;
        if url.scheme() != "https" {
            return Err("start with https://, such as https://login.microsoftonline.com/YOUR-TENANT-ID/");
        }
        let segments = url.path_segments().map_or(0, |segments| segments.filter(|segment| !segment.is_empty()).count());
        let more = url.query().is_some() || url.fragment().is_some();
        if segments != 1 || more || !url.username().is_empty() || url.password().is_some() {
            return Err(FORM);
        }
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        Ok(Self(url))
    }

    /// The URL of an endpoint, such as `oauth2/v2.0/token`.
    pub(crate) fn endpoint(&self, path: &str) -> Url {
        self.0.join(path).expect("a relative path can be joined to an https URL")
    }

    /// The login host.
    pub(crate) fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// The tenant: an ID, a domain, `common`, `organizations` or `consumers`.
    pub(crate) fn tenant(&self) -> &str {
        self.0.path().trim_matches('/')
    }

    /// Returns whether both have the same login host.
    pub(crate) fn has_same_host_as(&self, other: &Self) -> bool {
        self.0.origin() == other.0.origin()
    }

    /// The page on which an administrator consents for the organisation. It does not exist for "common" (Microsoft:
    /// "Grant tenant-wide admin consent to an application").
    pub(crate) fn admin_consent(&self) -> Url {
        let mut address = self.endpoint("adminconsent");
        if address.path() == "/common/adminconsent" {
            address.set_path("/organizations/adminconsent");
        }
        address
    }
}

impl FromStr for Authority {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text).map_err(|must| format!("the authority {text:?} is not valid: it must {must}"))
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// The hosts on which the callback listens.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// Parses a redirect URI on this machine: `https`, or `http`, which Microsoft allows for localhost only.
pub(crate) fn redirect_uri(text: &str) -> Result<RedirectUrl, &'static str> {
    // The text is sent as it is written, so it is checked as written: a URL parser also accepts `http:/localhost`,
    // white space, `\` and an empty port.
    if !["https://", "http://"].iter().any(|start| text.starts_with(start)) {
        return Err("start with https:// or http://, such as https://localhost:7598/ or http://localhost/");
    }
    if !text.chars().all(|c| c.is_ascii_graphic() && c != '\\') {
        return Err("not contain spaces, \\ or characters outside ASCII; an example is https://localhost:7598/");
    }
    // `RedirectUrl` keeps the text unchanged, because Microsoft compares it character by character.
    let redirect = RedirectUrl::new(text.to_owned())
        .map_err(|_| "be a URI on this machine, such as https://localhost:7598/ or http://localhost/")?;
    let url = redirect.url();
    let server = text.split('/').nth(2).unwrap_or_default();
    let port = url.port_or_known_default().map_or_else(String::new, |port| format!(":{port}"));
    if !LOOPBACK.iter().any(|host| server == *host || server == format!("{host}{port}")) {
        return Err(
            "be on this machine (localhost, 127.0.0.1 or [::1]), such as https://localhost:7598/ or http://localhost/",
        );
    }
    if url.scheme() == "http" && server.ends_with(":80") {
        return Err("not have the port 80; use http://localhost/ to let the system choose a free port");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("not contain ? or #; an example is https://localhost:7598/");
    }
    Ok(redirect)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_id_is_a_guid() {
        assert!(client_id("9e5f94bc-e8a4-4e73-b8be-63364c29d753").is_ok());
        for wrong in ["", "mail", "9e5f94bc-e8a4-4e73-b8be", "9e5f94bc-e8a4-4e73-b8be-63364c29d75x"] {
            assert!(client_id(wrong).is_err(), "{wrong}");
        }
    }
}
