//! Dovecot's configuration. Version 2.4 renamed many settings
//! (<https://doc.dovecot.org/2.4.1/installation/upgrade/2.3-to-2.4.html>).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{getgid, getuid};

use super::NOBODY;
use crate::support::{Home, finish};
use crate::versions::version;

/// Writes the configuration, with more lines at its end, and returns its file.
pub fn write(home: &Home, folder: &Path, ports: (u16, u16), relay_port: u16, lines: &str) -> PathBuf {
    let is_2_3 = version("Dovecot") < vec![2, 4];
    let (first, users) = if is_2_3 { version_2_3(home, folder) } else { version_2_4(home, folder) };
    let file = folder.join("dovecot.conf");
    fs::write(&file, first + &common(folder, ports, relay_port) + &users + &without_root() + lines).unwrap();
    file
}

/// What Dovecot requires of the stand-in's response about a token.
const RESPONSE: &str = "username_attribute = email
active_attribute = active
active_value = true
scope = https://outlook.office.com/IMAP.AccessAsUser.All
";

fn version_2_3(home: &Home, folder: &Path) -> (String, String) {
    let (base, origin, (uid, gid)) = (folder.display(), home.standin.origin(), mail_user());
    let oauth2 =
        format!("tokeninfo_url = {origin}/tokeninfo?access_token=\ntls_ca_cert_file = {base}/standin.pem\n{RESPONSE}");
    fs::write(folder.join("oauth2.conf"), oauth2).unwrap();
    let first = format!(
        "ssl_cert = <{base}/certificate.pem
ssl_key = <{base}/key.pem
mail_location = maildir:~/Maildir
"
    );
    let users = format!(
        "passdb {{
  driver = oauth2
  mechanisms = xoauth2
  args = {base}/oauth2.conf
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={base}/homes/%u
}}
"
    );
    (first, users)
}

fn version_2_4(home: &Home, folder: &Path) -> (String, String) {
    let (base, origin, (uid, gid)) = (folder.display(), home.standin.origin(), mail_user());
    let first = format!(
        "dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
ssl_server_cert_file = {base}/certificate.pem
ssl_server_key_file = {base}/key.pem
mail_driver = maildir
mail_path = ~/Maildir
"
    );
    let users = format!(
        "oauth2 {{
  tokeninfo_url = {origin}/tokeninfo?access_token=
  introspection_mode = auth
  ssl_client_ca_file = {base}/standin.pem
{RESPONSE}}}
passdb oauth2 {{
  mechanisms_filter = xoauth2
}}
userdb static {{
  fields {{
    uid = {uid}
    gid = {gid}
    home = {base}/homes/%{{user}}
  }}
}}
"
    );
    (first, users)
}

fn common(folder: &Path, (imaps_port, submission_port): (u16, u16), relay_port: u16) -> String {
    let base = folder.display();
    format!(
        "base_dir = {base}/run
log_path = {base}/log
listen = 127.0.0.1
protocols = imap submission
ssl = required
auth_mechanisms = xoauth2
auth_failure_delay = 0
first_valid_uid = 1
hostname = localhost
submission_relay_host = 127.0.0.1
submission_relay_port = {relay_port}
service imap-login {{
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    port = {imaps_port}
    ssl = yes
  }}
}}
service submission-login {{
  inet_listener submission {{
    port = {submission_port}
  }}
  inet_listener submissions {{
    port = 0
  }}
}}
# Without the penalty, which would delay the login after a rejected token by up to 15 s.
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
"
    )
}

/// Returns the user and group that own the mailboxes.
fn mail_user() -> (u32, u32) {
    if getuid().is_root() { NOBODY } else { (getuid().as_raw(), getgid().as_raw()) }
}

/// Returns the settings for a Dovecot without root, which cannot change its user or use chroot.
fn without_root() -> String {
    if getuid().is_root() {
        return String::new();
    }
    let id = |option| finish(Command::new("id").arg(option)).stdout.trim().to_owned();
    let (user, group) = (id("-un"), id("-gn"));
    let services: String = ["anvil", "imap-login", "submission-login", "stats"]
        .map(|service| format!("service {service} {{\n  chroot =\n}}\n"))
        .concat();
    format!("default_internal_user = {user}\ndefault_login_user = {user}\ndefault_internal_group = {group}\n{services}")
}
