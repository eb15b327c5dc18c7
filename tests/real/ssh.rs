//! Signing in on another host, over a real sshd: with the callback's port forwarded, and with a pasted address. As root the
//! other host is a network namespace, so that `localhost` there and here are two. ssh starts sshd itself and speaks to it
//! through a pipe: no port, no wire between the two, and nothing that stays when ssh has ended.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use standin::{ADA, Browser, Setup, Standin};

use crate::login::program;
use crate::support::{Home, SignIn, binary, eventually, finish, free_port};

struct Host<'a> {
    home: &'a Home,
    is_namespace: bool,
}

impl<'a> Host<'a> {
    fn new(home: &'a Home) -> Self {
        for key in ["host_key", "user_key"] {
            let mut keygen = program("ssh-keygen", "openssh-client");
            let made = finish(keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(home.path().join(key)));
            assert_eq!(made.code, Some(0), "{made:?}");
        }
        let folder = home.path().display();
        let configuration = format!(
            "HostKey {folder}/host_key\nPidFile none\nUsePAM no\nStrictModes no\nAuthorizedKeysFile {folder}/user_key.pub\n\
             PermitRootLogin prohibit-password\nPasswordAuthentication no\n"
        );
        fs::write(home.path().join("sshd_config"), configuration).unwrap();
        Self { home, is_namespace: rustix::process::getuid().is_root() }
    }

    /// What starts sshd. Root's gives up its privileges in /run/sshd, which a service would make, and here only it sees.
    fn sshd(&self) -> String {
        let path = |name, package| program(name, package).get_program().to_str().unwrap().to_owned();
        let sshd = path("sshd", "openssh-server");
        let sshd = format!("{sshd} -i -e -f '{0}/sshd_config' 2>'{0}/sshd.log'", self.home.path().display());
        if !self.is_namespace {
            return sshd;
        }
        let ip = path("ip", "iproute2");
        let script =
            format!("{ip} link set lo up && mount -t tmpfs tmpfs /run && mkdir -m 755 /run/sshd && exec {sshd}\n");
        let file = self.home.path().join("sshd.sh");
        fs::write(&file, script).unwrap();
        format!("{} --net --mount sh '{}'", path("unshare", "util-linux"), file.display())
    }

    /// Where the browser's port must be forwarded from: on the same machine it cannot be the callback's own.
    fn local_port(&self) -> u16 {
        if self.is_namespace { self.home.callback_port } else { free_port() }
    }

    /// An ssh that runs `get-token` there. Microsoft's stand-in is reached there by the port that it has here.
    fn ssh(&self, forward: Option<u16>, arguments: &str) -> Command {
        let mut ssh = program("ssh", "openssh-client");
        ssh.args(["-tt", "-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]);
        ssh.args(["-o", "LogLevel=ERROR", "-o", "IdentitiesOnly=yes", "-o", "ExitOnForwardFailure=yes"]);
        ssh.arg("-o").arg(format!("ProxyCommand={}", self.sshd()));
        ssh.arg("-i").arg(self.home.path().join("user_key"));
        let standin = self.home.standin.port();
        if self.is_namespace {
            ssh.arg("-R").arg(format!("{standin}:localhost:{standin}"));
        }
        if let Some(local) = forward {
            ssh.arg("-L").arg(format!("{local}:localhost:{}", self.home.callback_port));
        }
        let home = self.home.path().display();
        ssh.arg("there").arg(format!(
            "echo $$ >'{home}/process'; HOME='{home}' XDG_RUNTIME_DIR= DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent \
             exec '{}' {arguments} 2>&1 >'{home}/stdout'",
            binary("get-token").display()
        ));
        // With a terminal on the other side, all words come on ssh's stdout.
        ssh.stdin(Stdio::piped());
        ssh
    }
}

/// The token that `get-token` printed on the other host.
fn printed(home: &Home) -> String {
    fs::read_to_string(home.path().join("stdout")).unwrap().trim().to_owned()
}

#[test]
#[ignore = "tests/run: openssh-server, iproute2"]
fn with_the_port_forwarded_the_browser_here_comes_back_to_the_host_there() {
    let home = Home::new();
    let host = Host::new(&home);
    let local = host.local_port();
    let sign_in = SignIn::begin_in_terminal(&mut host.ssh(Some(local), "--server --browser never"));
    let redirect = Browser::redirect_address(&sign_in.address, ADA).unwrap();
    // Microsoft ignores the port of localhost, and so may whoever forwards it.
    let here = format!("https://localhost:{local}");
    let taken = Browser::get(&redirect.replace(&format!("https://localhost:{}", home.callback_port), &here)).unwrap();
    assert_eq!(taken.status, 303, "{}", taken.body);
    let page = Browser::get(&format!("{here}{}", taken.headers["location"])).unwrap();
    assert!(page.body.contains("You are signed in"), "{}", page.body);
    let run = sign_in.finish();
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(home.standin.is_valid_access_token(&printed(&home)));
    assert!(home.standin.is_valid_refresh_token(&home.token_in_file("mail").unwrap()));
}

#[test]
#[ignore = "tests/run: openssh-server, iproute2"]
fn over_ssh_an_address_of_16_kib_is_pasted_into_the_session() {
    let home = Home::with(Standin::start_with(Setup { code_length: 16_000..=16_000, ..Setup::default() }));
    let host = Host::new(&home);
    // sshd itself sets SSH_CONNECTION, and the terminal is a real one.
    let mut sign_in = SignIn::begin_in_terminal(&mut host.ssh(None, ""));
    let redirect = Browser::redirect_address(&sign_in.address, ADA).unwrap();
    let keys = format!("{redirect}\n");
    sign_in.stdin().write_all(keys.as_bytes()).unwrap();
    let run = sign_in.finish();
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(home.standin.is_valid_access_token(&printed(&home)));
    assert!(!run.stderr.contains("code="), "nothing is shown of it: {run:?}");
}

#[test]
#[ignore = "tests/run: openssh-server, iproute2"]
fn a_connection_that_is_lost_ends_the_sign_in_there() {
    for arguments in ["", "--server --browser never"] {
        let home = Home::new();
        let host = Host::new(&home);
        let sign_in = SignIn::begin_in_terminal(&mut host.ssh(None, arguments));
        let process = fs::read_to_string(home.path().join("process")).unwrap();
        let arguments = format!("/proc/{}/cmdline", process.trim());
        assert!(fs::read_to_string(&arguments).unwrap().contains("get-token"));
        drop(sign_in); // kills ssh
        eventually("get-token ends", || fs::read(&arguments).map_or(true, |arguments| arguments.is_empty()));
    }
}
