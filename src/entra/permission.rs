//! Permissions: what the scopes of a profile ask for, and what the token response grants.

use oauth2::Scope;

use crate::config::ALWAYS_REQUESTED;

/// Returns the permission that a scope names: its last path segment, such as `IMAP.AccessAsUser.All`. Responses may
/// name scopes without their resource.
pub(crate) fn name(scope: &Scope) -> &str {
    scope.rsplit('/').next().unwrap_or_default()
}

/// Returns the requested permissions that are not granted. A response without scopes grants all of them (RFC 6749,
/// 5.1), and `.default` stands for whatever was consented to.
pub(crate) fn missing<'a>(requested: &'a [Scope], granted: &[Scope]) -> Vec<&'a str> {
    let is_granted = |name: &str| granted.iter().any(|scope| self::name(scope).eq_ignore_ascii_case(name));
    let wanted = requested.iter().map(name).filter(|name| !ALWAYS_REQUESTED.contains(name) && *name != ".default");
    wanted.filter(|name| !granted.is_empty() && !is_granted(name)).collect()
}

/// Returns whether a permission is for this protocol, such as `IMAP`.
pub(crate) fn is_for(permission: &str, protocol: &str) -> bool {
    permission.split('.').next().is_some_and(|first| first.eq_ignore_ascii_case(protocol))
}

/// Returns the permission for this protocol that the scopes ask for.
pub(crate) fn requested_for<'a>(scopes: &'a [Scope], protocol: &str) -> Option<&'a str> {
    scopes.iter().map(name).find(|permission| is_for(permission, protocol))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scopes(texts: &[&str]) -> Vec<Scope> {
        texts.iter().map(|text| Scope::new((*text).to_owned())).collect()
    }

    #[test]
    fn permissions_are_compared_without_resource_and_letter_case() {
        let requested = scopes(&[
            "https://outlook.office.com/IMAP.AccessAsUser.All",
            "https://outlook.office.com/SMTP.Send",
            "offline_access",
        ]);
        assert!(missing(&requested, &scopes(&["imap.accessasuser.all", "SMTP.Send"])).is_empty());
        assert_eq!(
            missing(&requested, &scopes(&["https://outlook.office365.com/IMAP.AccessAsUser.All"])),
            ["SMTP.Send"]
        );
        assert!(missing(&requested, &[]).is_empty(), "a response without scopes grants what was requested");
        assert!(missing(&scopes(&["https://outlook.office.com/.default"]), &scopes(&["SMTP.Send"])).is_empty());
    }

    #[test]
    fn the_protocol_is_the_first_part_of_a_permission() {
        assert!(is_for("IMAP.AccessAsUser.All", "IMAP") && is_for("smtp.send", "SMTP"));
        assert!(!is_for("Mail.Send", "SMTP") && !is_for("", "IMAP"));
    }
}
