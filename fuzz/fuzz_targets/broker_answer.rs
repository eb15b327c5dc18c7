#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| m365auth::fuzzing::broker_answer(bytes));
