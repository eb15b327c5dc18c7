//! A lock for each profile, so that one process refreshes at a time. The operating system releases the lock when its
//! holder ends, however that happens.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::time::Duration;

use crate::config::ProfileName;
use crate::error::{Error, ErrorKind, Result};
use crate::paths::Paths;
use crate::{private_fs, timeout};

/// Held until it is dropped.
#[derive(Debug)]
pub(crate) struct Lock(Option<File>);

impl Lock {
    /// Waits for the profile's lock. If the cache folder cannot hold a lock file, continues without one: two refreshes at
    /// the same time cost a request, but no token.
    pub(crate) fn acquire(paths: &Paths, profile: &ProfileName, limit: Duration) -> Result<Self> {
        let path = paths.lock(profile);
        let file = match private_fs::create_folder(paths.cache()).and_then(|()| open(&path)) {
            Ok(file) => file,
            Err(error) => return Ok(Self::none(&path, &error)),
        };
        // The lock is usually free, and waiting for it would need a thread.
        if file.try_lock().is_ok() {
            return Ok(Self(Some(file)));
        }
        match timeout::run(limit, move || file.lock().map(|()| Self(Some(file)))).flatten() {
            Ok(lock) => Ok(lock),
            Err(error) if error.kind() != io::ErrorKind::TimedOut => Ok(Self::none(&path, &error)),
            Err(_) => Err(Error::new(
                ErrorKind::TryLater,
                format!(
                    "timed out after {} s: another command is still refreshing the profile \"{profile}\"",
                    limit.as_secs()
                ),
            )
            .hint(format!("try again; if this persists, run `fuser '{}'` to find the process", path.display()))),
        }
    }

    fn none(path: &Path, error: &io::Error) -> Self {
        log::warn!("continuing without a lock: {}: {error}", path.display());
        Self(None)
    }
}

impl Drop for Lock {
    /// Releases the lock. Closing the file is not enough: a child process that was forked meanwhile, as Python's
    /// multiprocessing does, has a copy of the descriptor, and the copy would keep the lock (flock(2)).
    fn drop(&mut self) {
        if let Some(file) = &self.0 {
            _ = file.unlock();
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_of_the_descriptor_does_not_keep_the_lock() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let held = Lock(Some(open(file.path()).expect("the file")));
        let locked = held.0.as_ref().expect("a file");
        locked.lock().expect("a lock");
        let _as_in_a_forked_child = locked.try_clone().expect("a descriptor");
        let another = open(file.path()).expect("the file");
        assert!(another.try_lock().is_err());
        drop(held);
        assert!(another.try_lock().is_ok());
    }
}
