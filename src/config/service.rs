//! The service for which Microsoft issues a token.

/// What a token is valid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service<'a> {
    /// Exchange Online: IMAP, POP, SMTP and EWS.
    Exchange,
    Graph,
    /// The resource of another service.
    Other(&'a str),
}

impl<'a> Service<'a> {
    /// Returns the service of a scope. A scope without a resource is one of Microsoft Graph (Microsoft: "Scopes and
    /// permissions in the Microsoft identity platform").
    pub(crate) fn of(scope: &'a str) -> Self {
        let resource = scope.rsplit_once('/').map_or("", |(resource, _)| resource);
        let has_host = |hosts: &[&str]| hosts.iter().any(|host| resource.contains(host));
        match resource {
            "" => Self::Graph,
            _ if has_host(&["//graph.", "//dod-graph.", "//microsoftgraph."]) => Self::Graph,
            // All of these hosts belong to one service: a token for one of them is valid at the others.
            _ if has_host(&["//outlook.", "//outlook-dod.", "//partner.outlook."]) => Self::Exchange,
            _ => Self::Other(resource.trim_end_matches('/')),
        }
    }
}
