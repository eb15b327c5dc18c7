//! The system's keychain. Entries have the names that the Python tool uses, so both tools read and replace the same
//! entry. Each system has its own `imp` with the same interface.

#[cfg(any(all(windows, feature = "keychain"), test))]
mod chunks;
#[cfg_attr(all(target_os = "linux", feature = "keychain"), path = "keychain/secret_service.rs")]
#[cfg_attr(all(target_os = "macos", feature = "keychain"), path = "keychain/macos.rs")]
#[cfg_attr(all(windows, feature = "keychain"), path = "keychain/windows.rs")]
#[cfg_attr(
    not(all(any(target_os = "linux", target_os = "macos", windows), feature = "keychain")),
    path = "keychain/none.rs"
)]
mod imp;

use std::io::{self, IsTerminal as _};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{TokenStore, parse_token};
use crate::config::ProfileName;
use crate::error::{Error, ErrorKind, Result};
use crate::patience::Patience;
use crate::runtime::MORE_RESOURCES;
use crate::sanitize::for_terminal;
use crate::signals;
use crate::timeout;
use crate::token::RefreshToken;

/// The user name of every entry, a constant in the Python tool.
const USER: &str = "refresh_token";
/// The timeout of a call that shows no prompt. A usual response takes a few milliseconds.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(3);
/// The timeout of a call that prompts for the keychain's password.
const UNLOCK_TIMEOUT: Duration = Duration::from_secs(60);
/// The timeout of a call. If the system prompts during the call, it includes the time of the prompt.
const CALL_TIMEOUT: Duration = if imp::OS_PROMPTS { UNLOCK_TIMEOUT } else { RESPONSE_TIMEOUT };

/// The keychain entry of one profile.
pub(super) struct Keychain {
    profile: ProfileName,
    /// Whether a person at a terminal may be prompted.
    may_prompt: bool,
    /// How long loading may take.
    patience: Patience,
    /// The connection to the keychain, opened by the first call.
    state: Mutex<State>,
}

#[derive(Clone)]
enum State {
    NotConnected,
    Connected(Arc<imp::Connection>),
    /// A call failed. Further calls of this `Keychain` return the same error.
    Failed {
        error: KeychainError,
        /// The name of the program that serves the keychain.
        program: Option<String>,
    },
}

/// Why the keychain could not be used.
#[derive(Clone, Debug)]
enum KeychainError {
    /// This login session has no keychain.
    Absent(String),
    /// The keychain has no default collection, because it was never set up.
    #[cfg_attr(windows, expect(dead_code, reason = "the Credential Manager needs no setup"))]
    NotSetUp,
    Locked,
    /// The keychain is unlocked, but asks a person before a program may read the entry.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only KeePassXC does this"))]
    NotPermitted,
    /// The keychain does not respond.
    NoResponse,
    /// The system has too few file descriptors or threads left for a call.
    OutOfResources(String),
    /// The entry does not contain a valid token.
    Malformed,
    Other(String),
}

impl Keychain {
    pub(super) fn new(profile: &ProfileName, patience: Patience) -> Self {
        Self { may_prompt: patience.is_full(), ..Self::unattended(profile, patience) }
    }

    /// Returns a keychain that never opens a window, as for a program on a timer.
    pub(super) fn unattended(profile: &ProfileName, patience: Patience) -> Self {
        Self { profile: profile.clone(), may_prompt: false, patience, state: Mutex::new(State::NotConnected) }
    }

    fn service(&self) -> String {
        format!("m365auth-{}", self.profile)
    }

    /// Returns the service name of older versions of the Python tool. It is read last and never written.
    fn older_service(&self) -> String {
        format!("m365-imap-{}", self.profile)
    }

    /// Returns whether a window may be opened: a mail program on a timer, without a terminal, must not open any.
    fn can_prompt(&self) -> bool {
        self.may_prompt && std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
    }

    /// Checks whether a token could be stored, without writing anything.
    pub(super) fn probe(&self) -> Result<()> {
        self.call(imp::Connection::probe)
    }

    /// Returns whether this login session has a keychain, as far as the calls so far have shown.
    pub(super) fn is_available(&self) -> bool {
        let state = self.state.lock().expect("no thread panics with it");
        !matches!(&*state, State::Failed { error: KeychainError::Absent(_) | KeychainError::NotSetUp, .. })
    }

    /// Calls the keychain within the limit of a call.
    fn call<T: Send + 'static>(
        &self,
        request: impl Fn(&imp::Connection) -> Result<T, KeychainError> + Send + Sync + 'static,
    ) -> Result<T> {
        self.call_within(CALL_TIMEOUT, request)
    }

    /// Calls the keychain, in a thread with a timeout: a Secret Service that hangs never responds.
    fn call_within<T: Send + 'static>(
        &self,
        limit: Duration,
        request: impl Fn(&imp::Connection) -> Result<T, KeychainError> + Send + Sync + 'static,
    ) -> Result<T> {
        let mut state = self.state.lock().expect("no thread panics with it");
        if let State::Failed { error, program } = &*state {
            return Err(error.clone().into_error(program.as_deref(), &self.profile));
        }
        let request = Arc::new(request);
        let answered = match self.timed(limit, &state, &request) {
            // Prompt for the password, then repeat the request.
            (connection, Err(error @ (KeychainError::Locked | KeychainError::NotPermitted)))
                if !imp::OS_PROMPTS && self.can_prompt() =>
            {
                log::warn!("{}", error.prompt());
                let (service, older) = (self.service(), self.older_service());
                let unlocked = self.timed(
                    UNLOCK_TIMEOUT,
                    &connection,
                    &Arc::new(move |connection: &imp::Connection| {
                        connection.unlock(&service, USER).and_then(|()| connection.unlock(&older, USER))
                    }),
                );
                match unlocked {
                    (connection, Ok(())) => self.timed(RESPONSE_TIMEOUT, &connection, &request),
                    (connection, Err(_)) => (connection, Err(error)),
                }
            }
            // KWallet gives a new session the name of one that has just ended, and then removes both. A new connection
            // helps.
            (_, Err(KeychainError::Other(why))) => {
                log::info!("the keychain failed ({why}); trying once more on a new connection");
                self.timed(limit, &State::NotConnected, &request)
            }
            answered => answered,
        };
        let (connection, result) = answered;
        match result {
            Ok(result) => {
                *state = connection;
                Ok(result)
            }
            Err(error) => {
                let program = self.patience.is_full().then(|| program_for_hint(&error)).flatten();
                *state = State::Failed { error: error.clone(), program: program.clone() };
                Err(error.into_error(program.as_deref(), &self.profile))
            }
        }
    }

    /// Makes one request with a timeout, on the existing connection or on a new one.
    fn timed<T: Send + 'static>(
        &self,
        limit: Duration,
        state: &State,
        request: &Arc<impl Fn(&imp::Connection) -> Result<T, KeychainError> + Send + Sync + 'static>,
    ) -> (State, Result<T, KeychainError>) {
        let (state, request) = (state.clone(), Arc::clone(request));
        let work = move || {
            let connection = match state {
                State::Connected(connection) => connection,
                _ => match imp::Connection::open() {
                    Ok(connection) => Arc::new(connection),
                    Err(failure) => return (State::NotConnected, Err(failure)),
                },
            };
            let result = request(&connection);
            (State::Connected(connection), result)
        };
        // A signal ends the wait for a password, but not an ordinary call of a few milliseconds.
        let stop = || limit == UNLOCK_TIMEOUT && signals::is_pending();
        timeout::run_cancellable(limit, stop, work).unwrap_or_else(|error| {
            let error = match error.kind() {
                io::ErrorKind::TimedOut | io::ErrorKind::Interrupted => KeychainError::NoResponse,
                _ => KeychainError::OutOfResources(format!("cannot start a thread: {error}")),
            };
            (State::NotConnected, Err(error))
        })
    }
}

impl TokenStore for Keychain {
    fn load(&self) -> Result<Option<RefreshToken>> {
        let (service, older) = (self.service(), self.older_service());
        let load = move |connection: &imp::Connection| match connection.load(&service, USER)? {
            None => connection.load(&older, USER),
            found => Ok(found),
        };
        let blob = self.call_within(self.patience.limit(CALL_TIMEOUT), load)?;
        blob.map_or(Ok(None), |blob| token(blob, &self.profile))
    }

    fn save(&self, token: &RefreshToken) -> Result<()> {
        let (service, token) = (self.service(), token.clone());
        self.call(move |connection| connection.save(&service, USER, token.secret()))
    }

    fn delete(&self) -> Result<()> {
        let (service, older) = (self.service(), self.older_service());
        let delete = move |connection: &imp::Connection| {
            connection.delete(&service, USER)?;
            connection.delete(&older, USER)
        };
        self.call(delete)
    }

    fn describe(&self) -> String {
        format!("the keychain ({})", self.service())
    }
}

/// Returns the name of the program that serves the keychain, if the hint for the error needs it.
fn program_for_hint(error: &KeychainError) -> Option<String> {
    matches!(error, KeychainError::Locked | KeychainError::NotPermitted | KeychainError::Other(_)).then_some(())?;
    timeout::run(RESPONSE_TIMEOUT, imp::program).ok().flatten()
}

/// Returns the token in an entry of the profile, or None if the entry is blank.
pub(crate) fn token(blob: Vec<u8>, profile: &ProfileName) -> Result<Option<RefreshToken>> {
    decode(blob)
        .and_then(|text| parse_token(&text).ok())
        .ok_or_else(|| KeychainError::Malformed.into_error(None, profile))
}

/// Decodes an entry as UTF-8, or as the UTF-16 that Python writes on Windows.
fn decode(blob: Vec<u8>) -> Option<String> {
    match String::from_utf8(blob) {
        Ok(text) if !text.contains('\0') => Some(text),
        Ok(text) => decode_utf16(text.as_bytes()),
        Err(error) => decode_utf16(error.as_bytes()),
    }
}

fn decode_utf16(blob: &[u8]) -> Option<String> {
    let (pairs, rest) = blob.as_chunks::<2>();
    let units: Vec<u16> = pairs.iter().map(|pair| u16::from_le_bytes(*pair)).collect();
    String::from_utf16(&units).ok().filter(|text| rest.is_empty() && !text.contains('\0'))
}

impl KeychainError {
    /// What a person is asked to do in the window that the keychain opens.
    fn prompt(&self) -> &'static str {
        match self {
            Self::NotPermitted => "the keychain asks for permission: allow it in the window that opens",
            _ => "the keychain is locked: enter its password in the window that opens",
        }
    }

    fn into_error(self, program: Option<&str>, profile: &ProfileName) -> Error {
        let or_file = "or set `store = \"file\"` in the configuration if you accept an unencrypted token file";
        let unlock = format!("{}; {or_file}", imp::how_to_unlock(program));
        let unavailable = |message: &str| Error::new(ErrorKind::Unavailable, message);
        match self {
            Self::Absent(why) => unavailable(&format!("no keychain is available: {why}"))
                .hint(format!("{}; {or_file}", imp::HOW_TO_GET_ONE)),
            Self::NotSetUp => unavailable("there is no default keychain")
                .hint(format!("create one, for example with Seahorse or Keychain Access; {or_file}")),
            Self::Locked => unavailable("the keychain is locked").hint(unlock),
            Self::NotPermitted => unavailable("the keychain asks for permission for each program")
                .hint(format!("{}; {or_file}", imp::how_to_permit(program))),
            Self::NoResponse => unavailable("the keychain does not respond")
                .hint(format!("restart the keychain or log in again; {or_file}")),
            Self::OutOfResources(why) => {
                Error::new(ErrorKind::TryLater, format!("cannot connect to the keychain: {why}")).hint(MORE_RESOURCES)
            }
            Self::Malformed => Error::new(ErrorKind::SignIn, "the keychain entry does not contain a valid token")
                .hint(format!("run `get-token --profile {profile:#}` to replace it")),
            Self::Other(why) => unavailable(&format!("the keychain failed: {}", for_terminal(&why))).hint(unlock),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::decode;

    /// Also runs under Wine and on CI runners. Writes to the keychain of the user who runs it, and removes the entry.
    #[test]
    #[cfg(any(windows, target_os = "macos"))]
    #[allow(clippy::unwrap_used, reason = "a panic fails the test")]
    #[ignore = "uses your keychain: cargo test --lib keychain -- --ignored"]
    fn the_systems_keychain_stores_overwrites_and_deletes_a_token_of_any_length() {
        use super::{Keychain, Patience, RefreshToken, TokenStore as _};
        let keychain = Keychain::new(&format!("test-{}", std::process::id()).parse().unwrap(), Patience::Full);
        let stored = || keychain.load().unwrap().map(|token| token.secret().clone());
        assert_eq!(stored(), None);
        for length in [1000, 1, 2560, 2561, 6000, 10_000, 1500] {
            let token = "0".repeat(length);
            keychain.save(&RefreshToken::new(token.clone())).unwrap();
            assert_eq!(stored(), Some(token));
        }
        keychain.delete().unwrap();
        assert_eq!(stored(), None);
        keychain.delete().unwrap();
    }

    #[test]
    fn a_blob_is_utf_8_or_what_python_writes_on_windows() {
        let utf16: Vec<u8> = "0.AXoA".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(decode(b"0.AXoA".to_vec()).as_deref(), Some("0.AXoA"));
        assert_eq!(decode(utf16).as_deref(), Some("0.AXoA"));
        assert_eq!(decode(vec![0xff, 0xfe, 0x00]), None, "garbage");
        assert_eq!(decode(vec![0x00, 0xd8, 0x00, 0xd8]), None, "half a surrogate pair");
    }
}
