//! The tests never reach the developer's session, whose keychain may contain a real token.
#![cfg(target_os = "linux")]

use std::io::ErrorKind;
use std::os::unix::net::UnixListener;
use std::process::Command;

use crate::support::Home;

/// Runs the tests that use stores and keychains again, in a session whose bus records connections.
#[test]
fn the_suite_never_reaches_the_callers_bus() {
    let session = tempfile::Builder::new().prefix("m365-trap-").tempdir_in("/tmp").unwrap();
    let socket = session.path().join("bus");
    let trap = UnixListener::bind(&socket).unwrap();
    trap.set_nonblocking(true).unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "store::",
            "store_programs::",
            "accounts::",
            "status::",
            "check::",
            "on_sign_in_needed::",
            "does_not_warn_of_another_store",
            "profile_names::",
        ])
        .env("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", socket.display()))
        .env("XDG_RUNTIME_DIR", session.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(trap.accept().map(drop).map_err(|error| error.kind()), Err(ErrorKind::WouldBlock), "nobody connected");

    // Where XDG_RUNTIME_DIR is unset, commands look in /run/user, which no test can replace.
    let home = Home::new();
    let command = home.command("refresh-token");
    let runtime = command.get_envs().find(|(name, _)| *name == "XDG_RUNTIME_DIR").and_then(|(_, value)| value);
    let runtime = std::path::Path::new(runtime.expect("each home has a runtime folder"));
    assert!(runtime.starts_with(home.path()) && !runtime.join("bus").exists());
}
