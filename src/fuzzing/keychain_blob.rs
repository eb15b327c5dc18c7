//! The target `keychain_blob`: what is stored where a refresh token should be.

use super::assert_explained;
use crate::error::{ErrorKind, Result};
use crate::sanitize::is_well_formed_token;
use crate::store::{keychain, parse_token, record};
use crate::token::RefreshToken;

/// Parses the bytes as the blob of a keychain entry and, if they are text, as a token file and as a file of records.
pub fn keychain_blob(bytes: &[u8]) {
    match token_of(bytes.to_vec()) {
        Ok(Some(token)) => assert_stored_intact(&token),
        Ok(None) => {
            let text = std::str::from_utf8(bytes).unwrap_or("\0");
            assert!(text.contains('\0') || text.trim().is_empty(), "a blank entry, or UTF-16 of one");
        }
        Err(error) => {
            assert_explained(&error, &[ErrorKind::SignIn]);
            assert_eq!(error.to_string(), "the keychain entry does not contain a valid token");
            assert!(error.next_step().is_some_and(|hint| hint.contains("get-token --profile mail")));
        }
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let secret = |token: Option<RefreshToken>| token.map(RefreshToken::into_secret);
        if let Ok(token) = parse_token(text) {
            let in_keychain = token_of(bytes.to_vec()).expect("a file's token is a token everywhere");
            assert_eq!(secret(in_keychain), secret(token));
        }
        record::assert_round_trip(text);
    }
    let graphic: String = bytes.iter().filter(|byte| byte.is_ascii_graphic()).map(|byte| char::from(*byte)).collect();
    if !graphic.is_empty() {
        assert_stored_intact(&RefreshToken::new(graphic));
    }
}

/// What is saved is loaded unchanged: as we write it, with the line end of an editor, and as Python writes on Windows.
pub(super) fn assert_stored_intact(token: &RefreshToken) {
    let secret = token.secret();
    assert!(is_well_formed_token(secret));
    let utf16 = secret.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for blob in [secret.as_bytes().to_vec(), format!("{secret}\r\n").into_bytes(), utf16] {
        let loaded = token_of(blob).ok().flatten().expect("what was saved is loaded");
        assert_eq!(loaded.secret(), secret);
    }
    let in_file = parse_token(secret).ok().flatten().expect("and from a file");
    assert_eq!(in_file.secret(), secret);
}

fn token_of(blob: Vec<u8>) -> Result<Option<RefreshToken>> {
    keychain::token(blob, &"mail".parse().expect("a profile name"))
}
