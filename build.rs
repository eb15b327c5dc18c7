//! Makes the commands start faster: a call of `refresh-token` with a cached token is short, and most of its time is
//! needed to load the program (docs/performance.md).

#![allow(clippy::disallowed_macros, reason = "Cargo reads the standard output of a build script")]

use std::path::Path;
use std::process::Command;
use std::{env, fs};

const SCRIPT: &str = "src/bin/refresh-token.ld";

fn main() {
    println!("cargo::rerun-if-changed={SCRIPT}");
    let is = |variable, expected| env::var(variable).is_ok_and(|value| value == expected);
    if !is("CARGO_CFG_TARGET_OS", "linux") || !is("PROFILE", "release") || has_own_linker() {
        return;
    }
    if reads_scripts() {
        place_functions();
    }
    if is("CARGO_CFG_TARGET_ENV", "gnu") && env::var("TARGET") == env::var("HOST") && has_static_unwinder() {
        link_unwinder_statically();
    }
}

/// Tells the linker to place next to each other the functions that `refresh-token` runs if a token is cached, so that
/// fewer pages of the program are read.
fn place_functions() {
    let folder = env::var("CARGO_MANIFEST_DIR").expect("Cargo sets it");
    for argument in ["-T", &format!("{folder}/{SCRIPT}")] {
        println!("cargo::rustc-link-arg-bin=refresh-token={argument}");
    }
}

/// Links the part of libgcc that Rust's standard library needs into the commands. Otherwise the system loads libgcc_s
/// at each start.
///
/// The standard library always links `-lgcc_s`, whatever `-static-libgcc` says. So the linker finds a file of this name
/// first, which refers to the static library.
fn link_unwinder_statically() {
    let folder = env::var("OUT_DIR").expect("Cargo sets it");
    fs::write(Path::new(&folder).join("libgcc_s.so"), "INPUT(-lgcc_eh)\n").expect("Cargo creates the folder");
    println!("cargo::rustc-link-arg-bins=-L{folder}");
}

/// Returns whether the compiler has the static library. For a library that it does not have, it prints only the name.
fn has_static_unwinder() -> bool {
    let path = Command::new("cc").arg("-print-file-name=libgcc_eh.a").output();
    path.is_ok_and(|path| path.stdout.starts_with(b"/"))
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
