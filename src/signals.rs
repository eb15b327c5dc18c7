//! Signals, held off while a token is on its way from Microsoft to the store.
//!
//! Microsoft may hand out each refresh token once only. Whoever dies between its answer and the save has neither the
//! old nor the new one, so that Ctrl-C, a hang-up and a polite kill wait for that short time, and then do what they
//! always do. A library must leave its caller's signals alone: without [`enable`] all this does nothing.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use signal_hook::{flag, low_level};

#[cfg(unix)]
const SIGNALS: [i32; 4] = [
    signal_hook::consts::SIGINT,
    signal_hook::consts::SIGTERM,
    signal_hook::consts::SIGHUP,
    signal_hook::consts::SIGQUIT,
];
#[cfg(not(unix))]
const SIGNALS: [i32; 2] = [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM];

/// How long an answer is still awaited once a signal came. Longer than a usual answer takes, shorter than a person's
/// patience.
const GRACE: Duration = Duration::from_secs(2);
/// How often a waiting request looks for a signal.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

static ENABLED: AtomicBool = AtomicBool::new(false);
static STATE: OnceLock<State> = OnceLock::new();

struct State {
    /// Not held: a signal does what it does by default.
    default_action: Arc<AtomicBool>,
    /// The signal that came while held, or 0.
    pending: Arc<AtomicUsize>,
    /// How many guards there are, one within the other.
    guards: AtomicUsize,
}

/// Lets this program hold signals off. For the commands; a library's caller keeps its own handlers.
pub(crate) fn enable() {
    ENABLED.store(true, Ordering::SeqCst);
}

/// Made by the first hold: whoever guards nothing off pays nothing.
fn state() -> Option<&'static State> {
    let make = || {
        let state = State {
            default_action: Arc::new(AtomicBool::new(true)),
            pending: Arc::default(),
            guards: AtomicUsize::default(),
        };
        let ignored = ignored_signals();
        for signal in SIGNALS.into_iter().filter(|signal| ignored >> (signal - 1) & 1 == 0) {
            // A signal that cannot be caught is one that cannot be held off.
            _ = flag::register_conditional_default(signal, Arc::clone(&state.default_action));
            _ = flag::register_usize(signal, Arc::clone(&state.pending), signal.unsigned_abs() as usize);
        }
        state
    };
    ENABLED.load(Ordering::SeqCst).then(|| STATE.get_or_init(make))
}

/// While this lives, signals wait. Drop it once the token is safe.
#[must_use]
pub(crate) struct SignalGuard(());

pub(crate) fn defer() -> SignalGuard {
    if let Some(state) = state() {
        state.guards.fetch_add(1, Ordering::SeqCst);
        state.default_action.store(false, Ordering::SeqCst);
    }
    SignalGuard(())
}

/// The signals that whoever started us wants ignored, such as `nohup` and a shell's background jobs: a bit each. To
/// catch one would make it kill us.
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default(); // Linux; elsewhere nobody says
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap_or_default();
    u64::from_str_radix(mask.trim(), 16).unwrap_or(0)
}

impl Drop for SignalGuard {
    fn drop(&mut self) {
        let Some(state) = STATE.get() else { return };
        if state.guards.fetch_sub(1, Ordering::SeqCst) > 1 {
            return;
        }
        state.default_action.store(true, Ordering::SeqCst);
        match i32::try_from(state.pending.swap(0, Ordering::SeqCst)) {
            Ok(0) | Err(_) => {}
            Ok(signal) => _ = low_level::emulate_default_handler(signal),
        }
    }
}

/// Whether a signal is held off.
pub(crate) fn is_pending() -> bool {
    STATE.get().is_some_and(|state| state.pending.load(Ordering::SeqCst) != 0)
}

/// Comes to its end when a signal is held off; never, where none comes.
pub(crate) async fn signalled() {
    if STATE.get().is_none() {
        return std::future::pending().await;
    }
    while !is_pending() {
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Comes to its end [`GRACE`] after a signal came.
pub(crate) async fn grace_elapsed() {
    signalled().await;
    tokio::time::sleep(GRACE).await;
}
