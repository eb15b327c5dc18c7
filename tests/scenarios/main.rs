//! One scenario for each behaviour that a user sees: the real commands against the stand-in. Needs only Rust.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

#[path = "../support/mod.rs"]
mod support;

mod account_ids;
mod accounts;
mod check;
mod claims;
mod client_credentials;
mod config_flag;
mod configuration;
mod documents;
mod early_renewal;
mod files;
mod hosts;
mod id_token;
mod interrupted_saves;
mod isolation;
mod listener;
mod memory;
mod messages;
mod microsoft;
mod modules;
mod network;
mod on_sign_in_needed;
mod one_account;
mod output;
mod packaging;
mod preflight;
mod profile_names;
mod proxy;
mod refresh;
mod result_page;
mod session_bus;
mod sign_in;
mod sign_in_elsewhere;
mod signals;
mod status;
mod store;
mod store_programs;
mod version_0_1;
mod with_token;
