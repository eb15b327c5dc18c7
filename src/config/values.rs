//! The configuration's values: text that became a type, so that nobody has to check it again.

use std::fmt;
use std::str::FromStr;

use oauth2::RedirectUrl;
use serde::Deserialize;
use url::Url;

use crate::error::{Error, ErrorKind};
use crate::sanitize::for_terminal;

/// A profile's name. It is part of file names and of the keychain entry's, and can lead out of neither.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileName(String);

impl ProfileName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ProfileName {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let allowed = |c: char| c.is_alphanumeric() || "-_.@+ ".contains(c);
        if name.trim().is_empty() || name.starts_with('.') || !name.chars().all(allowed) {
            return Err(Error::new(
                ErrorKind::Configuration,
                format!(
                    "\"{}\" cannot be a profile's name, which has letters, digits, spaces and - _ . @ +",
                    for_terminal(name)
                ),
            )
            .hint("give it another name"));
        }
        Ok(Self(name.to_owned()))
    }
}

/// With `{:#}` as a shell takes it.
impl fmt::Display for ProfileName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match formatter.alternate() && self.0.contains(' ') {
            true => write!(formatter, "'{}'", self.0),
            false => formatter.write_str(&self.0),
        }
    }
}

/// For a person who wrote something else.
pub(crate) const CLIENT_ID_FORM: &str = "which has the form xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx (digits and a to f)";

/// Whether it has the form of Microsoft's client IDs.
pub(crate) fn is_client_id(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.chars().all(|c| c.is_ascii_hexdigit()))
}

/// Where access tokens are kept between two calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CacheChoice {
    /// In the kernel's memory, on Linux; nowhere on other systems.
    #[default]
    Memory,
    /// Nowhere.
    None,
}

/// One of Microsoft's clouds, which know nothing of each other (Microsoft: "National clouds").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cloud {
    /// Everywhere else.
    #[default]
    Global,
    /// GCC High.
    UsGov,
    /// Run by 21Vianet.
    China,
}

impl Cloud {
    const ALL: [Self; 3] = [Self::Global, Self::UsGov, Self::China];

    /// Where people sign in.
    pub(crate) fn login_host(self) -> &'static str {
        match self {
            Self::Global => "login.microsoftonline.com",
            Self::UsGov => "login.microsoftonline.us",
            Self::China => "login.partner.microsoftonline.cn",
        }
    }

    /// The resource of IMAP and SMTP tokens.
    pub(crate) fn mail_resource(self) -> &'static str {
        match self {
            Self::Global => "https://outlook.office.com",
            Self::UsGov => "https://outlook.office365.us",
            Self::China => "https://partner.outlook.cn",
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

    /// Where mail is read.
    pub(crate) fn imap_server(self) -> Server {
        let host = match self {
            Self::Global => "outlook.office365.com",
            Self::UsGov => "outlook.office365.us",
            Self::China => "partner.outlook.cn",
        };
        Server { host: host.to_owned(), port: IMAPS }
    }

    /// Where mail is sent.
    pub(crate) fn smtp_server(self) -> Server {
        let host = match self {
            Self::Global => "smtp.office365.com",
            Self::UsGov => "smtp.office365.us",
            Self::China => "smtp.partner.outlook.cn",
        };
        Server { host: host.to_owned(), port: SUBMISSION }
    }

    /// The cloud whose login host that is; of an address of one's own, the global one.
    pub(super) fn of(authority: &Authority) -> Self {
        let host = authority.0.host_str().unwrap_or_default();
        Self::ALL.into_iter().find(|cloud| cloud.login_host() == host).unwrap_or_default()
    }
}

/// IMAP over TLS (RFC 8314).
pub(crate) const IMAPS: u16 = 993;
/// SMTP with STARTTLS (RFC 6409).
pub(crate) const SUBMISSION: u16 = 587;
/// HTTP over TLS.
pub(crate) const HTTPS: u16 = 443;

/// A server by name and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its name, as its certificate has it.
    pub host: String,
    /// Its port.
    pub port: u16,
}

impl Server {
    /// `HOST` or `HOST:PORT`.
    pub(super) fn parse(text: &str, default_port: u16) -> Result<Self, String> {
        let right = "it should look like outlook.office365.com or localhost:1993";
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => {
                (host, port.parse().map_err(|_| format!("\"{}\" is no port; {right}", for_terminal(port)))?)
            }
            None => (text, default_port),
        };
        if host.is_empty() || !host.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c)) {
            return Err(format!("that is no host; {right}"));
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.host, self.port)
    }
}

/// Who issues the tokens: `https://LOGIN-HOST/TENANT/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority(Url);

impl Authority {
    /// A tenant in a cloud: an ID, a domain, `common`, `organizations` or `consumers`.
    pub(crate) fn of_tenant(cloud: Cloud, tenant: &str) -> Result<Self, String> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-.".contains(c);
        if tenant.is_empty() || !tenant.chars().all(allowed) {
            return Err("tenant must be a tenant ID, a domain, or one of common, organizations, consumers".to_owned());
        }
        format!("https://{}/{tenant}/", cloud.login_host()).parse()
    }

    /// The address of one of its endpoints, such as `oauth2/v2.0/token`.
    pub(crate) fn endpoint(&self, path: &str) -> Url {
        self.0.join(path).expect("an https address takes any relative path")
    }

    /// Where an administrator consents for the organisation. It cannot be "common" (Microsoft: "Grant tenant-wide admin
    /// consent to an application").
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
        let right = "it should look like https://login.microsoftonline.com/YOUR-TENANT-ID/";
        let mut url = Url::parse(text).map_err(|error| format!("authority is no address ({error}); {right}"))?;
        if url.scheme() != "https" {
            return Err(format!("authority must start with https://, since it is sent your tokens; {right}"));
        }
        let segments = url.path_segments().map_or(0, |segments| segments.filter(|segment| !segment.is_empty()).count());
        let more = url.query().is_some() || url.fragment().is_some();
        if segments != 1 || more || !url.username().is_empty() || url.password().is_some() {
            return Err(format!("authority must be a login host and one tenant; {right}"));
        }
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        Ok(Self(url))
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// The addresses on which the callback listens.
const HERE: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// An address on this machine that the browser can come back to: `https`, or `http`, which Microsoft allows for
/// localhost alone.
pub(crate) fn redirect_uri(text: &str) -> Result<RedirectUrl, String> {
    let right = "it should look like https://localhost:7598/ or http://localhost/";
    // `RedirectUrl` keeps the text to the letter, as Microsoft compares it.
    let redirect =
        RedirectUrl::new(text.to_owned()).map_err(|error| format!("redirect_uri is no address ({error}); {right}"))?;
    let url = redirect.url();
    // As it is written, since it is sent so: a parser forgives `http:/localhost`, white space, `\`, and a port that is
    // not there.
    if !["https://", "http://"].iter().any(|start| text.starts_with(start)) {
        return Err(format!("redirect_uri must start with https:// or http://; {right}"));
    }
    if !text.chars().all(|c| c.is_ascii_graphic() && c != '\\') {
        return Err(format!("redirect_uri holds what no address holds, such as white space; {right}"));
    }
    let server = text.split('/').nth(2).unwrap_or_default();
    let port = url.port_or_known_default().map_or_else(String::new, |port| format!(":{port}"));
    if !HERE.iter().any(|host| server == *host || server == format!("{host}{port}")) {
        return Err(format!("redirect_uri must be on this machine, where the browser comes back to us; {right}"));
    }
    if url.scheme() == "http" && server.ends_with(":80") {
        return Err("redirect_uri cannot have port 80; leave the port out, and any free one is taken".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(format!("redirect_uri must have neither ? nor #; {right}"));
    }
    Ok(redirect)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_id_has_its_form() {
        assert!(is_client_id("9e5f94bc-e8a4-4e73-b8be-63364c29d753"));
        for wrong in ["", "mail", "9e5f94bc-e8a4-4e73-b8be", "9e5f94bc-e8a4-4e73-b8be-63364c29d75x"] {
            assert!(!is_client_id(wrong), "{wrong}");
        }
    }
}
