//! Signing in on another host, over a real sshd: with the callback's port forwarded, and with a pasted address. As root the
//! other host is a network namespace, so that `localhost` there and here are two.

use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};

use standin::{ADA, Browser};

use crate::login::program;
use crate::support::{Home, SignIn, binary, eventually, finish, free_port};

/// Addresses for documentation (RFC 5737), which lead nowhere but to the test's own namespace.
const NETWORK: &str = "198.51.100";

struct Host<'a> {
    home: &'a Home,
    address: String,
    port: u16,
    namespace: Option<String>,
    sshd: Child,
}

impl<'a> Host<'a> {
    fn start(home: &'a Home) -> Self {
        let namespace = rustix::process::getuid().is_root().then(Namespace::add);
        let address = namespace.as_ref().map_or_else(|| "127.0.0.1".to_owned(), |namespace| namespace.address.clone());
        let port = free_port();
        for key in ["host_key", "user_key"] {
            let mut keygen = program("ssh-keygen", "openssh-client");
            let made = finish(keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(home.path().join(key)));
            assert_eq!(made.code, Some(0), "{made:?}");
        }
        let folder = home.path().display();
        let configuration = home.path().join("sshd_config");
        fs::write(
            &configuration,
            format!(
                "Port {port}\nListenAddress {address}\nHostKey {folder}/host_key\nPidFile none\nUsePAM no\nStrictModes no\n\
                 AuthorizedKeysFile {folder}/user_key.pub\nPermitRootLogin prohibit-password\nPasswordAuthentication no\n"
            ),
        )
        .unwrap();
        if namespace.is_some() {
            fs::create_dir_all("/run/sshd").unwrap(); // where it gives up its privileges; a service would make it
        }
        let sshd = program("sshd", "openssh-server").get_program().to_owned();
        let mut command = match &namespace {
            Some(namespace) => {
                let mut command = program("ip", "iproute2");
                command.args(["netns", "exec", &namespace.name]).arg(sshd);
                command
            }
            None => Command::new(sshd),
        };
        let log = fs::File::create(home.path().join("sshd.log")).unwrap();
        let sshd = command.args(["-D", "-e", "-f"]).arg(configuration).stderr(log).spawn().unwrap();
        let host = Self { home, address, port, namespace: namespace.map(|namespace| namespace.name), sshd };
        eventually("sshd listens", || TcpStream::connect((host.address.as_str(), port)).is_ok());
        host
    }

    /// Where the browser's port must be forwarded from: on the same machine it cannot be the callback's own.
    fn local_port(&self) -> u16 {
        if self.namespace.is_some() { self.home.callback_port } else { free_port() }
    }

    /// An ssh that runs `get-token` there. Microsoft's stand-in is reached there by the port that it has here.
    fn ssh(&self, forward: Option<u16>, arguments: &str) -> Command {
        let mut ssh = program("ssh", "openssh-client");
        ssh.args(["-tt", "-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]);
        ssh.args(["-o", "LogLevel=ERROR", "-o", "IdentitiesOnly=yes", "-p", &self.port.to_string(), "-i"]);
        ssh.arg(self.home.path().join("user_key"));
        let standin = self.home.standin.port();
        if self.namespace.is_some() {
            ssh.arg("-R").arg(format!("{standin}:localhost:{standin}"));
        }
        if let Some(local) = forward {
            ssh.arg("-L").arg(format!("{local}:localhost:{}", self.home.callback_port));
        }
        let home = self.home.path().display();
        ssh.arg(&self.address).arg(format!(
            "HOME='{home}' XDG_RUNTIME_DIR= DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent '{}' {arguments} 2>&1 >'{home}/stdout'",
            binary("get-token").display()
        ));
        // With a terminal on the other side, all words come on ssh's stdout.
        ssh.stdin(Stdio::piped());
        ssh
    }
}

impl Drop for Host<'_> {
    fn drop(&mut self) {
        _ = self.sshd.kill();
        _ = self.sshd.wait();
        if let Some(namespace) = &self.namespace {
            _ = finish(program("ip", "iproute2").args(["netns", "delete", namespace]));
        }
    }
}

/// Another host: a namespace with one wire to this one.
struct Namespace {
    name: String,
    address: String,
}

impl Namespace {
    fn add() -> Self {
        static NEXT: AtomicU8 = AtomicU8::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let addresses = finish(program("ip", "iproute2").args(["-brief", "address"])).stdout;
        assert!(!addresses.contains(&format!("{NETWORK}.{}/", number * 4 + 1)), "another test has it: {addresses}");
        let id = std::process::id();
        let (name, here, there) =
            (format!("m365auth-{id}-{number}"), format!("mh{id}-{number}"), format!("mn{id}-{number}"));
        let (ours, theirs) = (format!("{NETWORK}.{}", number * 4 + 1), format!("{NETWORK}.{}", number * 4 + 2));
        let inside = ["netns", "exec", &name, "ip"];
        for arguments in [
            vec!["netns", "add", &name],
            vec!["link", "add", &here, "type", "veth", "peer", "name", &there, "netns", &name],
            vec!["address", "add", &format!("{ours}/30"), "dev", &here],
            vec!["link", "set", &here, "up"],
            [&inside[..], &["address", "add", &format!("{theirs}/30"), "dev", &there]].concat(),
            [&inside[..], &["link", "set", &there, "up"]].concat(),
            [&inside[..], &["link", "set", "lo", "up"]].concat(),
        ] {
            let run = finish(program("ip", "iproute2").args(&arguments));
            assert_eq!(run.code, Some(0), "ip {arguments:?}: {run:?}");
        }
        Self { name, address: theirs }
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
    let host = Host::start(&home);
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
fn over_ssh_the_address_is_pasted_into_the_session() {
    let home = Home::new();
    let host = Host::start(&home);
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
