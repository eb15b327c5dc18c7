#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| m365auth::fuzzing::token_response(bytes));
