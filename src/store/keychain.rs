//! The keychain of the system, with exactly the names of the Python original, so that both read and overwrite the same
//! entry. Each system's own part is an `imp` of the same shape.

#[cfg(any(windows, test))]
mod chunks;
#[cfg_attr(target_os = "linux", path = "keychain/secret_service.rs")]
#[cfg_attr(target_os = "macos", path = "keychain/macos.rs")]
#[cfg_attr(windows, path = "keychain/windows.rs")]
#[cfg_attr(not(any(target_os = "linux", target_os = "macos", windows)), path = "keychain/none.rs")]
mod imp;

use std::io::IsTerminal as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use oauth2::RefreshToken;

use super::{TokenStore, parse_token};
use crate::config::ProfileName;
use crate::error::{Error, ErrorKind, Result};
use crate::sanitize::for_terminal;
use crate::signals;
use crate::timeout;

/// The user name of every entry, a fixed word in the Python original.
const USER: &str = "refresh_token";
/// For a keychain that is asked nothing of a person; an ordinary answer takes a few milliseconds.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(3);
/// For a person to type the keychain's password.
const UNLOCK_TIMEOUT: Duration = Duration::from_secs(60);

/// One profile's entry.
pub(super) struct Keychain {
    service: String,
    /// The name that the original's older versions used: read last, never written.
    older_service: String,
    /// A person sits there: a prompt may be opened. Mail programs on a timer must not flash windows.
    interactive: bool,
    /// The client with the system's keychain, opened by the first call, and what became of it.
    state: Mutex<State>,
}

#[derive(Clone)]
enum State {
    NotAsked,
    Open(Arc<imp::Connection>),
    /// Asked once, and not asked again in this run.
    Failed(KeychainError),
}

/// Why the keychain cannot be used.
#[derive(Clone, Debug)]
enum KeychainError {
    /// There is none in this login.
    Absent(String),
    /// It was never set up: there is no place to write to.
    #[cfg_attr(windows, expect(dead_code, reason = "the Credential Manager needs no setting up"))]
    NotSetUp,
    Locked,
    /// It is there, and does not answer.
    NoAnswer,
    /// It holds something that is no token.
    Malformed,
    Other(String),
}

impl Keychain {
    pub(super) fn new(profile: &ProfileName) -> Self {
        let interactive = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        let (service, older_service) = (format!("m365auth-{profile}"), format!("m365-imap-{profile}"));
        Self { service, older_service, interactive, state: Mutex::new(State::NotAsked) }
    }

    /// Whether it would take a token. Nothing is written.
    pub(super) fn probe(&self) -> Result<()> {
        self.call(imp::Connection::probe).map_err(KeychainError::into_error)
    }

    /// Whether this login has a keychain at all. Known once it was asked.
    pub(super) fn is_available(&self) -> bool {
        let state = self.state.lock().expect("no thread panics with it");
        !matches!(&*state, State::Failed(KeychainError::Absent(_) | KeychainError::NotSetUp))
    }

    /// Asks the keychain, in a thread with a time limit: a Secret Service that hangs answers neither yes nor no.
    fn call<T: Send + 'static>(
        &self,
        request: impl Fn(&imp::Connection) -> Result<T, KeychainError> + Send + Sync + 'static,
    ) -> Result<T, KeychainError> {
        let mut state = self.state.lock().expect("no thread panics with it");
        if let State::Failed(failure) = &*state {
            return Err(failure.clone());
        }
        let request = Arc::new(request);
        let limit = if imp::OS_PROMPTS { UNLOCK_TIMEOUT } else { RESPONSE_TIMEOUT };
        let answered = match self.timed(limit, &state, &request) {
            // The person is asked for the password, and then the request is put once more.
            (connection, Err(KeychainError::Locked)) if self.interactive && !imp::OS_PROMPTS => {
                log::warn!("the keychain is locked: please type its password in the window that opens");
                let service = self.service.clone();
                let unlocked = self.timed(
                    UNLOCK_TIMEOUT,
                    &connection,
                    &Arc::new(move |connection: &imp::Connection| connection.unlock(&service, USER)),
                );
                match unlocked {
                    (connection, Ok(())) => self.timed(RESPONSE_TIMEOUT, &connection, &request),
                    (connection, Err(_)) => (connection, Err(KeychainError::Locked)),
                }
            }
            answered => answered,
        };
        let (connection, result) = answered;
        *state = match &result {
            Err(failure) => State::Failed(failure.clone()),
            Ok(_) => connection,
        };
        result
    }

    /// One request within a limit, on the connection there is, or on a new one.
    fn timed<T: Send + 'static>(
        &self,
        limit: Duration,
        state: &State,
        request: &Arc<impl Fn(&imp::Connection) -> Result<T, KeychainError> + Send + Sync + 'static>,
    ) -> (State, Result<T, KeychainError>) {
        let (state, request) = (state.clone(), Arc::clone(request));
        let work = move || {
            let connection = match state {
                State::Open(connection) => connection,
                _ => match imp::Connection::open() {
                    Ok(connection) => Arc::new(connection),
                    Err(failure) => return (State::NotAsked, Err(failure)),
                },
            };
            let result = request(&connection);
            (State::Open(connection), result)
        };
        // Ctrl-C ends the wait for a person, not the keychain's few milliseconds.
        let stop = || limit == UNLOCK_TIMEOUT && signals::is_pending();
        timeout::run_cancellable(limit, stop, work).unwrap_or_else(|_| (State::NotAsked, Err(KeychainError::NoAnswer)))
    }
}

impl TokenStore for Keychain {
    fn load(&self) -> Result<Option<RefreshToken>> {
        let (service, older) = (self.service.clone(), self.older_service.clone());
        let load = move |connection: &imp::Connection| match connection.load(&service, USER)? {
            None => connection.load(&older, USER),
            found => Ok(found),
        };
        let blob = self.call(load).map_err(KeychainError::into_error)?;
        blob.map_or(Ok(None), token)
    }

    fn save(&self, token: &RefreshToken) -> Result<()> {
        let (service, token) = (self.service.clone(), token.clone());
        self.call(move |connection| connection.save(&service, USER, token.secret())).map_err(KeychainError::into_error)
    }

    fn delete(&self) -> Result<()> {
        let (service, older) = (self.service.clone(), self.older_service.clone());
        let delete = move |connection: &imp::Connection| {
            connection.delete(&service, USER)?;
            connection.delete(&older, USER)
        };
        self.call(delete).map_err(KeychainError::into_error)
    }

    fn describe(&self) -> String {
        format!("the keychain ({})", self.service)
    }
}

/// The token in an entry; None where the entry is blank.
pub(crate) fn token(blob: Vec<u8>) -> Result<Option<RefreshToken>> {
    decode(blob).and_then(|text| parse_token(&text).ok()).ok_or_else(|| KeychainError::Malformed.into_error())
}

/// A blob as text: UTF-8, or the UTF-16 that Python writes on Windows.
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
    fn into_error(self) -> Error {
        let or_file = "`store = \"file\"` in config.toml does without a keychain";
        let unlock = format!("unlock it: {}; {or_file}", imp::HOW_TO_UNLOCK);
        let unavailable = |message: &str| Error::new(ErrorKind::Unavailable, message);
        match self {
            Self::Absent(why) => unavailable(&format!("there is no keychain in this login: {why}"))
                .hint(format!("{}; {or_file}", imp::HOW_TO_GET_ONE)),
            Self::NotSetUp => unavailable("the keychain was never set up: it has no default collection")
                .hint("set it up, such as with Seahorse, or use `store = \"file\"` in config.toml"),
            Self::Locked => unavailable("the keychain is locked").hint(unlock),
            Self::NoAnswer => {
                unavailable("the keychain does not answer").hint(format!("restart it, or log in anew; {or_file}"))
            }
            Self::Malformed => {
                Error::new(ErrorKind::Storage, "the keychain's entry is no token").hint("run `get-token` to replace it")
            }
            Self::Other(why) => {
                Error::new(ErrorKind::Storage, format!("the keychain failed: {}", for_terminal(&why))).hint(unlock)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::decode;

    /// Under wine and on a runner too. It writes into the keychain of whoever runs it, and removes that again.
    #[test]
    #[cfg(any(windows, target_os = "macos"))]
    #[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
    #[ignore = "the keychain of this person: cargo test --lib keychain -- --ignored"]
    fn the_systems_keychain_keeps_overwrites_and_forgets_a_token_of_any_length() {
        use super::{Keychain, RefreshToken, TokenStore as _};
        let keychain = Keychain::new(&format!("test-{}", std::process::id()).parse().unwrap());
        let kept = || keychain.load().unwrap().map(|token| token.secret().clone());
        assert_eq!(kept(), None);
        for length in [1000, 1, 2560, 2561, 6000, 10_000, 1500] {
            let token = "0".repeat(length);
            keychain.save(&RefreshToken::new(token.clone())).unwrap();
            assert_eq!(kept(), Some(token));
        }
        keychain.delete().unwrap();
        assert_eq!(kept(), None);
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
