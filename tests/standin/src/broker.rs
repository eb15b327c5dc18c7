//! A double of the identity broker for managed Linux devices (`com.microsoft.identity.broker1`), on the session bus of
//! a test.
//!
//! It answers as four versions do, and refuses what they refuse: a wrong object path or interface, an account that is
//! not the one that it sent, an authorization type that does not fit the method, scopes of OpenID Connect (3.0.1), and
//! introspection. Access tokens come from the stand-in, so that its mail server accepts them.

mod bus;
mod request;
mod response;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use serde_json::Value;

use crate::platform::Platform;
use crate::setup::{ADA, Account};
use crate::{Standin, scope};

/// A version of the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrokerVersion {
    /// The last version in Java: it can be introspected, and accepts any authorization type.
    V2_0_1,
    /// 2.0.2 to 2.5.x.
    V2_5,
    /// It does not name the account in its answers, and refuses the scopes of OpenID Connect.
    V3_0_1,
    /// The broker of himmelblau, which reports failures as errors of D-Bus.
    Himmelblau,
}

/// What the next call of a method gets instead of an answer.
#[derive(Clone, Debug)]
pub enum BrokerAnswer {
    /// This text.
    Text(String),
    /// An error of D-Bus with this name.
    Error(&'static str),
    /// Nothing.
    Silence,
}

/// A call of the broker.
#[derive(Clone, Debug)]
pub struct BrokerCall {
    /// The method.
    pub method: String,
    /// The request, or null if it was not JSON.
    pub request: Value,
    /// Whether the double refused it.
    pub refused: Option<String>,
}

/// A running double. Dropping it disconnects it from the bus.
pub struct Broker {
    shared: Arc<Shared>,
    connection: zbus::blocking::Connection,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    platform: Arc<Platform>,
    version: BrokerVersion,
    /// Whether accounts have a field that no version has yet.
    adds_field: AtomicBool,
    state: Mutex<State>,
}

struct State {
    /// The accounts that are signed in to the broker.
    accounts: Vec<Account>,
    /// Whether a silent request fails.
    needs_interaction: bool,
    /// Who signs in when the window opens without an account.
    person: Account,
    answers: VecDeque<(&'static str, BrokerAnswer)>,
    calls: Vec<BrokerCall>,
}

impl Broker {
    /// Starts a double on the bus at this address, with Ada signed in and with her consent to every permission.
    ///
    /// # Panics
    ///
    /// Panics if the bus cannot be used.
    #[must_use]
    pub fn start(standin: &Standin, address: &str, version: BrokerVersion) -> Broker {
        let platform = standin.platform.clone();
        {
            let mut vault = platform.vault();
            for (app, account) in platform
                .setup
                .apps
                .iter()
                .flat_map(|app| platform.setup.accounts.iter().map(move |account| (app, account)))
            {
                vault.consent(&app.id, account, scope::all());
            }
        }
        let ada = platform.account(ADA).expect("the setup has this account").clone();
        let state = State {
            accounts: vec![ada.clone()],
            needs_interaction: false,
            person: ada,
            answers: VecDeque::new(),
            calls: Vec::new(),
        };
        let shared =
            Arc::new(Shared { platform, version, adds_field: AtomicBool::new(false), state: Mutex::new(state) });
        let (connection, thread) = bus::serve(address, shared.clone()).expect("the bus accepts the broker");
        Broker { shared, connection, thread: Some(thread) }
    }

    /// Sets who is signed in to the broker.
    ///
    /// # Panics
    ///
    /// Panics if the setup has no such account.
    pub fn set_accounts(&self, addresses: &[&str]) {
        let account = |address: &&str| self.shared.platform.account(address).expect("an account of the setup").clone();
        self.shared.state().accounts = addresses.iter().map(account).collect();
    }

    /// Adds a field to accounts that no version has yet. Clients must send it back.
    pub fn add_account_field(&self) {
        self.shared.adds_field.store(true, Ordering::Relaxed);
    }

    /// Lets silent requests fail until a person has signed in.
    pub fn require_interaction(&self) {
        self.shared.state().needs_interaction = true;
    }

    /// Sets who signs in when the window opens without an account.
    ///
    /// # Panics
    ///
    /// Panics if the setup has no such account.
    pub fn set_person(&self, address: &str) {
        let person = self.shared.platform.account(address).expect("an account of the setup").clone();
        self.shared.state().person = person;
    }

    /// Gives this answer to the next call of a method.
    pub fn answer_next(&self, method: &'static str, answer: BrokerAnswer) {
        self.shared.state().answers.push_back((method, answer));
    }

    /// Returns all calls in order, those of other interfaces included.
    #[must_use]
    pub fn calls(&self) -> Vec<BrokerCall> {
        self.shared.state().calls.clone()
    }

    /// Returns the number of calls of a method.
    #[must_use]
    pub fn count(&self, method: &str) -> usize {
        self.shared.state().calls.iter().filter(|call| call.method == method).count()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // An error means that the bus has ended.
        let _ = self.connection.clone().close();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
