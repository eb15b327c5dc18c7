//! The library without the commands: signals are left to the program that uses it.

/// Defers nothing.
#[must_use]
pub(crate) struct SignalGuard(());

pub(crate) fn defer() -> SignalGuard {
    SignalGuard(())
}

pub(crate) fn survive_file_size_limit() {}

pub(crate) fn discard_keyboard_interrupt() {}

pub(crate) fn is_pending() -> bool {
    false
}

pub(crate) async fn signalled() {
    std::future::pending().await
}

pub(crate) async fn grace_elapsed() {
    std::future::pending().await
}
