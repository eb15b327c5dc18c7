//! A cached access token in as few bytes as possible: an ordinary user's keyring has room for 20,000.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::entra::Lifetime;

/// The first byte of an entry. Entries of other versions are ignored.
const VERSION: u8 = 3;
/// The largest number of parts of a JWT: three (RFC 7519), or five if it is encrypted (RFC 7516).
const MAX_PARTS: usize = 5;

/// A cached access token. The record of the refresh token contains its account and scopes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The digest of the configuration that the token was issued for.
    pub(super) key_digest: [u8; 16],
    /// The digest of what the access token was issued for.
    pub(super) token_digest: [u8; 8],
    /// The identity of the refresh token's file, if it is in a file.
    pub(super) file: Option<[u8; 8]>,
    /// If the clock was set back since it was issued, the token's age is unknown and the token is not used.
    pub(super) lifetime: Lifetime,
    pub(super) token: String,
}

impl Entry {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        bytes.extend(self.key_digest);
        bytes.extend(self.token_digest);
        bytes.extend(self.file.unwrap_or_default());
        let Lifetime { issued, due, floor, expires } = self.lifetime;
        bytes.extend([issued, due, floor, expires].map(u64::to_be_bytes).concat());
        bytes.extend(pack(&self.token));
        bytes
    }

    /// Returns None for anything but an entry of this version.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.strip_prefix(&[VERSION])?;
        let (key_digest, bytes) = bytes.split_first_chunk()?;
        let (token_digest, bytes) = bytes.split_first_chunk()?;
        let (file, bytes) = bytes.split_first_chunk()?;
        let (issued, bytes) = split_time(bytes)?;
        let (due, bytes) = split_time(bytes)?;
        let (floor, bytes) = split_time(bytes)?;
        let (expires, bytes) = split_time(bytes)?;
        Some(Self {
            key_digest: *key_digest,
            token_digest: *token_digest,
            file: (*file != [0; 8]).then_some(*file),
            lifetime: Lifetime { issued, due, floor, expires },
            token: unpack(bytes)?,
        })
    }
}

fn split_time(bytes: &[u8]) -> Option<(u64, &[u8])> {
    bytes.split_first_chunk().map(|(time, rest)| (u64::from_be_bytes(*time), rest))
}

/// Decodes the base64url of a JWT's parts, which saves a quarter. The token is not parsed. A token that
/// would not unpack to the same text is stored unchanged.
fn pack(token: &str) -> Vec<u8> {
    let parts: Option<Vec<Vec<u8>>> = token.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).ok()).collect();
    let is_small = |part: &Vec<u8>| u16::try_from(part.len()).is_ok();
    if let Some(parts) = parts.filter(|parts| parts.len() <= MAX_PARTS && parts.iter().all(is_small)) {
        let mut packed = vec![u8::try_from(parts.len()).unwrap_or_default()];
        packed.extend(parts.iter().flat_map(|part| (part.len() as u16).to_be_bytes()));
        packed.extend(parts.concat());
        if unpack(&packed).as_deref() == Some(token) {
            return packed;
        }
    }
    [&[0], token.as_bytes()].concat()
}

fn unpack(packed: &[u8]) -> Option<String> {
    let (count, rest) = packed.split_first()?;
    if *count == 0 {
        return String::from_utf8(rest.to_vec()).ok();
    }
    let (lengths, mut rest) = rest.split_at_checked(2 * usize::from(*count))?;
    let mut token = String::with_capacity(rest.len() * 4 / 3 + 3 * usize::from(*count));
    for length in lengths.as_chunks().0 {
        let (part, after) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        URL_SAFE_NO_PAD.encode_string(part, &mut token);
        token.push('.');
        rest = after;
    }
    token.pop(); // the dot after the last part
    rest.is_empty().then_some(token)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(token: &str) -> Entry {
        Entry {
            key_digest: [1; 16],
            token_digest: [2; 8],
            file: Some([3; 8]),
            lifetime: Lifetime { issued: 4, due: 5, floor: 6, expires: 7 },
            token: token.into(),
        }
    }

    #[test]
    fn a_jwt_is_a_quarter_smaller() {
        let part = |length: usize| URL_SAFE_NO_PAD.encode(vec![7; length]);
        let token = format!("{}.{}.{}", part(90), part(1450), part(256));
        assert!(token.len() > 2390);
        assert!(entry(&token).encode().len() < 1900, "eight of these leave 4,000 bytes of an ordinary user's quota");
        assert_eq!(Entry::decode(&entry(&token).encode()), Some(entry(&token)));
    }

    #[test]
    fn other_bytes_are_not_an_entry() {
        let bytes = entry("a.b").encode();
        for end in 0..66 {
            assert_eq!(Entry::decode(&bytes[..end]), None);
        }
        let other_version = [&[2], &bytes[1..]].concat();
        assert_eq!(Entry::decode(&other_version), None);
        // Version 0.1 wrote JSON.
        assert_eq!(Entry::decode(br#"{"made_for":"00","kept":1,"access":{"token":"old"}}"#), None);
    }

    proptest! {
        #[test]
        fn every_token_comes_back_identical(token in "[!-~]{0,80}|[A-Za-z0-9_-]{0,40}(\\.[A-Za-z0-9_-]{0,40}){0,5}") {
            prop_assert_eq!(Entry::decode(&entry(&token).encode()), Some(entry(&token)));
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            _ = Entry::decode(&bytes);
        }
    }
}
