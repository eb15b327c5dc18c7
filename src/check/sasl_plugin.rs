//! The Cyrus SASL plugin that mbsync needs for XOAUTH2. Few systems install it together with mbsync.

use std::fs;
use std::path::PathBuf;

use super::{CheckResult, is_mail_application};
use crate::config::Profile;
use crate::entra::permission;
use crate::error::{Error, ErrorKind};
use crate::sanitize::for_terminal;

/// Where systems install plugins, besides `SASL_PATH`.
const FOLDERS: [&str; 6] = [
    "/usr/lib/x86_64-linux-gnu/sasl2",
    "/usr/lib/aarch64-linux-gnu/sasl2",
    "/usr/lib/sasl2",
    "/usr/lib64/sasl2",
    "/usr/local/lib/sasl2",
    "/opt/homebrew/lib/sasl2",
];

/// Checks that mbsync has the plugin, if it is installed and the profile is for IMAP.
pub(super) fn check(profile: &Profile) -> CheckResult {
    if permission::requested_for(&profile.scopes, "IMAP").is_none() && !is_mail_application(profile) {
        return CheckResult::Skipped("the profile has no IMAP scope".to_owned());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    if !std::env::split_paths(&path).any(|folder| folder.join("mbsync").is_file()) {
        return CheckResult::Skipped("mbsync is not installed".to_owned());
    }
    let own: Vec<PathBuf> =
        std::env::var_os("SASL_PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
    let folders = FOLDERS.iter().map(PathBuf::from).chain(own);
    let plugins = folders.filter_map(|folder| folder.read_dir().ok()).flatten().filter_map(Result::ok);
    match plugins.map(|entry| entry.file_name()).find(|name| name.to_string_lossy().contains("xoauth2")) {
        Some(name) => CheckResult::Passed(for_terminal(&name.to_string_lossy())),
        None => CheckResult::Failed(
            Error::new(ErrorKind::Configuration, "mbsync has no SASL plugin for XOAUTH2")
                .hint(how_to_install(&fs::read_to_string("/etc/os-release").unwrap_or_default())),
        ),
    }
}

/// Returns how to install the plugin on the system that this os-release(5) describes.
fn how_to_install(os_release: &str) -> String {
    let values = os_release.lines().filter_map(|line| line.strip_prefix("ID=").or(line.strip_prefix("ID_LIKE=")));
    let systems: Vec<&str> = values.flat_map(|value| value.trim_matches('"').split(' ')).collect();
    match () {
        () if systems.contains(&"debian") => "run `sudo apt install libsasl2-modules-kdexoauth2`".to_owned(),
        () if systems.contains(&"arch") => "install cyrus-sasl-xoauth2-git from the AUR".to_owned(),
        () => "install one, such as https://github.com/moriyoshi/cyrus-sasl-xoauth2".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::how_to_install;

    #[test]
    fn the_hint_is_for_the_system_at_hand() {
        for (os_release, package) in [
            ("NAME=\"Debian GNU/Linux\"\nID=debian\n", "libsasl2-modules-kdexoauth2"),
            ("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", "libsasl2-modules-kdexoauth2"),
            ("ID=arch\n", "cyrus-sasl-xoauth2-git"),
            ("ID=fedora\n", "https://github.com/moriyoshi/cyrus-sasl-xoauth2"),
            ("", "https://github.com/moriyoshi/cyrus-sasl-xoauth2"),
        ] {
            assert!(how_to_install(os_release).contains(package), "{os_release}");
        }
    }
}
