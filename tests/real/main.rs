//! Tests on real parts: what `tests/run` installs and runs.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../support/mod.rs"]
mod support;

mod check;
mod chromium;
mod crash;
mod document_blocks;
mod dovecot;
mod faults;
mod generate;
mod keychain;
mod load;
mod login;
mod mail;
mod memory;
mod modes;
mod passphrase;
mod pictures;
mod process;
mod secrets;
mod sink;
mod ssh;
mod stores;
mod terminal;
mod tmux;
mod two_accounts;
mod webdriver;
