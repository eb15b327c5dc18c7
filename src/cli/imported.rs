//! After the import of the Python tool's configuration: uses the sign-in that the tool stored.

use super::each;
use super::stderr::{print, print_text};
use super::text::{Label, Text};
use crate::config::{Config, ProfileName};
use crate::entra::Access;
use crate::error::Result;
use crate::session::Session;

/// The access tokens of the profiles whose stored tokens work.
pub(super) struct Existing(Vec<(ProfileName, Access)>);

/// Refreshes the stored token of each profile once. A token that Microsoft refuses is a warning.
///
/// # Errors
///
/// Microsoft cannot be reached: whether the tokens work is not known then.
pub(super) fn refresh_stored(config: &Config) -> Result<Existing> {
    let mut working = Vec::new();
    for name in config.profile_names() {
        let name: ProfileName = name.parse()?;
        let session = Session::open(config, &name)?;
        // A keychain that cannot be read says nothing about the profiles whose tokens are in files. If no token is
        // found, the sign-in that follows reports the keychain.
        if !matches!(session.stores().load_first(), Ok(Some(_))) {
            continue;
        }
        match session.fresh_access_token() {
            Ok(access) => working.push((name, access)),
            Err(error) if error.needs_a_person() => {
                print_text(&Text::failure(Label::Warning, "", &each::name(&name, error)));
            }
            Err(error) => {
                let hint = error.next_step().map(|hint| format!("{hint}; then ")).unwrap_or_default();
                return Err(error.hint(format!(
                    "{hint}run `get-token --check --profile {name:#}`: your existing sign-in may still work"
                )));
            }
        }
    }
    Ok(Existing(working))
}

impl Existing {
    /// Returns whether a sign-in is unnecessary: the profiles that were named work, or, if none was named, any profile.
    pub(super) fn suffices_for(&self, named: &[ProfileName]) -> bool {
        !self.0.is_empty() && named.iter().all(|name| self.access(name).is_some())
    }

    pub(super) fn access(&self, profile: &ProfileName) -> Option<&Access> {
        self.0.iter().find(|(name, _)| name == profile).map(|(_, access)| access)
    }

    pub(super) fn print_summary(&self) {
        let names: Vec<String> = self.0.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        let of = if names.len() == 1 { "profile" } else { "profiles" };
        print(&format!("Imported. Your existing sign-in works ({of} {}).", names.join(", ")));
    }
}
