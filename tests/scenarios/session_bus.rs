//! The addresses of the D-Bus session bus: the order in which they are tried, and which sockets are trusted.
#![cfg(target_os = "linux")]

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};

use crate::support::{Home, finish};

/// Binds a socket that closes each connection at once, as the bus of a session that ends does. Sends its path to
/// `connected` for each connection, and returns the path.
fn bind(socket: &Path, connected: &Sender<String>) -> String {
    let (listener, connected) = (UnixListener::bind(socket).unwrap(), connected.clone());
    let name = socket.to_str().unwrap().to_owned();
    let reported = name.clone();
    std::thread::spawn(move || listener.incoming().all(|_| connected.send(reported.clone()).is_ok()));
    name
}

/// Returns a home with the keychain as store, a folder with a short path for sockets, and a channel for the paths of the
/// sockets that were connected to.
fn home_with_sockets() -> (Home, tempfile::TempDir, Sender<String>, Receiver<String>) {
    let home = Home::new();
    home.configure(&home.configuration_with_store("'keychain'"));
    // A socket's path is limited to 107 characters.
    let folder = tempfile::Builder::new().prefix("m365-bus-").tempdir_in("/tmp").unwrap();
    let (sender, receiver) = channel();
    (home, folder, sender, receiver)
}

#[test]
fn each_address_is_tried_in_order_and_named() {
    let (home, folder, sender, connected) = home_with_sockets();
    let [first, second, last] = ["first", "second", "bus"].map(|name| bind(&folder.path().join(name), &sender));
    let list = format!("unix:path=/nonexistent;unix:path={first};unix:path={second}");
    let mut command = home.command("get-refresh-token");
    let run = finish(command.env("DBUS_SESSION_BUS_ADDRESS", list).env("XDG_RUNTIME_DIR", folder.path()));
    let stderr = run.fails_with(69);
    let position = |name: &str| stderr.find(&format!("unix:path={name}")).unwrap_or_else(|| panic!("{name}: {stderr}"));
    assert!(position("/nonexistent") < position(&first) && position(&first) < position(&second), "{stderr}");
    assert!(position(&second) < position(&last), "{stderr}");
    assert_eq!(connected.try_iter().collect::<Vec<_>>(), [first, second, last]);
}

/// As those of dbus-launch(1).
#[test]
fn an_address_may_be_an_abstract_socket() {
    let (home, folder, sender, connected) = home_with_sockets();
    let name = folder.path().join("abstract").to_str().unwrap().to_owned();
    let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    std::thread::spawn(move || listener.incoming().all(|_| sender.send(name.clone()).is_ok()));
    let address = format!("unix:abstract={}/abstract,guid=0123456789abcdef0123456789abcdef", folder.path().display());
    let run = finish(home.command("get-refresh-token").env("DBUS_SESSION_BUS_ADDRESS", &address));
    assert!(run.fails_with(69).contains(&format!("no D-Bus session bus responds ({address}")), "{run:?}");
    assert_eq!(connected.try_iter().count(), 1);
}

#[test]
fn a_file_in_the_runtime_folder_is_not_an_address() {
    let (home, folder, ..) = home_with_sockets();
    std::fs::write(folder.path().join("bus"), "").unwrap();
    let run = finish(home.command("get-refresh-token").env("XDG_RUNTIME_DIR", folder.path()));
    assert!(run.fails_with(69).contains("no D-Bus session bus was found"), "{run:?}");
}
