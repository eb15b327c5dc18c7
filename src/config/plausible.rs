//! Values that are valid but cannot work. Microsoft reports them after the sign-in or not at all, so `get-token` and
//! `--check` report them first.

use super::error::ConfigurationError;
use super::keys::form;
use super::table::Table;
use super::values::client_id;
use super::{Credential, Profile, Service};

/// The permissions of Exchange Online that mail programs use.
const MAIL_PERMISSIONS: [&str; 4] =
    ["IMAP.AccessAsUser.All", "POP.AccessAsUser.All", "SMTP.Send", "EWS.AccessAsUser.All"];

/// Fails if the scopes or the client secret of a profile cannot work.
pub(super) fn check(profile: &Profile, file: &Table) -> Result<(), ConfigurationError> {
    let section = file.profiles.get(profile.name.as_str()).map(|section| section.get_ref());
    let written = section.and_then(|section| section.scopes.as_ref());
    let span = written.map(|scopes| scopes.span());
    let mail = profile.cloud.mail_resource();
    let own: Vec<&str> = profile.own_scopes().map(|scope| scope.as_str()).collect();
    for scope in &own {
        let (resource, permission) = scope.rsplit_once('/').unwrap_or(("", scope));
        let Some(known) = MAIL_PERMISSIONS.iter().find(|known| known.eq_ignore_ascii_case(permission)) else {
            continue;
        };
        if Service::of(scope) == Service::Graph {
            let what = if resource.is_empty() { "does not name its service" } else { "is for Microsoft Graph" };
            let message = format!("the scope {scope:?} {what}, so mail servers would refuse the token");
            return Err(ConfigurationError::new(span, message).hint(format!("did you mean {mail}/{known}?")));
        }
    }
    if let Some(other) = own.iter().find(|scope| Service::of(scope) != Service::of(own[0])) {
        let message =
            format!("the scopes {:?} and {other:?} belong to two services, but a token is valid for one", own[0]);
        return Err(ConfigurationError::new(span, message)
            .hint("move the scopes of one service to another profile, such as [profiles.calendar]"));
    }
    if matches!(&profile.credential, Some(Credential::Secret(secret)) if client_id(secret.secret()).is_ok()) {
        let message = "client_secret is a GUID: it seems to be the ID of the secret";
        return Err(ConfigurationError::new(None, message).hint_in_file(format!(
            "set {} to the secret's value, which the portal shows only once: create a new secret if you do not have it",
            form("client_secret").key
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::Config;

    fn mistake(text: &str) -> Option<String> {
        let text = format!("client_id = '9e5f94bc-e8a4-4e73-b8be-63364c29d753'\n{text}");
        let config = Config::parse(Path::new("config.toml"), text).expect("a configuration");
        let profile = config.profile(&"mail".parse().expect("a name")).expect("a profile");
        let error = config.ensure_plausible(&profile).err()?;
        Some(format!("{error} ({})", error.next_step().unwrap_or_default()))
    }

    fn scopes(scopes: &[&str]) -> Option<String> {
        mistake(&format!("[profiles.mail]\nscopes = {scopes:?}"))
    }

    #[test]
    fn what_cannot_work_is_reported() {
        for (scope, what) in [
            ("IMAP.AccessAsUser.All", "does not name its service"),
            ("https://graph.microsoft.com/imap.accessasuser.all", "is for Microsoft Graph"),
        ] {
            let text = scopes(&[scope]).expect("a mistake");
            assert!(text.starts_with("config.toml:3: ") && text.contains(what), "{text}");
            assert!(text.contains("did you mean https://outlook.office.com/IMAP.AccessAsUser.All?"), "{text}");
        }
        let two = scopes(&["https://outlook.office.com/SMTP.Send", "https://graph.microsoft.com/Mail.Send"]);
        assert!(two.expect("a mistake").contains("belong to two services"));
        let secret = mistake("client_secret = '00001111-aaaa-2222-bbbb-3333cccc4444'").expect("a mistake");
        assert!(secret.contains("the ID of the secret") && !secret.contains("00001111"), "{secret}");
    }

    #[test]
    fn what_can_work_is_not_reported() {
        assert_eq!(mistake(""), None, "the built-in scopes");
        assert_eq!(mistake("client_secret = 'Q~8.x_yzzy'"), None);
        for list in [
            &["Calendars.ReadWrite", "https://graph.microsoft.com/Mail.Send", "email"][..],
            &["https://outlook.office.com/SMTP.Send", "https://outlook.office365.com/IMAP.AccessAsUser.All"],
            &["https://outlook.office.com/.default"],
            &["api://00001111-aaaa-2222-bbbb-3333cccc4444/Tasks.Read"],
        ] {
            assert_eq!(scopes(list), None);
        }
    }
}
