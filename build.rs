//! Tells the linker to place next to each other the functions that the command `refresh-token` runs if a token is
//! cached. Such a call is short, and the pages of the program that it touches are much of its time
//! (docs/performance.md).

#![allow(clippy::disallowed_macros, reason = "Cargo reads the standard output of a build script")]

use std::env;
use std::process::Command;

const SCRIPT: &str = "src/bin/refresh-token.ld";

fn main() {
    println!("cargo::rerun-if-changed={SCRIPT}");
    let is = |variable, expected| env::var(variable).is_ok_and(|value| value == expected);
    if is("CARGO_CFG_TARGET_OS", "linux") && is("PROFILE", "release") && !has_own_linker() && reads_scripts() {
        let folder = env::var("CARGO_MANIFEST_DIR").expect("Cargo sets it");
        for argument in ["-T", &format!("{folder}/{SCRIPT}")] {
            println!("cargo::rustc-link-arg-bin=refresh-token={argument}");
        }
    }
}

/// Returns whether the linker was chosen for this build.
fn has_own_linker() -> bool {
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    env::var_os("RUSTC_LINKER").is_some() || ["fuse-ld", "linker"].iter().any(|name| flags.contains(name))
}

/// Returns whether the system's linker is GNU ld or lld. mold and gold stop at the commands of the script.
fn reads_scripts() -> bool {
    let version = Command::new("cc").arg("-Wl,--version").output();
    version.is_ok_and(|version| {
        let text = String::from_utf8_lossy(&version.stdout);
        // mold says that it is "compatible with GNU ld".
        ["GNU ld", "LLD"].iter().any(|name| text.contains(name)) && !text.contains("mold")
    })
}
