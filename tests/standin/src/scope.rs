//! Scopes of OpenID Connect, and permissions on resources.

use std::collections::BTreeSet;

use crate::refusal::Refusal;

const OUTLOOK: &[&str] = &[
    "IMAP.AccessAsUser.All",
    "POP.AccessAsUser.All",
    "SMTP.Send",
    "EWS.AccessAsUser.All",
    "Mail.Read",
    "Mail.ReadWrite",
    "Mail.Send",
    "Calendars.Read",
    "Calendars.ReadWrite",
    "User.Read",
];
const GRAPH: &[&str] = &[
    "User.Read",
    "Mail.Read",
    "Mail.ReadWrite",
    "Mail.Send",
    "Mail.Send.Shared",
    "Calendars.Read",
    "Calendars.ReadWrite",
    "Contacts.Read",
    "Contacts.ReadWrite",
    "IMAP.AccessAsUser.All",
    "SMTP.Send",
];

/// The resource of a scope without a URL, such as `Mail.Read`.
const DEFAULT_RESOURCE: &str = "https://graph.microsoft.com";

/// The resources of all clouds with their permissions, because a client may be configured for another cloud.
const RESOURCES: &[(&str, &[&str])] = &[
    ("https://outlook.office.com", OUTLOOK),
    ("https://outlook.office365.com", OUTLOOK),
    ("https://outlook.office365.us", OUTLOOK),
    ("https://partner.outlook.cn", OUTLOOK),
    (DEFAULT_RESOURCE, GRAPH),
    ("https://graph.microsoft.us", GRAPH),
    ("https://microsoftgraph.chinacloudapi.cn", GRAPH),
];

/// A permission on a resource. `.default` means all permissions that have consent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Permission {
    pub resource: &'static str,
    pub name: String,
}

impl Permission {
    pub fn is_default(&self) -> bool {
        self.name == ".default"
    }
}

impl std::fmt::Display for Permission {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.resource, self.name)
    }
}

/// A parsed `scope` parameter.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scopes {
    pub openid: bool,
    pub profile: bool,
    pub email: bool,
    pub offline_access: bool,
    pub permissions: Vec<Permission>,
}

impl Scopes {
    pub fn parse(text: &str) -> Result<Scopes, Refusal> {
        let mut scopes = Scopes::default();
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            match word {
                "openid" => scopes.openid = true,
                "profile" => scopes.profile = true,
                "email" => scopes.email = true,
                "offline_access" => scopes.offline_access = true,
                other => scopes.permissions.push(permission(other)?),
            }
        }
        let mixed = scopes.permissions.len() > 1 && scopes.permissions.iter().any(Permission::is_default);
        if text.trim().is_empty() || mixed {
            return Err(malformed(text));
        }
        Ok(scopes)
    }

    /// Returns the resource. Several are an error, because a token is valid for one resource only.
    pub fn resource(&self) -> Result<&'static str, Refusal> {
        let resources: BTreeSet<&'static str> = self.permissions.iter().map(|permission| permission.resource).collect();
        match resources.len() {
            0 => Err(Refusal::new(28002)),
            1 => Ok(self.permissions[0].resource),
            _ => Err(Refusal::new(28000)),
        }
    }

    /// Keeps only the first resource's permissions, as Microsoft does if a token request has no scope.
    pub fn first_resource_only(mut self) -> Scopes {
        if let Some(first) = self.permissions.first().map(|permission| permission.resource) {
            self.permissions.retain(|permission| permission.resource == first);
        }
        self
    }
}

/// Returns every known permission, for a seeded sign-in.
pub(crate) fn all() -> impl Iterator<Item = Permission> {
    RESOURCES
        .iter()
        .flat_map(|(resource, names)| names.iter().map(|name| Permission { resource, name: (*name).to_owned() }))
}

pub(crate) fn is_graph(resource: &str) -> bool {
    resource.starts_with("https://graph.") || resource.starts_with("https://microsoftgraph.")
}

fn permission(word: &str) -> Result<Permission, Refusal> {
    // RFC 6749 §3.3: %x21 / %x23-5B / %x5D-7E
    if !word.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\') {
        return Err(malformed(word));
    }
    let (resource, name) = match word.rsplit_once('/') {
        Some((resource, name)) => (resource, name),
        None => (DEFAULT_RESOURCE, word),
    };
    if name.is_empty() || !resource.contains("://") {
        return Err(malformed(word));
    }
    let Some((resource, names)) = RESOURCES.iter().find(|(known, _)| *known == resource) else {
        let message = format!("The resource principal named {resource} was not found in the tenant.");
        return Err(Refusal::with_message(500011, message));
    };
    if name != ".default" && !names.contains(&name) {
        let message =
            format!("The application asked for scope '{name}' that doesn't exist on the resource '{resource}'.");
        return Err(Refusal::with_message(650053, message));
    }
    Ok(Permission { resource, name: name.to_owned() })
}

fn malformed(scope: &str) -> Refusal {
    let message = format!(
        "The provided request must include a 'scope' input parameter. \
         The provided value for the input parameter 'scope' is not valid. The scope '{scope}' is not valid."
    );
    Refusal::with_message(70011, message)
}
