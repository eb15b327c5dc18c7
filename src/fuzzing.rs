//! Fuzz targets: one function for each place where input from outside enters, with the properties that hold for every
//! input. The targets in `fuzz/` call them with libFuzzer's inputs; `cargo test` calls them with the seeds in
//! `fuzz/corpus` and with inputs that proptest makes from these.

mod answers;
mod configuration;
mod id_token;
mod keychain_blob;
mod python_config;
mod redirect;
mod sanitize;

pub use answers::answers;
pub use configuration::configuration;
pub use id_token::id_token;
pub use keychain_blob::keychain_blob;
pub use python_config::python_config;
pub use redirect::redirect;
pub use sanitize::sanitize;

use crate::error::{Error, ErrorKind};
use crate::sanitize::is_bidi_control;

/// Neither a line end nor anything else that moves the cursor or the direction of writing.
pub(crate) fn assert_one_plain_line(text: &str) {
    assert!(!text.contains(|c: char| c.is_control() || is_bidi_control(c)), "{text:?}");
}

/// The error is of one of these kinds, says what happened on one plain line, and has a hint. The hint's line ends are
/// our own, before an address or an example.
pub(crate) fn assert_explained(error: &Error, kinds: &[ErrorKind]) {
    assert!(kinds.contains(&error.kind()), "{error:?}");
    let message = error.to_string();
    assert_one_plain_line(&message);
    assert!(!message.is_empty() && !message.ends_with(' '), "it says what: {message:?}");
    let hint = error.next_step().expect("every error has a hint");
    assert_one_plain_line(&hint.replace('\n', " "));
    let refusal = error.refusal();
    assert_one_plain_line(&refusal.map_or_else(String::new, crate::Refusal::ids));
}

/// No part of the error repeats the text, be it shown or printed with `{:?}`.
pub(crate) fn assert_not_leaked(error: &Error, secret: &str) {
    assert!(!format!("{error} {error:?}").contains(secret), "{error:?}");
}

#[cfg(test)]
mod tests {
    use std::{fmt, fs};

    use proptest::prelude::*;
    use proptest::sample::{Index, select};
    use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

    /// How many inputs proptest makes for a target: a second or less.
    const CASES: u32 = 500;

    #[test]
    fn redirect() {
        holds("redirect", super::redirect);
    }

    #[test]
    fn answers() {
        holds("answers", super::answers);
    }

    #[test]
    fn id_token() {
        holds("id_token", super::id_token);
    }

    #[test]
    fn configuration() {
        holds("configuration", super::configuration);
    }

    #[test]
    fn python_config() {
        holds("python_config", super::python_config);
    }

    #[test]
    fn keychain_blob() {
        holds("keychain_blob", super::keychain_blob);
    }

    #[test]
    fn sanitize() {
        holds("sanitize", super::sanitize);
    }

    /// For each seed, each input that once was a defect, and what proptest makes of them.
    fn holds(target: &str, check: fn(&[u8])) {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus");
        let mut seeds = Vec::new();
        for file in fs::read_dir(format!("{folder}/{target}")).expect("the target's corpus") {
            let path = file.expect("a file").path();
            let seed = fs::read(&path).expect("reading");
            let held = std::panic::catch_unwind(|| check(&seed));
            assert!(held.is_ok(), "not for {}", path.display());
            seeds.push(seed);
        }
        seeds.sort();
        // What it finds is to become a file of the corpus: that is the memory that the fuzz target shares.
        let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
        let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha); // what is new is for the fuzz targets to find
        let found = TestRunner::new_with_rng(config, rng).run(&mangled(seeds), |bytes| {
            check(&bytes.0);
            Ok(())
        });
        found.unwrap_or_else(|error| panic!("{error}"));
    }

    struct Bytes(Vec<u8>);

    impl fmt::Debug for Bytes {
        fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(formatter, "b\"{}\"", self.0.escape_ascii())
        }
    }

    /// The head of a seed, something foul, and the tail of a seed.
    fn mangled(seeds: Vec<Vec<u8>>) -> impl Strategy<Value = Bytes> {
        let foul = prop_oneof![
            prop::collection::vec(any::<u8>(), 0..32),
            select(FOUL).prop_map(|text| text.as_bytes().to_vec()),
            "\\PC{0,16}".prop_map(String::into_bytes),
        ];
        let seed = || (select(seeds.clone()), any::<Index>());
        (seed(), foul, seed()).prop_map(|((mut head, end), foul, (tail, start))| {
            head.truncate(end.index(head.len() + 1));
            head.extend(foul);
            head.extend(&tail[start.index(tail.len() + 1)..]);
            Bytes(head)
        })
    }

    /// What breaks readers, terminals and pages.
    const FOUL: &[&str] = &[
        "\0",
        "\r\n",
        "\n\n",
        "\u{1b}[2J",
        "\\u001b[31m",
        "\u{9b}31m",
        "\u{202e}",
        "\u{61c}",
        "\u{feff}",
        "%00",
        "%",
        "&state=x",
        "&error=",
        "\"",
        "'''",
        "\\",
        "{",
        "}",
        "[[",
        "]",
        "<b>",
        "-1",
        "18446744073709551615",
        "null",
    ];
}
