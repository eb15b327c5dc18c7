//! The D-Bus session bus: its addresses, in the order in which they are tried. Everything that uses the session bus
//! connects here.

use std::path::Path;

use tokio::net::UnixStream;
use zbus::address::Transport;
use zbus::address::transport::UnixSocket;
use zbus::connection::Builder;
use zbus::{Address, Connection};

use crate::runtime;
use crate::sanitize::for_terminal;

/// Connects to the first address that responds.
///
/// # Errors
///
/// Each address with the reason why it failed.
pub(crate) async fn connect() -> Result<Connection, String> {
    let mut failures = Vec::new();
    for address in addresses() {
        match connect_to(&address).await {
            Ok(connection) => return Ok(connection),
            Err(error) => failures.push(describe(&address, &error)),
        }
    }
    Err(match failures.is_empty() {
        true => "no D-Bus session bus was found".to_owned(),
        false => format!("no D-Bus session bus responds ({})", failures.join("; ")),
    })
}

async fn connect_to(address: &str) -> zbus::Result<Connection> {
    let address: Address = address.parse()?;
    let builder = match socket_path(&address) {
        Some(path) => Builder::unix_stream(UnixStream::connect(path).await?),
        None => {
            // The library may need a thread of tokio's, and tokio panics if the system has none left.
            runtime::ensure_spare_thread()?;
            Builder::address(address)?
        }
    };
    builder.build().await
}

/// Returns the path of the address's socket, if it has one.
fn socket_path(address: &Address) -> Option<&Path> {
    let Transport::Unix(unix) = address.transport() else { return None };
    match unix.path() {
        UnixSocket::File(path) => Some(path),
        _ => None,
    }
}

/// Names the address, once: some of the library's errors name it already.
fn describe(address: &str, error: &zbus::Error) -> String {
    let (address, error) = (for_terminal(address), first_line(error));
    if error.contains(&address) { error } else { format!("{address}: {error}") }
}

/// The list in `DBUS_SESSION_BUS_ADDRESS` (D-Bus specification, "Server addresses"), then the socket of the systemd
/// user session: the variable may be that of an older login, as in a long-lived tmux.
fn addresses() -> Vec<String> {
    let variable = std::env::var("DBUS_SESSION_BUS_ADDRESS").unwrap_or_default();
    let mut addresses: Vec<String> =
        variable.split(';').map(str::trim).filter(|address| !address.is_empty()).map(str::to_owned).collect();
    // If XDG_RUNTIME_DIR is set, it names the session; the socket of another session must not be used instead.
    let folder = match std::env::var_os("XDG_RUNTIME_DIR").filter(|folder| !folder.is_empty()) {
        Some(folder) => folder.into(),
        None => Path::new("/run/user").join(rustix::process::geteuid().as_raw().to_string()),
    };
    let socket = folder.join("bus");
    if is_our_socket(&socket)
        && let Some(path) = socket.to_str()
    {
        let address = format!("unix:path={}", escape(path));
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    addresses
}

/// Returns whether the path is a socket of this user. Another user's socket could return anything.
fn is_our_socket(path: &Path) -> bool {
    use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
    let is_ours = |metadata: std::fs::Metadata| {
        metadata.file_type().is_socket() && metadata.uid() == rustix::process::geteuid().as_raw()
    };
    path.metadata().is_ok_and(is_ours)
}

/// Escapes a value of an address (D-Bus specification, "Server addresses").
fn escape(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_/.\\*".contains(&byte);
    value.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02x}") }).collect()
}

pub(crate) fn first_line(error: &impl ToString) -> String {
    for_terminal(error.to_string().lines().next().unwrap_or_default())
}
