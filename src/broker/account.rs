//! The accounts that are signed in to the broker.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::config::Profile;
use crate::entra::Account;
use crate::sanitize::for_terminal;

/// An account that is signed in to the broker.
#[derive(Clone, Debug)]
pub(crate) struct BrokerAccount {
    /// The broker's own text: it is sent back unchanged, with fields that are not known here.
    pub(crate) raw: Box<RawValue>,
    /// The object ID and the tenant ID of the home tenant, with a dot between them.
    pub(super) home_account_id: String,
    pub(crate) account: Account,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields {
    username: String,
    #[serde(default)]
    home_account_id: String,
    local_account_id: Option<String>,
    realm: Option<String>,
}

impl BrokerAccount {
    /// Parses an account. Returns None if its tenant ID or object ID is missing.
    pub(super) fn parse(raw: &RawValue) -> Option<Self> {
        let fields: Fields = serde_json::from_str(raw.get()).ok()?;
        let (object_id, tenant_id) = fields.home_account_id.split_once('.').unwrap_or_default();
        let known = |id: Option<&str>, of_home: &str| {
            let id = for_terminal(id.filter(|id| !id.is_empty()).unwrap_or(of_home)).to_lowercase();
            (!id.is_empty()).then_some(id)
        };
        let account = Account {
            tenant_id: known(fields.realm.as_deref(), tenant_id)?,
            object_id: known(fields.local_account_id.as_deref(), object_id)?,
            name: for_terminal(&fields.username),
        };
        Some(Self { raw: raw.to_owned(), home_account_id: fields.home_account_id.to_lowercase(), account })
    }

    /// Returns whether both are the same account. A token may contain the account's IDs in the tenant of the resource,
    /// or those in the account's home tenant.
    pub(crate) fn is(&self, account: &Account) -> bool {
        self.account.is_same_as(account)
            || self.home_account_id == format!("{}.{}", account.object_id, account.tenant_id).to_lowercase()
    }
}

/// Returns the account with this user name, without regard to letter case. A user name may occur once for each tenant:
/// the profile's tenant is preferred, then the account's home tenant.
pub(crate) fn with_username<'a>(
    accounts: &'a [BrokerAccount],
    username: &str,
    profile: &Profile,
) -> Option<&'a BrokerAccount> {
    let username = username.to_lowercase();
    let tenant = profile.authority.tenant().to_lowercase();
    let named = accounts.iter().filter(|known| known.account.name.to_lowercase() == username);
    named.min_by_key(|known| {
        let realm = &known.account.tenant_id;
        let is_home = known.home_account_id.split_once('.').is_some_and(|(_, home)| home == realm);
        (*realm != tenant, !is_home)
    })
}

/// Returns the user names of the accounts, each once.
pub(crate) fn usernames(accounts: &[BrokerAccount]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for name in accounts.iter().map(|known| known.account.name.as_str()) {
        if !names.iter().any(|other| other.to_lowercase() == name.to_lowercase()) {
            names.push(name);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::super::tests::profile;
    use super::*;

    fn account(username: &str, home: &str, realm: &str) -> BrokerAccount {
        let raw = format!(
            r#"{{"username":"{username}","homeAccountId":"o.{home}","localAccountId":"l-{realm}","realm":"{realm}"}}"#
        );
        BrokerAccount::parse(&RawValue::from_string(raw).expect("JSON")).expect("an account")
    }

    #[test]
    fn for_a_user_name_in_several_tenants_the_configured_or_the_home_tenant_is_chosen() {
        let accounts = [
            account("grace@example.com", "home", "home"),
            account("ada@example.com", "home", "other"),
            account("Ada@Example.com", "home", "home"),
            account("ada@example.com", "home", "third"),
        ];
        let chosen = |tenant: &str| {
            let mut profile = profile();
            profile.authority = format!("https://login.microsoftonline.com/{tenant}/").parse().expect("an authority");
            with_username(&accounts, "ADA@example.com", &profile).expect("an account").account.tenant_id.clone()
        };
        assert_eq!((&*chosen("common"), &*chosen("THIRD"), &*chosen("example.com")), ("home", "third", "home"));
        assert_eq!(usernames(&accounts), ["grace@example.com", "ada@example.com"]);
        assert!(with_username(&accounts, "nobody@example.com", &profile()).is_none());
    }
}
