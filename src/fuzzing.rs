//! Fuzz targets: one function for each kind of untrusted input, which asserts the properties that hold for all inputs.
//! The targets in `fuzz/` call them with inputs of libFuzzer. `cargo test` calls them with the seeds in `fuzz/corpus`
//! and with mutations of these by proptest.

mod broker_answer;
mod configuration;
mod id_token;
mod keychain_blob;
mod python_config;
mod redirect;
mod sanitize;
mod token_response;

pub use broker_answer::broker_answer;
pub use configuration::configuration;
pub use id_token::id_token;
pub use keychain_blob::keychain_blob;
pub use python_config::python_config;
pub use redirect::redirect;
pub use sanitize::sanitize;
pub use token_response::token_response;

use crate::error::{Error, ErrorKind};
use crate::sanitize::is_bidi_control;

/// Asserts that the text contains no line ends and no other characters that control a terminal.
pub(crate) fn assert_one_plain_line(text: &str) {
    assert!(!text.contains(|c: char| c.is_control() || is_bidi_control(c)), "{text:?}");
}

/// Asserts that the error has one of these kinds, a message on one line, and a hint. The hint may contain our own line
/// ends, before a URL or an example.
pub(crate) fn assert_explained(error: &Error, kinds: &[ErrorKind]) {
    assert!(kinds.contains(&error.kind()), "{error:?}");
    let message = error.to_string();
    assert_one_plain_line(&message);
    assert!(!message.is_empty() && !message.ends_with(' '), "an empty message or a trailing space: {message:?}");
    let hint = error.next_step().expect("every error has a hint");
    assert_one_plain_line(&hint.replace('\n', " "));
    let refusal = error.refusal();
    assert_one_plain_line(&refusal.map_or_else(String::new, crate::Refusal::ids));
}

/// Asserts that neither the message nor the debug output of the error contains the secret.
pub(crate) fn assert_not_leaked(error: &Error, secret: &str) {
    assert!(!format!("{error} {error:?}").contains(secret), "{error:?}");
}

#[cfg(test)]
mod tests {
    use std::{fmt, fs};

    use proptest::prelude::*;
    use proptest::sample::{Index, select};
    use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

    /// The number of mutations for each target, which take a second or less.
    const CASES: u32 = 500;

    #[test]
    fn redirect() {
        check_target("redirect", super::redirect);
    }

    #[test]
    fn token_response() {
        check_target("token_response", super::token_response);
    }

    #[test]
    fn broker_answer() {
        check_target("broker_answer", super::broker_answer);
    }

    #[test]
    fn id_token() {
        check_target("id_token", super::id_token);
    }

    #[test]
    fn configuration() {
        check_target("configuration", super::configuration);
    }

    #[test]
    fn python_config() {
        check_target("python_config", super::python_config);
    }

    #[test]
    fn keychain_blob() {
        check_target("keychain_blob", super::keychain_blob);
    }

    #[test]
    fn sanitize() {
        check_target("sanitize", super::sanitize);
    }

    /// Checks the target with its corpus (seeds and inputs that once revealed a defect), and with mutations of these.
    fn check_target(target: &str, check: fn(&[u8])) {
        if !std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests")).exists() {
            return; // the published crate contains neither `tests` nor the corpus
        }
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus");
        let mut seeds = Vec::new();
        for file in fs::read_dir(format!("{folder}/{target}")).expect("the target's corpus") {
            let path = file.expect("a file").path();
            let seed = fs::read(&path).expect("reading");
            let result = std::panic::catch_unwind(|| check(&seed));
            assert!(result.is_ok(), "the target {target} fails for {}", path.display());
            seeds.push(seed);
        }
        seeds.sort();
        // No regression files of proptest: a failing input belongs in the corpus, which the fuzz targets share.
        let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
        // The same inputs in each run: searching for new ones is the task of the fuzz targets.
        let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let result = TestRunner::new_with_rng(config, rng).run(&mutations(seeds), |bytes| {
            check(&bytes.0);
            Ok(())
        });
        result.unwrap_or_else(|error| panic!("{error}"));
    }

    struct Bytes(Vec<u8>);

    impl fmt::Debug for Bytes {
        fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(formatter, "b\"{}\"", self.0.escape_ascii())
        }
    }

    /// Generates the head of a seed, a hostile chunk, and the tail of a seed.
    fn mutations(seeds: Vec<Vec<u8>>) -> impl Strategy<Value = Bytes> {
        let hostile = prop_oneof![
            prop::collection::vec(any::<u8>(), 0..32),
            select(HOSTILE).prop_map(|text| text.as_bytes().to_vec()),
            "\\PC{0,16}".prop_map(String::into_bytes),
        ];
        let seed = || (select(seeds.clone()), any::<Index>());
        (seed(), hostile, seed()).prop_map(|((mut head, end), hostile, (tail, start))| {
            head.truncate(end.index(head.len() + 1));
            head.extend(hostile);
            head.extend(&tail[start.index(tail.len() + 1)..]);
            Bytes(head)
        })
    }

    /// Strings that often break parsers, terminals and web pages.
    const HOSTILE: &[&str] = &[
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
