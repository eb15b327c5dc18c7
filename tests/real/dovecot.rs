//! A private Dovecot: an IMAP server and a submission service that check each token with the stand-in.

mod configuration;

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustix::process::{Pid, Signal, getuid, kill_process};
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};

use crate::login::program;
use crate::support::{Home, Run, eventually, finish, free_port};

/// User and group ID of Debian's `nobody`, because Dovecot does not allow mailboxes of root.
const NOBODY: (u32, u32) = (65534, 65534);

pub struct Dovecot {
    folder: TempDir,
    server: Child,
    pub imaps_port: u16,
    pub submission_port: u16,
}

impl Dovecot {
    /// Starts Dovecot. It relays submitted mail to `relay_port`.
    pub fn start(home: &Home, relay_port: u16) -> Self {
        Self::start_with(home, relay_port, "")
    }

    /// Starts Dovecot with more lines of configuration, which take precedence.
    pub fn start_with(home: &Home, relay_port: u16, lines: &str) -> Self {
        // A short path, because a socket's path is limited to 107 characters. Dovecot's other users need access.
        let folder = tempfile::Builder::new().prefix("m365-imap-").tempdir_in("/tmp").unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        give_to_mail_user(&create(folder.path().join("homes")));
        let ports = (free_port(), free_port());
        write_certificate(folder.path());
        fs::copy(home.standin.ca_file(), folder.path().join("standin.pem")).unwrap();
        let configuration = configuration::write(home, folder.path(), ports, relay_port, lines);
        let server = program("dovecot", "dovecot-core dovecot-imapd dovecot-submissiond")
            .arg("-c")
            .arg(configuration)
            .arg("-F")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.path().join("stderr")).unwrap())
            .spawn()
            .unwrap();
        let mut dovecot = Self { folder, server, imaps_port: ports.0, submission_port: ports.1 };
        eventually("Dovecot listens", || {
            if let Some(status) = dovecot.server.try_wait().unwrap() {
                panic!(
                    "Dovecot exited ({status}); tests/run installs dovecot-imapd and dovecot-submissiond: {}",
                    dovecot.log()
                );
            }
            [ports.0, ports.1].iter().all(|port| TcpStream::connect(("127.0.0.1", *port)).is_ok())
        });
        dovecot
    }

    /// Returns the file with the certificate authority that mail programs must trust.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    /// Puts a mail into this user's INBOX.
    pub fn deliver(&self, user: &str, mail: &str) {
        let mut folder = self.folder.path().join("homes");
        for name in [user, "Maildir", "new"] {
            folder = create(folder.join(name));
            give_to_mail_user(&folder);
        }
        let file = folder.join("1.mail.localhost");
        fs::write(&file, mail).unwrap();
        give_to_mail_user(&file);
    }

    /// Logs in with XOAUTH2 and opens INBOX. Uses curl, independently of the mail program under test.
    pub fn log_in(&self, user: &str, token: &str) -> Run {
        let mut curl = program("curl", "curl");
        curl.args(["--silent", "--show-error", "--noproxy", "*", "--max-time", "20", "--cacert"]);
        curl.arg(self.ca_file()).args(["--oauth2-bearer", token]);
        curl.args(["--user", user, "--request", "EXAMINE INBOX"]);
        finish(curl.arg(format!("imaps://localhost:{}/", self.imaps_port)))
    }

    /// Returns the log, for failure messages.
    pub fn log(&self) -> String {
        let read = |name| fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
        read("stderr") + &read("log")
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        // On SIGTERM Dovecot also ends its child processes.
        _ = kill_process(Pid::from_child(&self.server), Signal::TERM);
        _ = self.server.wait();
    }
}

fn create(folder: PathBuf) -> PathBuf {
    fs::create_dir(&folder).unwrap();
    folder
}

pub fn give_to_mail_user(path: &Path) {
    if getuid().is_root() {
        chown(path, Some(NOBODY.0), Some(NOBODY.1)).unwrap();
    }
}

/// Writes a certificate issued by an authority, because Emacs does not accept a self-signed one.
fn write_certificate(folder: &Path) {
    let mut params = certificate("Mail authority", Vec::new());
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let server = certificate("Mail server", vec!["localhost".to_owned()]).signed_by(&key, &authority).unwrap();
    for (name, pem) in
        [("authority.pem", authority.pem()), ("certificate.pem", server.pem()), ("key.pem", key.serialize_pem())]
    {
        fs::write(folder.join(name), pem).unwrap();
    }
}

fn certificate(common_name: &str, names: Vec<String>) -> CertificateParams {
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, common_name);
    // Some clients reject rcgen's default validity, 1975 to 4096.
    let now = OffsetDateTime::now_utc();
    params.not_before = now - Duration::days(1);
    params.not_after = now + Duration::days(30);
    params
}
