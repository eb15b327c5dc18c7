//! Unpredictable text.

use std::ops::RangeInclusive;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A number of `range`; the slight bias of the modulo does not matter here.
pub(crate) fn within(range: RangeInclusive<usize>) -> usize {
    let span = range.end().saturating_sub(*range.start()) as u64 + 1;
    let number = getrandom::u64().expect("the system has random numbers");
    range.start() + (number % span) as usize
}

/// `length` characters of base64url.
pub(crate) fn text(length: usize) -> String {
    let mut bytes = vec![0; length * 3 / 4 + 1];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    let mut text = URL_SAFE_NO_PAD.encode(bytes);
    text.truncate(length);
    text
}

/// Bytes as base64url, in at most `length` characters.
pub(crate) fn encoded_bytes(length: usize) -> String {
    let mut bytes = vec![0; length * 3 / 4];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Microsoft's shape of refresh tokens and codes: a version, a dot, and an opaque rest.
pub(crate) fn opaque(length: RangeInclusive<usize>) -> String {
    let head = "1.AXoA";
    let length = within(length).max(head.len() + 16);
    format!("{head}{}", text(length - head.len()))
}

/// A user code as Microsoft shows it: 9 characters that cannot be mistaken for each other.
pub(crate) fn user_code() -> String {
    const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    (0..9).map(|_| char::from(LETTERS[within(0..=LETTERS.len() - 1)])).collect()
}

/// A GUID.
pub(crate) fn guid() -> String {
    uuid::Uuid::new_v4().to_string()
}
