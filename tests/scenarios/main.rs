//! What a user sees, one scenario a behaviour: the real commands against the stand-in. Needs nothing but Rust.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../support/mod.rs"]
mod support;

mod accounts;
mod configuration;
mod documents;
mod files;
mod id_token;
mod isolation;
mod listener;
mod memory;
mod microsoft;
mod network;
mod one_account;
mod output;
mod proxy;
mod refresh;
mod sign_in;
mod sign_in_elsewhere;
mod status_and_check;
mod store;
mod version_0_1;
mod words;
