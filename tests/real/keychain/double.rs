//! A Secret Service that behaves as a test requests, in ways that a real one cannot be made to. zbus refuses a call
//! whose arguments do not have the types of the specification.

use std::collections::HashMap;
use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use zbus::blocking::{Connection, connection};
use zbus::fdo;
use zbus::object_server::SignalEmitter;
use zbus::zvariant::{ObjectPath, OwnedObjectPath, OwnedValue, Value};

use crate::login::Login;

const SERVICE: &str = "/org/freedesktop/secrets";
const COLLECTION: &str = "/org/freedesktop/secrets/collection/kdewallet";
const ITEM: &str = "/org/freedesktop/secrets/collection/kdewallet/1";
const PROMPT: &str = "/org/freedesktop/secrets/prompt/1";
const SESSION: &str = "/org/freedesktop/secrets/session/1";
const NOTHING: &str = "/";

/// How the service behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Behavior {
    /// Accepts plain sessions only.
    Plain,
    /// Refuses the first public key, as KWallet does with one of 256 keys.
    RefusedKey,
    /// Loses the first session, as KWallet sometimes does if another program's session has just ended.
    LostSession,
    /// The item is locked, although the collection is not.
    LockedItem,
    /// The collection is locked, and a search waits until it is unlocked.
    WaitingSearch,
    /// The collection is locked, and a prompt unlocks it.
    Prompting,
    /// The collection is locked, and nobody answers the prompt.
    EndlessPrompt,
}

/// A running service, with one entry: the refresh token of the profile "mail".
pub struct Double {
    state: Arc<State>,
    _connection: Connection,
    _kwallet: Option<Connection>,
}

/// Who says that the wallet is open.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum KWallet {
    Absent,
    /// The program that serves the secrets.
    Same,
    /// Another program, so its wallet says nothing about this service.
    Other,
}

struct State {
    behavior: Behavior,
    is_locked: Mutex<bool>,
    token: Mutex<Vec<u8>>,
    sessions: AtomicUsize,
    prompts: AtomicUsize,
    has_lost_session: AtomicBool,
}

impl Double {
    pub fn start(login: &Login, behavior: Behavior, kwallet: KWallet, token: &str) -> Self {
        let is_locked = matches!(behavior, Behavior::WaitingSearch | Behavior::Prompting | Behavior::EndlessPrompt);
        let state = Arc::new(State {
            behavior,
            is_locked: Mutex::new(is_locked),
            token: Mutex::new(token.into()),
            sessions: AtomicUsize::new(0),
            prompts: AtomicUsize::new(0),
            has_lost_session: AtomicBool::new(false),
        });
        let of = || Arc::clone(&state);
        let mut service = builder(login)
            .name("org.freedesktop.secrets")
            .and_then(|builder| builder.serve_at(SERVICE, Service(of())))
            .and_then(|builder| builder.serve_at(COLLECTION, Collection(of())))
            .and_then(|builder| builder.serve_at(ITEM, Item(of())))
            .and_then(|builder| builder.serve_at(PROMPT, Prompt(of())))
            .unwrap();
        if kwallet == KWallet::Same {
            service = serve_kwallet(service);
        }
        let kwallet = (kwallet == KWallet::Other).then(|| serve_kwallet(builder(login)).build().unwrap());
        Self { state, _connection: service.build().unwrap(), _kwallet: kwallet }
    }

    /// Returns how many prompts ran.
    pub fn prompts(&self) -> usize {
        self.state.prompts.load(Ordering::Relaxed)
    }

    pub fn token(&self) -> String {
        String::from_utf8(self.state.token.lock().unwrap().clone()).unwrap()
    }
}

fn builder(login: &Login) -> connection::Builder<'static> {
    connection::Builder::address(login.address()).unwrap()
}

fn serve_kwallet(builder: connection::Builder<'static>) -> connection::Builder<'static> {
    builder.name("org.kde.kwalletd6").and_then(|builder| builder.serve_at("/modules/kwalletd6", Wallet)).unwrap()
}

impl State {
    fn is_locked(&self) -> bool {
        *self.is_locked.lock().unwrap()
    }

    fn is_item_locked(&self) -> bool {
        self.is_locked() || self.behavior == Behavior::LockedItem
    }
}

fn path(path: &'static str) -> OwnedObjectPath {
    ObjectPath::from_static_str_unchecked(path).into()
}

/// A secret of the specification: session, parameters, value and content type.
type Secret = (OwnedObjectPath, Vec<u8>, Vec<u8>, String);

struct Service(Arc<State>);

#[zbus::interface(name = "org.freedesktop.Secret.Service")]
impl Service {
    fn open_session(&self, algorithm: &str, _input: Value<'_>) -> fdo::Result<(OwnedValue, OwnedObjectPath)> {
        let sessions = self.0.sessions.fetch_add(1, Ordering::Relaxed);
        match algorithm {
            "plain" => Ok((Value::from("").try_into().unwrap(), path(SESSION))),
            _ if self.0.behavior == Behavior::RefusedKey && sessions == 0 => {
                Err(fdo::Error::InvalidArgs("Client public key size is invalid".to_owned()))
            }
            _ => Err(fdo::Error::NotSupported("only plain sessions".to_owned())),
        }
    }

    fn read_alias(&self, name: &str) -> OwnedObjectPath {
        path(if name == "default" { COLLECTION } else { NOTHING })
    }

    async fn search_items(&self, attributes: HashMap<String, String>) -> (Vec<OwnedObjectPath>, Vec<OwnedObjectPath>) {
        if self.0.behavior == Behavior::WaitingSearch {
            pending::<()>().await;
        }
        let item = match attributes.get("service").map(String::as_str) {
            Some("m365auth-mail") => vec![path(ITEM)],
            _ => vec![],
        };
        if self.0.is_item_locked() { (vec![], item) } else { (item, vec![]) }
    }

    fn unlock(&self, _objects: Vec<OwnedObjectPath>) -> (Vec<OwnedObjectPath>, OwnedObjectPath) {
        (vec![], path(if self.0.is_item_locked() { PROMPT } else { NOTHING }))
    }
}

struct Collection(Arc<State>);

#[zbus::interface(name = "org.freedesktop.Secret.Collection")]
impl Collection {
    #[zbus(property)]
    fn locked(&self) -> bool {
        self.0.is_locked()
    }

    #[zbus(property)]
    fn label(&self) -> &str {
        "kdewallet"
    }
}

struct Item(Arc<State>);

#[zbus::interface(name = "org.freedesktop.Secret.Item")]
impl Item {
    fn get_secret(&self, session: OwnedObjectPath) -> fdo::Result<(Secret,)> {
        if self.0.behavior == Behavior::LostSession && !self.0.has_lost_session.swap(true, Ordering::Relaxed) {
            return Err(fdo::Error::Failed(format!("Can't find session {}", session.as_str())));
        }
        Ok(((session, vec![], self.0.token.lock().unwrap().clone(), "text/plain".to_owned()),))
    }

    fn set_secret(&self, secret: Secret) {
        *self.0.token.lock().unwrap() = secret.2;
    }

    #[zbus(property)]
    fn attributes(&self) -> HashMap<String, String> {
        HashMap::from([("application".to_owned(), "Python keyring library".to_owned())])
    }
}

struct Prompt(Arc<State>);

#[zbus::interface(name = "org.freedesktop.Secret.Prompt")]
impl Prompt {
    async fn prompt(&self, _window: &str, #[zbus(signal_emitter)] emitter: SignalEmitter<'_>) {
        self.0.prompts.fetch_add(1, Ordering::Relaxed);
        if self.0.behavior == Behavior::Prompting {
            *self.0.is_locked.lock().unwrap() = false;
            Self::completed(&emitter, false, Value::from("")).await.unwrap();
        }
    }

    fn dismiss(&self) {}

    #[zbus(signal)]
    async fn completed(emitter: &SignalEmitter<'_>, dismissed: bool, result: Value<'_>) -> zbus::Result<()>;
}

/// KWallet's own interface, with an open wallet.
struct Wallet;

#[zbus::interface(name = "org.kde.KWallet")]
impl Wallet {
    #[zbus(name = "isOpen")]
    fn is_open(&self, wallet: &str) -> bool {
        wallet == "kdewallet"
    }
}
