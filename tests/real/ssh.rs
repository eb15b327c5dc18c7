//! Signing in on a remote host over a real sshd, with the callback's port forwarded or with a pasted URL. As root, the
//! remote host is a network namespace with its own `localhost`. ssh starts sshd and connects to it through a pipe, so
//! no port is needed and sshd ends with ssh.

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

    /// Returns the command that starts sshd. As root, sshd needs the folder /run/sshd, which its service would create;
    /// here it exists in sshd's mount namespace only.
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

    /// Returns the local port to forward. Without a namespace it must differ from the callback's port.
    fn local_port(&self) -> u16 {
        if self.is_namespace { self.home.callback_port } else { free_port() }
    }

    /// Returns an ssh command that runs `get-token` on the remote host. The stand-in has the same port there.
    fn ssh(&self, forward: Option<u16>, arguments: &str) -> Command {
        let mut ssh = program("ssh", "openssh-client");
        ssh.env("TERM", "xterm"); // as most terminals set it; ssh passes it on
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
        ssh.arg("remote").arg(format!(
            "echo $$ >'{home}/process'; HOME='{home}' XDG_RUNTIME_DIR='{home}' \
             exec '{}' {arguments} 2>&1 >'{home}/stdout'",
            binary("get-token").display()
        ));
        // With a remote terminal, stderr arrives on ssh's stdout.
        ssh.stdin(Stdio::piped());
        ssh
    }
}

/// Returns the token that `get-token` printed on the remote host.
fn printed(home: &Home) -> String {
    fs::read_to_string(home.path().join("stdout")).unwrap().trim().to_owned()
}

#[test]
#[ignore = "tests/run: openssh-server, iproute2"]
fn a_forwarded_port_lets_the_local_browser_reach_the_remote_callback() {
    let home = Home::new();
    let host = Host::new(&home);
    let local = host.local_port();
    let sign_in = SignIn::begin_in_terminal(&mut host.ssh(Some(local), "--server --browser never"));
    let redirect = Browser::redirect_url(&sign_in.url, ADA).unwrap();
    // Microsoft ignores the port of localhost, so the local port may differ from the remote one.
    let origin = format!("https://localhost:{local}");
    let callback = redirect.replace(&format!("https://localhost:{}", home.callback_port), &origin);
    let response = Browser::get(&callback).unwrap();
    assert_eq!(response.status, 303, "{}", response.body);
    let page = Browser::get(&format!("{origin}{}", response.headers["location"])).unwrap();
    assert!(page.body.contains("You are signed in"), "{}", page.body);
    let run = sign_in.finish();
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(home.standin.is_valid_access_token(&printed(&home)));
    assert!(home.standin.is_valid_refresh_token(&home.token_in_file("mail").unwrap()));
}

#[test]
#[ignore = "tests/run: openssh-server, iproute2"]
fn a_url_of_16_kib_can_be_pasted_over_ssh() {
    let home = Home::with(Standin::start_with(Setup { code_length: 16_000..=16_000, ..Setup::default() }));
    let host = Host::new(&home);
    // sshd sets SSH_CONNECTION, and provides a real terminal.
    let mut sign_in = SignIn::begin_in_terminal(&mut host.ssh(None, ""));
    let redirect = Browser::redirect_url(&sign_in.url, ADA).unwrap();
    let keys = format!("{redirect}\n");
    sign_in.stdin().write_all(keys.as_bytes()).unwrap();
    let run = sign_in.finish();
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(home.standin.is_valid_access_token(&printed(&home)));
    assert!(!run.stderr.contains("code="), "the pasted URL is not shown: {run:?}");
}

#[test]
#[ignore = "tests/run: openssh-server, iproute2"]
fn a_lost_connection_ends_the_remote_sign_in() {
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
