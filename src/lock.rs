//! One refresh at a time per profile, across processes. The system releases the lock when its holder dies, however
//! it dies.

use std::fs::{File, OpenOptions};
use std::io;
use std::time::Duration;

use crate::config::ProfileName;
use crate::error::{Error, ErrorKind, Result};
use crate::paths::Paths;
use crate::private_fs;
use crate::timeout;

/// Held until it is dropped.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "open as long as the lock is held")] Option<File>);

impl Lock {
    /// Waits for the profile's lock. Where the cache folder takes no lock, goes on without one: two refreshes at a
    /// time cost a request, no token.
    pub(crate) fn acquire(paths: &Paths, profile: &ProfileName, limit: Duration) -> Result<Self> {
        let path = paths.lock(profile);
        let file = match private_fs::create_folder(paths.cache()).and_then(|()| open(&path)) {
            Ok(file) => file,
            Err(error) => {
                log::warn!("going on without a lock: {}: {error}", path.display());
                return Ok(Self(None));
            }
        };
        // Mostly it is free, and no thread has to wait for it.
        if file.try_lock().is_ok() {
            return Ok(Self(Some(file)));
        }
        match timeout::run(limit, move || file.lock().map(|()| file)).flatten() {
            Ok(file) => Ok(Self(Some(file))),
            Err(error) if error.kind() != io::ErrorKind::TimedOut => {
                log::warn!("going on without a lock: {}: {error}", path.display());
                Ok(Self(None))
            }
            Err(_) => Err(Error::new(
                ErrorKind::TryLater,
                format!(
                    "another command has been refreshing the profile \"{profile}\" for {} seconds",
                    limit.as_secs()
                ),
            )
            .hint(format!("try again; if it stays so, see who holds {} (`fuser`)", path.display()))),
        }
    }
}

fn open(path: &std::path::Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
