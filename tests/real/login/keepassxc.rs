//! KeePassXC as Secret Service.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{PASSWORD, program};

/// A database that exposes its only group, as if a user had chosen that in the database's settings.
const DATABASE: &str = "<KeePassFile><Meta><CustomData><Item><Key>FDO_SECRETS_EXPOSED_GROUP</Key>\
    <Value>{00010203-0405-0607-0809-0a0b0c0d0e0f}</Value></Item></CustomData></Meta>\
    <Root><Group><UUID>AAECAwQFBgcICQoLDA0ODw==</UUID><Name>Passwords</Name></Group></Root></KeePassFile>";
/// The default settings, but with the Secret Service, and without a question at the first start.
const SETTINGS: &str = "[General]\nConfigVersion=2\nUpdateCheckMessageShown=true\nSingleInstance=false\n\
    [Security]\nLockDatabaseIdle=false\n[FdoSecrets]\nEnabled=true\n";

/// The interface of the main window, and its name on the bus.
pub const MAIN_WINDOW: &str = "org.keepassxc.KeePassXC.MainWindow";

/// How KeePassXC runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum KeePassXc {
    /// It asks a person before each new program may read an entry: the default.
    Confirming,
    Unlocked,
    /// The password of the database is not entered yet.
    Locked,
}

/// Makes a database, and returns the command that starts KeePassXC: with this database, still locked, if `state` is
/// `Locked`, else with an empty window.
pub fn command(home: &Path, state: KeePassXc) -> Command {
    let (source, database, settings) = (home.join("database.xml"), database(home), home.join("keepassxc.ini"));
    if !database.exists() {
        std::fs::write(&source, DATABASE).unwrap();
        let mut import = program("keepassxc-cli", "keepassxc");
        import.args(["import", "--quiet", "--set-password", "--decryption-time", "100"]).args([&source, &database]);
        let mut import = import.env("HOME", home).stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        write!(import.stdin.take().unwrap(), "{PASSWORD}\n{PASSWORD}\n").unwrap();
        assert!(import.wait().unwrap().success());
    }
    let confirm = state == KeePassXc::Confirming;
    std::fs::write(&settings, format!("{SETTINGS}ConfirmAccessItem={confirm}\n")).unwrap();
    let mut command = program("keepassxc", "keepassxc");
    command.arg("--config").arg(&settings).arg("--localconfig").arg(home.join("keepassxc-local.ini"));
    command.env("QT_QPA_PLATFORM", "offscreen");
    if state == KeePassXc::Locked {
        command.arg(&database);
    }
    command
}

/// Opens the database in the running KeePassXC. `--pw-stdin` opens it before the window appears, and 2.7.10 of Debian 13
/// can crash then.
pub fn open_database(home: &Path, bus: &zbus::blocking::Connection) {
    const NAME: Option<&str> = Some(MAIN_WINDOW);
    let file = database(home);
    let arguments = (file.to_str().unwrap(), PASSWORD, "");
    bus.call_method(NAME, "/keepassxc", NAME, "openDatabase", &arguments).unwrap();
}

fn database(home: &Path) -> PathBuf {
    home.join("m365.kdbx")
}
