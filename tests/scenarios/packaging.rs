//! Files that repeat values from Cargo.toml, because their formats have no way to read them.

use std::fs;
use std::path::Path;

#[track_caller]
fn assert_contains(file: &str, expected: &[String]) {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    // Lines of documents are wrapped anywhere.
    let text = if file.ends_with(".md") { text.replace('\n', " ") } else { text };
    for line in expected {
        assert!(text.contains(line), "{file} does not contain {line:?}, which follows from Cargo.toml");
    }
}

#[test]
fn the_pkgbuild_has_the_values_of_the_manifest() {
    let expected = [
        concat!("# Maintainer: ", env!("CARGO_PKG_AUTHORS")),
        concat!("pkgver=", env!("CARGO_PKG_VERSION")),
        concat!("pkgdesc='", env!("CARGO_PKG_DESCRIPTION"), "'"),
        concat!("url=", env!("CARGO_PKG_HOMEPAGE")),
        concat!("license=(", env!("CARGO_PKG_LICENSE"), ")"),
    ];
    assert_contains("packaging/PKGBUILD", &expected.map(|line| format!("{line}\n")));
}

#[test]
fn the_documents_have_the_minimum_rust_version_of_the_manifest() {
    let version = env!("CARGO_PKG_RUST_VERSION");
    assert_contains("CONTRIBUTING.md", &[format!("Rust {version} or newer")]);
    assert_contains("README.md", &[format!("[Rust](https://rustup.rs) {version} or newer")]);
    assert_contains("docs/install.md", &[format!("[Rust](https://rustup.rs) {version} or newer")]);
}
