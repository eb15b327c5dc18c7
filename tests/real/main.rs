//! Tests with real programs, which `tests/run` installs.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

#[path = "../support/mod.rs"]
mod support;

mod as_root;
mod broker;
mod check;
mod chromium;
mod colors;
mod crash;
mod document_blocks;
mod dovecot;
mod faults;
mod first_run;
mod generate;
mod homeless;
mod keychain;
mod load;
mod login;
mod mail;
mod memory;
mod monitoring;
mod notification;
mod passphrase;
mod pictures;
mod process;
mod resources;
mod secrets;
mod sendmail;
mod sink;
mod ssh;
mod stores;
mod terminal;
mod tmux;
mod two_accounts;
mod versions;
mod webdriver;
mod wine;
