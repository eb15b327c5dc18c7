//! A login session: a private D-Bus with a real keyring, in the states that users have.

mod keepassxc;
mod kwallet;

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use zbus::zvariant::{ObjectPath, OwnedObjectPath};

use crate::support::{Home, Run, eventually, finish};
pub use keepassxc::KeePassXc;

/// The bus starts no keyring on demand, so each test decides whether there is one. Root may use it too.
const BUS_CONFIGURATION: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path=PATH/bus</listen>
<servicedir>PATH/services</servicedir><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>
</policy></busconfig>"#;

/// The password of every keyring.
const PASSWORD: &str = "a password";

/// The keyring of a login session, and its state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Keyring {
    /// gnome-keyring, unlocked.
    Gnome,
    /// gnome-keyring without a default collection.
    NeverSetUp,
    KeePassXc(KeePassXc),
    /// KWallet, opened by the login.
    KWallet,
    /// No keyring is on the bus.
    Absent,
}

pub struct Login {
    folder: tempfile::TempDir,
    bus: Child,
    keyring: Keyring,
    daemon: Option<Child>,
    environment: Vec<(String, String)>,
}

impl Login {
    /// Starts a bus and a keyring, and sets them in the environment of this home.
    pub fn start(home: &mut Home, keyring: Keyring) -> Self {
        // A short path, because a socket's path is limited to 107 characters.
        let folder = tempfile::Builder::new().prefix("m365-bus-").tempdir_in("/tmp").unwrap();
        let runtime = folder.path().join("run");
        std::fs::DirBuilder::new().mode(0o700).create(&runtime).unwrap();
        std::fs::create_dir(folder.path().join("services")).unwrap();
        let configuration = folder.path().join("bus.conf");
        std::fs::write(&configuration, BUS_CONFIGURATION.replace("PATH", folder.path().to_str().unwrap())).unwrap();
        let mut bus = program("dbus-daemon", "dbus")
            .args(["--nofork", "--nopidfile", "--print-address", "--config-file"])
            .arg(&configuration)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("dbus-daemon starts");
        let mut address = String::new();
        BufReader::new(bus.stdout.take().unwrap()).read_line(&mut address).unwrap();
        let environment = vec![
            ("DBUS_SESSION_BUS_ADDRESS".to_owned(), address.trim().to_owned()),
            ("XDG_RUNTIME_DIR".to_owned(), runtime.to_str().unwrap().to_owned()),
        ];
        home.environment.retain(|(name, _)| name != "XDG_RUNTIME_DIR");
        home.environment.extend(environment.clone());
        let configuration = std::fs::read_to_string(home.config_file()).unwrap();
        home.configure(&configuration.replace("store = 'file'", "store = 'auto'"));
        let mut login = Self { folder, bus, keyring, daemon: None, environment };
        if keyring != Keyring::Absent {
            login.start_keyring(home.path(), keyring);
        }
        login
    }

    fn start_keyring(&mut self, home: &Path, keyring: Keyring) {
        let mut daemon = match keyring {
            Keyring::KWallet => kwallet::spawn(home, &self.environment),
            Keyring::KeePassXc(state) => self.spawn(home, keepassxc::command(home, state)),
            _ => {
                let mut command = program("gnome-keyring-daemon", "gnome-keyring");
                command.args(["--foreground", "--components=secrets"]);
                if keyring == Keyring::Gnome {
                    command.arg("--unlock");
                }
                self.spawn(home, command)
            }
        };
        if let Some(mut stdin) = daemon.stdin.take() {
            stdin.write_all(PASSWORD.as_bytes()).unwrap();
        }
        self.daemon = Some(daemon);
        self.keyring = keyring;
        eventually("the keyring is on the bus", || self.has_owner("org.freedesktop.secrets"));
        if matches!(keyring, Keyring::KeePassXc(KeePassXc::Unlocked | KeePassXc::Confirming)) {
            eventually("its window is on the bus", || self.has_owner(keepassxc::MAIN_WINDOW));
            keepassxc::open_database(home, &self.bus());
        }
        if matches!(keyring, Keyring::KWallet | Keyring::KeePassXc(_)) {
            eventually("its collection is there", || self.default_collection().is_some());
        }
        if matches!(keyring, Keyring::KeePassXc(KeePassXc::Unlocked | KeePassXc::Confirming)) {
            eventually("the database is open", || self.default_collection().is_some_and(|path| !self.is_locked(&path)));
        }
        if let Some(wallet) = self.kwallet() {
            eventually("the wallet is open", || {
                self.call_kwallet(wallet, "isOpen", &["string:kdewallet"]).stdout.contains("boolean true")
            });
        }
    }

    /// Returns the version of KWallet, if it is on the bus.
    fn kwallet(&self) -> Option<u8> {
        [5, 6].into_iter().find(|version| self.has_owner(&format!("org.kde.kwalletd{version}")))
    }

    fn call_kwallet(&self, version: u8, method: &str, arguments: &[&str]) -> Run {
        let (name, path) = (format!("org.kde.kwalletd{version}"), format!("/modules/kwalletd{version}"));
        self.call(&name, &path, &format!("org.kde.KWallet.{method}"), arguments)
    }

    fn spawn(&self, home: &Path, mut command: Command) -> Child {
        command.env("HOME", home).envs(self.environment.clone());
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the keyring starts")
    }

    fn has_owner(&self, name: &str) -> bool {
        let method = "org.freedesktop.DBus.NameHasOwner";
        self.call("org.freedesktop.DBus", "/", method, &[&format!("string:{name}")]).stdout.contains("boolean true")
    }

    /// Returns the object path of the default collection, if there is one.
    fn default_collection(&self) -> Option<String> {
        let method = "org.freedesktop.Secret.Service.ReadAlias";
        let reply = self.call("org.freedesktop.secrets", "/org/freedesktop/secrets", method, &["string:default"]);
        let path = reply.stdout.split('"').nth(1)?.to_owned();
        (path != "/").then_some(path)
    }

    /// Lets the bus start a service on demand: `program` with these arguments.
    pub fn add_service(&self, name: &str, program: &str) {
        let file = self.folder.path().join("services").join(format!("{name}.service"));
        std::fs::write(file, format!("[D-BUS Service]\nName={name}\nExec={program}\n")).unwrap();
    }

    /// Returns the address of the bus.
    pub fn address(&self) -> &str {
        &self.environment[0].1
    }

    /// Links the bus to the path that systemd uses.
    pub fn link_bus_into_runtime_folder(&self) {
        std::os::unix::fs::symlink(self.folder.path().join("bus"), self.folder.path().join("run/bus")).unwrap();
    }

    fn bus(&self) -> zbus::blocking::Connection {
        zbus::blocking::connection::Builder::address(self.address()).unwrap().build().unwrap()
    }

    fn is_locked(&self, collection: &str) -> bool {
        let arguments = ["string:org.freedesktop.Secret.Collection", "string:Locked"];
        let method = "org.freedesktop.DBus.Properties.Get";
        self.call("org.freedesktop.secrets", collection, method, &arguments).stdout.contains("boolean true")
    }

    /// Locks the keyring, as a screen lock or a logout does.
    pub fn lock(&self) {
        if let Some(version) = self.kwallet() {
            let closed = self.call_kwallet(version, "close", &["string:kdewallet", "boolean:true"]);
            assert!(closed.stdout.contains("int32 0"), "{closed:?}");
            return;
        }
        const KEYRING: Option<&str> = Some("org.freedesktop.secrets");
        let bus = self.bus();
        let collection = ObjectPath::try_from(self.default_collection().unwrap()).unwrap();
        let interface = Some("org.freedesktop.Secret.Service");
        let reply =
            bus.call_method(KEYRING, "/org/freedesktop/secrets", interface, "Lock", &(vec![&collection],)).unwrap();
        let (_, prompt): (Vec<OwnedObjectPath>, OwnedObjectPath) = reply.body().deserialize().unwrap();
        if prompt.as_str() != "/" {
            // KeePassXC locks only then. No window opens for it.
            bus.call_method(KEYRING, prompt, Some("org.freedesktop.Secret.Prompt"), "Prompt", &"").unwrap();
        }
        eventually("the keyring is locked", || self.is_locked(collection.as_str()));
    }

    /// Stops the keyring's process, so it hangs as under a debugger or on a broken disk.
    pub fn stop_responding(&self) {
        self.signal("STOP");
        // A busy machine stops the threads one after another.
        let tasks = format!("/proc/{}/task", self.daemon.as_ref().unwrap().id());
        let is_stopped = |task: std::io::Result<std::fs::DirEntry>| {
            let state = std::fs::read_to_string(task.unwrap().path().join("stat")).unwrap_or_default();
            state.contains(") T ")
        };
        eventually("the keyring is stopped", || std::fs::read_dir(&tasks).unwrap().all(is_stopped));
    }

    /// Ends the keyring, but not the bus.
    pub fn end_keyring(&mut self) {
        let mut daemon = self.daemon.take().unwrap();
        daemon.kill().unwrap();
        daemon.wait().unwrap();
    }

    /// Starts the keyring again.
    pub fn restart_keyring(&mut self, home: &Home) {
        self.end_keyring();
        self.start_keyring(home.path(), self.keyring);
    }

    /// Starts KeePassXC again, with the same database.
    pub fn restart_keepassxc(&mut self, home: &Home, state: KeePassXc) {
        // 2.8 saves the database when it is asked to end. 2.7.10 has saved it already, but may keep running.
        self.signal("TERM");
        let asked = Instant::now();
        let daemon = self.daemon.as_mut().unwrap();
        eventually("KeePassXC ends", || {
            daemon.try_wait().unwrap().is_some() || asked.elapsed() > Duration::from_secs(5)
        });
        self.end_keyring();
        self.start_keyring(home.path(), Keyring::KeePassXc(state));
    }

    fn signal(&self, name: &str) {
        if let Some(daemon) = &self.daemon {
            let id = daemon.id().to_string();
            assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
        }
    }

    fn call(&self, destination: &str, path: &str, method: &str, arguments: &[&str]) -> Run {
        let mut command = program("dbus-send", "dbus");
        command.args(["--session", "--print-reply", &format!("--dest={destination}"), path, method]);
        command.args(arguments).envs(self.environment.clone());
        finish(&mut command)
    }

    /// Runs code with Python's `keyring`, which the Python tool uses.
    pub fn python(&self, home: &Home, code: &str) -> Run {
        let mut command = Command::new("/usr/bin/python3");
        home.prepare(&mut command);
        command.args(["-c", &format!("import keyring\n{code}")]);
        match finish(&mut command) {
            // With Python's library, KWallet refuses about one public key in 256, derives a different shared key from
            // about one in 256, and sometimes loses its session: https://github.com/mitya57/secretstorage/issues/48
            run if ["Client public key size is invalid", "UnicodeDecodeError", "Can't find session"]
                .iter()
                .any(|text| run.stderr.contains(text)) =>
            {
                finish(&mut command)
            }
            run => run,
        }
    }

    /// Returns the token that Python's `keyring` finds.
    pub fn python_reads(&self, home: &Home) -> String {
        let run = self.python(home, "print(keyring.get_password('m365auth-mail', 'refresh_token'))");
        assert_eq!(run.code, Some(0), "tests/run installs python3-keyring: {run:?}");
        run.stdout.trim().to_owned()
    }

    pub fn python_writes(&self, home: &Home, token: &str) {
        let run = self.python(home, &format!("keyring.set_password('m365auth-mail', 'refresh_token', '{token}')"));
        assert_eq!(run.code, Some(0), "tests/run installs python3-keyring: {run:?}");
    }

    /// Returns the number of our entries.
    pub fn items(&self, home: &Home) -> usize {
        let mut command = program("secret-tool", "libsecret-tools");
        home.prepare(&mut command);
        let found = finish(command.args(["search", "--all", "service", "m365auth-mail"]));
        found.stdout.lines().filter(|line| line.starts_with("[/")).count()
    }
}

impl Drop for Login {
    fn drop(&mut self) {
        self.signal("CONT");
        for child in self.daemon.iter_mut().chain([&mut self.bus]) {
            _ = child.kill();
            _ = child.wait();
        }
    }
}

/// Returns a program from a Debian package. Panics with the package's name if it is not installed.
pub fn program(name: &str, package: &str) -> Command {
    let found = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| folder.join(name))
        .find(|file| file.is_file());
    Command::new(found.unwrap_or_else(|| panic!("{name} is missing: tests/run installs {package}")))
}
