#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| m365auth::hostile::keychain_blob(bytes));
