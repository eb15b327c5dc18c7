//! Versions of the programs that the tests run.

use std::io::Write as _;

use crate::document_blocks::table;
use crate::login::program;
use crate::support::finish;

const DOCUMENT: &str = "docs/tested-versions.md";

/// The programs in the document: name, command, Debian package, and arguments that print the version.
const PROGRAMS: &[(&str, &str, &str, &[&str])] = &[
    ("aerc", "aerc", "aerc", &["-v"]),
    ("curl", "curl", "curl", &["--version"]),
    ("Dovecot", "dovecot", "dovecot-core", &["--version"]),
    ("Emacs", "emacs", "emacs-nox", &["--version"]),
    ("getmail6", "getmail", "getmail6", &["--version"]),
    ("git", "git", "git", &["--version"]),
    ("Authen::SASL", "perl", "libauthen-sasl-perl", AUTHEN_SASL),
    ("gnome-keyring", "gnome-keyring-daemon", "gnome-keyring", &["--version"]),
    ("KeePassXC", "keepassxc-cli", "keepassxc", &["--version"]),
    ("KWallet", "sh", "libkf5wallet-bin", KWALLET),
    ("mbsync", "mbsync", "isync", &["--version"]),
    ("msmtp", "msmtp", "msmtp", &["--version"]),
    ("NeoMutt", "neomutt", "neomutt", &["-v"]),
    ("OfflineIMAP", "offlineimap", "offlineimap3", &["--version"]),
];

const AUTHEN_SASL: &[&str] = &["-MAuthen::SASL", "-e", "print $Authen::SASL::VERSION"];

/// KWallet itself prints its version only on a desktop.
const KWALLET: &[&str] =
    &["-c", "dpkg-query --show --showformat='${Version}' kwallet6 libkf5wallet-bin 2>/dev/null | grep -o '^[0-9.]*'"];

/// Returns the version of a program in the document.
#[track_caller]
pub fn version(name: &str) -> Vec<u32> {
    numbers(&printed(name))
}

/// Returns the version as the program prints it: the first word that starts with a digit.
#[track_caller]
fn printed(name: &str) -> String {
    let (_, command, package, arguments) = PROGRAMS.iter().find(|program| program.0 == name).unwrap();
    let run = finish(program(command, package).args(*arguments));
    let word = run.stdout.split_whitespace().find(|word| word.starts_with(|first: char| first.is_ascii_digit()));
    let word = word.unwrap_or_else(|| panic!("{name} prints no version: {run:?}"));
    word.chars().take_while(|character| character.is_ascii_digit() || *character == '.').collect()
}

fn numbers(version: &str) -> Vec<u32> {
    version.split('.').map_while(|number| number.parse().ok()).collect()
}

/// Returns the name of this system, as in the head of the document's table.
fn system() -> String {
    let text = std::fs::read_to_string("/etc/os-release").unwrap();
    let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)).map(|value| value.replace('"', ""));
    match value("ID=").as_deref() {
        Some("debian") => format!("Debian {}", value("VERSION_ID=").unwrap_or_else(|| "sid".to_owned())),
        _ => value("PRETTY_NAME=").unwrap(),
    }
}

/// In `tests/debian`, another major or minor version fails the test. Further numbers change with security updates, and
/// a developer's system may have any version, so these are only reported.
#[test]
#[ignore = "tests/run: the mail programs, gnome-keyring"]
fn the_document_lists_the_versions_that_are_tested() {
    let (system, mut table) = (system(), table(DOCUMENT));
    let names: Vec<String> = table[1..].iter().map(|row| row[0].clone()).collect();
    assert_eq!(names, PROGRAMS.iter().map(|program| program.0).collect::<Vec<_>>(), "the programs in {DOCUMENT}");
    let Some(column) = table[0].iter().position(|name| *name == system) else {
        let found: Vec<String> = names.iter().map(|name| format!("{name} {}", printed(name))).collect();
        return report(&format!("{DOCUMENT} does not list {system}: {}", found.join(", ")));
    };
    let (mut changed, mut fails) = (String::new(), false);
    for row in &mut table[1..] {
        let (found, listed) = (printed(&row[0]), std::mem::take(&mut row[column]));
        row[column].clone_from(&found);
        if found != listed {
            changed += &format!("| {} |\n", row.join(" | "));
            fails |= numbers(&found)[..].iter().take(2).ne(numbers(&listed).iter().take(2));
        }
    }
    if !changed.is_empty() {
        report(&format!("{DOCUMENT} lists other versions for {system}. If all tests pass, use these rows:\n{changed}"));
    }
    assert!(!fails || std::env::var_os("M365AUTH_TEST_VERSIONS").is_none(), "update {DOCUMENT}:\n{changed}");
}

/// Prints a message even if the test passes, when the output of `eprintln!` is not shown.
fn report(message: &str) {
    std::io::stderr().write_all(format!("note: {message}\n").as_bytes()).unwrap();
}
