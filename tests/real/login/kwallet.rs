//! KWallet, opened by the login as `pam_kwallet` does.

use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::{PASSWORD, program};
use crate::support::{eventually, finish};

/// The programs that serve secrets in Debian 12, Debian 13 and sid.
const PROGRAMS: [(&str, &str); 3] =
    [("ksecretd", "kwallet6"), ("kwalletd6", "kwallet6"), ("kwalletd5", "libkf5wallet-bin")];
/// Without the questions of the first use.
const SETTINGS: &str = "[Wallet]\nFirst Use=false\nEnabled=true\nDefault Wallet=kdewallet\nUse One Wallet=true\n";

/// Starts KWallet with an open wallet, which is created first if it does not exist yet.
pub fn spawn(home: &Path, environment: &[(String, String)]) -> Child {
    let folder = home.join(".local/share/kwalletd");
    let wallet = folder.join("kdewallet.kwl");
    if !wallet.exists() {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::create_dir_all(home.join(".config")).unwrap();
        std::fs::write(home.join(".config/kwalletrc"), SETTINGS).unwrap();
        std::fs::write(folder.join("kdewallet.salt"), [b's'; 56]).unwrap();
        // A wallet that is created by the login is served only from the next start on.
        let mut first = log_in(home, environment);
        eventually("the wallet is written", || wallet.metadata().is_ok_and(|file| file.len() > 0));
        first.kill().unwrap();
        first.wait().unwrap();
    }
    log_in(home, environment)
}

/// Passes the hash of the password through a pipe and the environment through a socket, as `pam_kwallet` does. The
/// numbers of both descriptors are arguments.
fn log_in(home: &Path, environment: &[(String, String)]) -> Child {
    let socket = home.join("kwallet.socket");
    _ = std::fs::remove_file(&socket);
    let listener = UnixListener::bind(&socket).unwrap();
    let (name, package) = PROGRAMS
        .into_iter()
        .find(|(name, _)| Path::new("/usr/bin").join(name).exists())
        .expect("tests/run installs KWallet");
    // KWallet accepts no descriptor 0, and only 0 to 2 are inherited without further code.
    let mut command = Command::new("sh");
    command.args(["-c", "exec 3<&0 4<&1 </dev/null >&2; exec \"$0\" --pam-login 3 4"]);
    command.arg(program(name, package).get_program());
    command.stdin(Stdio::piped()).stdout(OwnedFd::from(listener)).stderr(Stdio::null());
    command.env("HOME", home).env("PAM_KWALLET5_LOGIN", &socket).env("QT_QPA_PLATFORM", "offscreen");
    command.envs(environment.iter().cloned()).env_remove("XDG_DATA_HOME").env_remove("XDG_CONFIG_HOME");
    let mut daemon = command.spawn().expect("KWallet starts");
    daemon.stdin.take().unwrap().write_all(&hash(&home.join(".local/share/kwalletd/kdewallet.salt"))).unwrap();
    let mut connection = UnixStream::connect(&socket).unwrap();
    let home = ("HOME".to_owned(), home.to_str().unwrap().to_owned());
    let platform = ("QT_QPA_PLATFORM".to_owned(), "offscreen".to_owned());
    for (name, value) in environment.iter().chain([&home, &platform]) {
        writeln!(connection, "{name}={value}").unwrap();
    }
    daemon
}

/// Returns the key of the wallet (`pam_kwallet.c`): PBKDF2-HMAC-SHA512, 50,000 rounds, 56 bytes.
fn hash(salt: &Path) -> Vec<u8> {
    let code = "import hashlib, sys\nsalt = open(sys.argv[1], 'rb').read()\n\
                print(hashlib.pbkdf2_hmac('sha512', sys.argv[2].encode(), salt, 50_000, 56).hex())";
    let run = finish(program("python3", "python3").args(["-c", code]).arg(salt).arg(PASSWORD));
    let digits = run.stdout.trim();
    (0..digits.len()).step_by(2).map(|start| u8::from_str_radix(&digits[start..start + 2], 16).unwrap()).collect()
}
