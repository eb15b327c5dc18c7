//! The key `grant`: for whom access tokens are requested.

use toml::Spanned;

use super::error::ConfigurationError;
use super::keys::form;
use super::table::Table;
use super::values::Cloud;
use super::{Profile, ProfileName};

/// How access tokens are requested (RFC 6749, 1.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Grant {
    /// With the refresh token of a person who signed in.
    #[default]
    RefreshToken,
    /// With the credential of the application itself. Nobody signs in.
    ClientCredentials,
    /// By the identity broker of a managed Linux device, for a person who signed in there. Experimental.
    Broker,
}

impl Grant {
    pub(super) fn parse(name: &str) -> Option<Self> {
        match name {
            "refresh_token" => Some(Self::RefreshToken),
            "client_credentials" => Some(Self::ClientCredentials),
            _ => None,
        }
    }
}

impl std::fmt::Display for Grant {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::RefreshToken => "refresh_token",
            Self::ClientCredentials => "client_credentials",
            Self::Broker => "broker",
        })
    }
}

/// Returns the grant of a profile. `broker = true` replaces `grant`. In a profile, `grant` or `broker = true` overrides
/// both keys at the top of the file; `broker = false` alone overrides only `broker`.
pub(super) fn resolve(own: Option<&Table>, file: &Table) -> Grant {
    let level = |table: &Table| match (&table.broker, table.grant) {
        (Some(broker), _) if *broker.get_ref() => Some(Grant::Broker),
        (Some(_), None) => Some(file.grant.unwrap_or_default()),
        (_, grant) => grant,
    };
    own.and_then(level).or_else(|| level(file)).unwrap_or_default()
}

/// Fails if `broker` is set on a system without one, or together with the grant of an application.
pub(super) fn ensure_supported(own: &Table, file: &Table) -> Result<(), ConfigurationError> {
    if resolve(Some(own), file) != Grant::Broker {
        return Ok(());
    }
    let level = if own.broker.is_some() { own } else { file };
    let span = level.broker.as_ref().map(Spanned::span);
    if cfg!(not(target_os = "linux")) {
        let message = "broker = true is not supported on this system: it is supported on Linux only";
        return Err(ConfigurationError::new(span, message)
            .hint("remove this line, then run `get-token` for the profile to sign in"));
    }
    if level.grant == Some(Grant::ClientCredentials) {
        let message = "broker = true and grant = \"client_credentials\" cannot be set together";
        return Err(ConfigurationError::new(span, message)
            .hint("remove broker to get tokens for the application, or remove grant to get tokens for a person"));
    }
    if cfg!(not(feature = "keychain")) {
        let message = "broker = true is not supported by this program, which was built without keychain support";
        return Err(ConfigurationError::new(span, message).hint("use a build with the feature `keychain`"));
    }
    Ok(())
}

/// Fails if the profile cannot request tokens for the application itself.
pub(super) fn ensure_client_credentials(profile: &Profile) -> Result<(), ConfigurationError> {
    let name = &profile.name;
    if profile.credential.is_none() {
        let message = format!("the profile \"{name}\" has grant = \"client_credentials\", but no credential");
        return Err(ConfigurationError::new(None, message)
            .hint_in_file("set client_secret or client_certificate, as in the app registration"));
    }
    // These names stand for many tenants, but the application's token is issued by one (Microsoft: "client credentials
    // flow").
    if ["common", "organizations", "consumers"].contains(&profile.authority.tenant()) {
        let message = format!(
            "the profile \"{name}\" has grant = \"client_credentials\", which needs the tenant of the application, not \
             \"{}\"",
            profile.authority.tenant()
        );
        return Err(ConfigurationError::new(None, message).hint_in_file("set tenant to its ID or domain"));
    }
    match profile.scopes.as_slice() {
        [scope] if scope.ends_with("/.default") => Ok(()),
        scopes => {
            let scopes: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
            let message = format!(
                "with grant = \"client_credentials\", the profile \"{name}\" must have one scope that ends with /.default, \
                 not {scopes:?}"
            );
            // Exchange Online accepts tokens of applications for another resource than tokens of persons.
            let (mail, application_mail) = (profile.cloud.mail_resource(), profile.cloud.application_mail_resource());
            let default = profile.default_scope().replace(mail, application_mail);
            let hint = format!("set {} = [\"{default}\"]", form("scopes").key);
            Err(ConfigurationError::new(None, message).hint_in_file(hint))
        }
    }
}

/// Returns the scope of a profile without `scopes`: all permissions that an administrator granted to the application.
pub(super) fn built_in_scope(name: &ProfileName, cloud: Cloud) -> String {
    match name.as_str() {
        "calendar" | "send" => format!("https://{}/.default", cloud.graph_host()),
        _ => format!("{}/.default", cloud.application_mail_resource()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::Config;
    use super::Grant;

    #[test]
    fn keys_of_the_profile_override_those_of_the_file() {
        for (text, grant) in [
            ("", Grant::RefreshToken),
            ("broker = true", Grant::Broker),
            ("broker = false", Grant::RefreshToken),
            ("broker = true\n[profiles.mail]\nbroker = false", Grant::RefreshToken),
            ("broker = true\n[profiles.mail]\ngrant = 'client_credentials'", Grant::ClientCredentials),
            ("broker = true\n[profiles.mail]\nusername = 'ada@example.com'", Grant::Broker),
            ("grant = 'client_credentials'\n[profiles.mail]\nbroker = true", Grant::Broker),
            ("grant = 'client_credentials'\n[profiles.mail]\nbroker = false", Grant::ClientCredentials),
        ] {
            let config = Config::parse(Path::new("config.toml"), text.to_owned()).expect(text);
            assert_eq!(config.grant(&"mail".parse().expect("a name")), grant, "{text}");
        }
    }

    #[test]
    fn the_hint_names_the_default_scope_of_the_resource_that_was_written() {
        for (scope, default) in [
            ("https://graph.microsoft.com/Tasks.Read.All", "https://graph.microsoft.com/.default"),
            ("Tasks.Read.All", "https://graph.microsoft.com/.default"),
            ("https://outlook.office.com/IMAP.AccessAsApp", "https://outlook.office365.com/.default"),
        ] {
            let text = format!(
                "client_id = '9e5f94bc-e8a4-4e73-b8be-63364c29d753'\nclient_secret = 'secret'\ntenant = 'example.com'\n\
                 grant = 'client_credentials'\n[profiles.tasks]\nscopes = ['{scope}']\n"
            );
            let config = Config::parse(Path::new("config.toml"), text).expect("a configuration");
            let error = config.profile(&"tasks".parse().expect("a name")).expect_err("the scope is rejected");
            assert_eq!(error.next_step(), Some(&*format!("in config.toml, set scopes = [\"{default}\"]")), "{error}");
        }
    }
}
