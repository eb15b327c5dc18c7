//! The runtime of the calls to the network and to the keychain: of this thread alone.

use std::io;

use tokio::runtime::{Builder, Runtime};

/// # Errors
///
/// Where the system has no descriptors left for it. Tokio itself panics where it gets some of them and not all.
pub(crate) fn new() -> io::Result<Runtime> {
    #[cfg(unix)]
    {
        /// The poll, its waker, three for the signals (a feature that zbus brings), and one for who else is at work.
        const DESCRIPTORS: usize = 6;
        let room: io::Result<Vec<_>> = (0..DESCRIPTORS).map(|_| std::fs::File::open("/dev/null")).collect();
        room?;
    }
    Builder::new_current_thread().enable_all().build()
}
