//! Random numbers and text.

use std::ops::RangeInclusive;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Returns a random number in `range`. The slight bias of the modulo does not matter here.
pub(crate) fn number_in(range: RangeInclusive<usize>) -> usize {
    let span = range.end().saturating_sub(*range.start()) as u64 + 1;
    let number = getrandom::u64().expect("the system provides random numbers");
    range.start() + (number % span) as usize
}

/// Returns `length` random characters of base64url.
pub(crate) fn text(length: usize) -> String {
    let mut bytes = vec![0; length * 3 / 4 + 1];
    getrandom::fill(&mut bytes).expect("the system provides random numbers");
    let mut text = URL_SAFE_NO_PAD.encode(bytes);
    text.truncate(length);
    text
}

/// Returns random bytes in base64url, in at most `length` characters.
pub(crate) fn encoded_bytes(length: usize) -> String {
    let mut bytes = vec![0; length * 3 / 4];
    getrandom::fill(&mut bytes).expect("the system provides random numbers");
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Returns random text in the format of Microsoft's refresh tokens and codes: a version, a dot, and opaque characters.
pub(crate) fn opaque(length: RangeInclusive<usize>) -> String {
    let prefix = "1.AXoA";
    let length = number_in(length).max(prefix.len() + 16);
    format!("{prefix}{}", text(length - prefix.len()))
}

/// Returns a user code like Microsoft's: 9 characters that are easy to tell apart.
pub(crate) fn user_code() -> String {
    const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    (0..9).map(|_| char::from(LETTERS[number_in(0..=LETTERS.len() - 1)])).collect()
}

/// Returns a random GUID.
pub(crate) fn guid() -> String {
    uuid::Uuid::new_v4().to_string()
}
