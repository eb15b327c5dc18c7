//! Tests the token with Microsoft Graph, by reading what its permissions allow.

use super::CheckResult;
use crate::config::Service;
use crate::entra::{Access, permission};
use crate::error::Result;
use crate::session::Session;

/// Checks each kind of data that the profile asks for. Sends no mail: a token that only permits sending is tested with a
/// request for the account.
pub(super) fn check(session: &Session, access: &Access, missing: &[&str]) -> CheckResult {
    let scopes = session.profile().own_scopes().filter(|scope| Service::of(scope) == Service::Graph);
    let requested: Vec<&str> = scopes.map(permission::name).collect();
    if requested.is_empty() {
        return CheckResult::Skipped("the profile has no Graph scope".to_owned());
    }
    let granted: Vec<&str> = requested.iter().copied().filter(|name| !missing.contains(name)).collect();
    if granted.is_empty() {
        return CheckResult::Skipped(format!("{} was not granted", requested.join(", ")));
    }
    let (sending, reading): (Vec<&str>, Vec<&str>) = granted.into_iter().partition(|name| is_for_sending(name));
    if reading.is_empty() {
        return accepts(session, access, &sending.join(", ")).into();
    }
    let not_tried = match sending.is_empty() {
        true => String::new(),
        false => format!("; {} is not tried, because that would send mail", sending.join(", ")),
    };
    read(session, access, &reading).map(|result| format!("{result}{not_tried}")).into()
}

/// Requests the account. Graph rejects a token that is not valid (401) before it looks at the permissions (403).
fn accepts(session: &Session, access: &Access, permission: &str) -> Result<String> {
    session.entra().can_read_graph(&access.token, "")?;
    let server = &session.profile().graph_server;
    Ok(format!("{server} accepts the token, which has {permission}; no mail was sent"))
}

fn read(session: &Session, access: &Access, permissions: &[&str]) -> Result<String> {
    // Several permissions may be for the same data.
    let mut resources: Vec<Resource> = Vec::new();
    for resource in permissions.iter().map(|name| Resource::of(name)) {
        if !resources.contains(&resource) {
            resources.push(resource);
        }
    }
    let mut shown = Vec::new();
    for Resource { name, path } in resources {
        if session.entra().can_read_graph(&access.token, path)? {
            shown.push(name);
        }
    }
    let server = &session.profile().graph_server;
    Ok(match shown.is_empty() {
        true => format!("{server} accepts the token, but its scopes do not allow reading the account"),
        false => format!("{server} accepts the token and shows {}", shown.join(" and ")),
    })
}

fn is_for_sending(permission: &str) -> bool {
    permission.to_lowercase().starts_with("mail.send")
}

/// Data that a permission gives access to.
#[derive(PartialEq, Eq)]
struct Resource {
    name: &'static str,
    /// Below `/v1.0/me`.
    path: &'static str,
}

impl Resource {
    fn of(name: &str) -> Self {
        match name {
            name if permission::is_for(name, "Calendars") => Self { name: "the calendar", path: "/calendar" },
            name if permission::is_for(name, "Mail") => Self { name: "the inbox", path: "/mailFolders/inbox" },
            _ => Self { name: "the account", path: "" },
        }
    }
}
