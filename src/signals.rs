//! Deferring signals while a new refresh token is on its way from Microsoft to the store.
//!
//! Microsoft sends each new refresh token only once, and may no longer accept the old one. A program that ends between
//! the response and the save can be left without a valid token. SIGINT, SIGTERM, SIGHUP and SIGQUIT therefore wait for
//! that short time, and then take their default action. A library must not change the signal handlers of its caller.
//! For that reason, nothing is deferred unless [`enable`] was called.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use signal_hook::flag;
#[cfg(not(windows))]
use signal_hook::low_level;

#[cfg(unix)]
const SIGNALS: [i32; 4] = [
    signal_hook::consts::SIGINT,
    signal_hook::consts::SIGTERM,
    signal_hook::consts::SIGHUP,
    signal_hook::consts::SIGQUIT,
];
#[cfg(not(unix))]
const SIGNALS: [i32; 2] = [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM];

/// The exit code of a program that Ctrl-C ends on Windows (NTSTATUS: STATUS_CONTROL_C_EXIT). The default action of the
/// C library is to exit with 3, which looks like a failure.
#[cfg(windows)]
const CONTROL_C_EXIT: i32 = 0xc000_013a_u32.cast_signed();

/// How long a request may continue after a signal: longer than most responses take, and short enough for a user who
/// waits.
const GRACE: Duration = Duration::from_secs(2);
/// How often a waiting request checks for a signal.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

static ENABLED: AtomicBool = AtomicBool::new(false);
static STATE: OnceLock<State> = OnceLock::new();

struct State {
    /// True while signals take their default action.
    default_action: Arc<AtomicBool>,
    /// The number of the deferred signal, or 0.
    pending: Arc<AtomicUsize>,
    /// The number of live guards, which may be nested.
    guards: AtomicUsize,
}

/// Allows this process to defer signals. The commands call it; other users of the library keep their own handlers.
pub(crate) fn enable() {
    ENABLED.store(true, Ordering::SeqCst);
}

/// Turns a write beyond the file size limit (`ulimit -f`) into an error that does not end the process. Installs a
/// handler that does nothing, because child processes would inherit an ignored signal.
pub(crate) fn survive_file_size_limit() {
    #[cfg(unix)]
    if ENABLED.load(Ordering::SeqCst) {
        static HANDLER: OnceLock<()> = OnceLock::new();
        HANDLER.get_or_init(|| _ = flag::register(rustix::process::Signal::XFSZ.as_raw(), Arc::default()));
    }
}

/// Returns the state, and installs the handlers on the first call. Returns `None` unless [`enable`] was called.
fn state() -> Option<&'static State> {
    let install = || {
        let state = State {
            default_action: Arc::new(AtomicBool::new(true)),
            pending: Arc::default(),
            guards: AtomicUsize::default(),
        };
        let ignored = ignored_signals();
        for signal in SIGNALS.into_iter().filter(|signal| ignored >> (signal - 1) & 1 == 0) {
            // If no handler can be installed, the signal takes its default action at once.
            _ = flag::register_conditional_default(signal, Arc::clone(&state.default_action));
            _ = flag::register_usize(signal, Arc::clone(&state.pending), signal.unsigned_abs() as usize);
        }
        state
    };
    ENABLED.load(Ordering::SeqCst).then(|| STATE.get_or_init(install))
}

/// Defers signals until it is dropped. Drop it once the token is stored.
#[must_use]
pub(crate) struct SignalGuard(());

/// Defers signals until the returned guard is dropped.
pub(crate) fn defer() -> SignalGuard {
    if let Some(state) = state() {
        state.guards.fetch_add(1, Ordering::SeqCst);
        state.default_action.store(false, Ordering::SeqCst);
    }
    SignalGuard(())
}

/// Returns the signals that this process inherited as ignored, one bit each. `nohup`, and a shell that starts a
/// background job, set them so. They must stay ignored: with a handler installed, they would end this process.
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default(); // empty on other systems than Linux
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
            #[cfg(windows)]
            Ok(_) => std::process::exit(CONTROL_C_EXIT),
            #[cfg(not(windows))]
            Ok(signal) => _ = low_level::emulate_default_handler(signal),
        }
    }
}

/// Discards a deferred Ctrl-C or Ctrl-\\. Other signals stay pending.
#[cfg(unix)]
pub(crate) fn discard_keyboard_interrupt() {
    let Some(state) = STATE.get() else { return };
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGQUIT] {
        let number = signal.unsigned_abs() as usize;
        _ = state.pending.compare_exchange(number, 0, Ordering::SeqCst, Ordering::SeqCst);
    }
}

/// Returns whether a deferred signal is pending.
pub(crate) fn is_pending() -> bool {
    STATE.get().is_some_and(|state| state.pending.load(Ordering::SeqCst) != 0)
}

/// Completes when a deferred signal is pending. Never completes if no guard exists.
pub(crate) async fn signalled() {
    if STATE.get().is_none() {
        return std::future::pending().await;
    }
    while !is_pending() {
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Completes [`GRACE`] after [`signalled`].
pub(crate) async fn grace_elapsed() {
    signalled().await;
    tokio::time::sleep(GRACE).await;
}
