//! A lock for each profile, so that one process refreshes at a time. The operating system releases the lock when its
//! holder ends, however that happens. The lock's file holds messages for the processes that wait for it.

use std::cell::Cell;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::config::ProfileName;
use crate::error::{Error, ErrorKind, Result};
use crate::paths::Paths;
use crate::sanitize::for_shell;
use crate::{private_fs, timeout};

/// In bytes. A message has about 1 KB.
const MAX_SIZE: u64 = 64 * 1024;

/// A profile's lock, held until it is dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    /// An open file keeps the lock. `None` if there is no lock.
    file: Option<File>,
    /// When this process began to wait, in nanoseconds since 1970. `None` if the lock was free.
    waiting_since: Option<u128>,
    /// Whether this process has left a message.
    has_left: Cell<bool>,
}

impl Lock {
    /// Waits for the profile's lock. If the cache folder cannot hold a lock file, continues without one: two refreshes
    /// at the same time cost a request, but no token.
    pub(crate) fn acquire(paths: &Paths, profile: &ProfileName, limit: Duration) -> Result<Self> {
        let path = paths.lock(profile);
        let file = match private_fs::create_own_folder(paths.cache()).and_then(|()| open(&path)) {
            Ok(file) => file,
            Err(error) => return Ok(Self::none(&path, &error)),
        };
        // The lock is usually free, and waiting for it would need a thread.
        if file.try_lock().is_ok() {
            return Ok(Self::held(Some(file), None));
        }
        let waiting_since = Some(nanoseconds());
        match timeout::run(limit, move || file.lock().map(|()| file)).flatten() {
            Ok(file) => Ok(Self::held(Some(file), waiting_since)),
            Err(error) if error.kind() != io::ErrorKind::TimedOut => Ok(Self::none(&path, &error)),
            Err(_) => Err(Error::new(
                ErrorKind::TryLater,
                format!(
                    "timed out after {} s: another command is still refreshing the profile \"{profile}\"",
                    limit.as_secs()
                ),
            )
            .hint(format!(
                "try again; if this persists, run `fuser {}` to find the process",
                for_shell(&path.to_string_lossy())
            ))),
        }
    }

    /// Acquires the profile's lock if it is free. Returns None if another process holds it or no lock file can be
    /// created.
    pub(crate) fn try_acquire(paths: &Paths, profile: &ProfileName) -> Option<Self> {
        let file = open(&paths.lock(profile)).ok()?;
        file.try_lock().ok()?;
        Some(Self::held(Some(file), None))
    }

    fn none(path: &Path, error: &io::Error) -> Self {
        log::warn!("continuing without a lock: {}: {error}", path.display());
        Self::held(None, None)
    }

    fn held(file: Option<File>, waiting_since: Option<u128>) -> Self {
        Self { file, waiting_since, has_left: Cell::new(false) }
    }

    /// Leaves a message of one line for the processes that are waiting for this lock. The first one replaces those of
    /// earlier holders.
    pub(crate) fn leave_message(&self, message: &str) {
        let Some(mut file) = self.file.as_ref() else { return };
        let line = format!("{} {message}\n", nanoseconds());
        let emptied = if self.has_left.replace(true) { Ok(()) } else { file.set_len(0) };
        // A message that cannot be left costs a request of each process that waits.
        _ = emptied.and_then(|()| file.seek(SeekFrom::End(0))).and_then(|_| file.write_all(line.as_bytes()));
    }

    /// Returns the messages that earlier holders left while this process was waiting.
    pub(crate) fn messages(&self) -> Vec<String> {
        let (Some(mut file), Some(since)) = (self.file.as_ref(), self.waiting_since) else { return Vec::new() };
        let mut text = String::new();
        _ = file.rewind().and_then(|()| file.take(MAX_SIZE).read_to_string(&mut text));
        let lines = text.lines().filter_map(|line| line.split_once(' '));
        let new = lines.filter(|(time, _)| time.parse::<u128>().is_ok_and(|time| time > since));
        new.map(|(_, message)| message.to_owned()).collect()
    }
}

fn nanoseconds() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos())
}

impl Drop for Lock {
    /// Releases the lock. Closing the file is not enough: a child process that was forked meanwhile, as Python's
    /// multiprocessing does, has a copy of the descriptor, and the copy would keep the lock (flock(2)).
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            _ = file.unlock();
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    private_fs::open_own(path, options.read(true).write(true).create(true).truncate(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_for_processes_that_were_waiting() {
        let holder = Lock::held(Some(tempfile::tempfile().expect("a file")), None);
        let before = nanoseconds();
        let waiting = |since| {
            let file = holder.file.as_ref().and_then(|file| file.try_clone().ok());
            Lock { file, waiting_since: since, has_left: Cell::default() }
        };
        holder.leave_message("one");
        holder.leave_message("two");
        assert_eq!(waiting(Some(before - 1)).messages(), ["one", "two"]);
        assert!(waiting(None).messages().is_empty(), "the lock was free");
        assert!(waiting(Some(nanoseconds())).messages().is_empty(), "it came later");
        let next = waiting(None);
        next.leave_message("three");
        assert_eq!(waiting(Some(before - 1)).messages(), ["three"]);
    }

    #[test]
    fn a_copy_of_the_descriptor_does_not_keep_the_lock() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let held = Lock::held(Some(open(file.path()).expect("the file")), None);
        let locked = held.file.as_ref().expect("a file");
        locked.lock().expect("a lock");
        let _as_in_a_forked_child = locked.try_clone().expect("a descriptor");
        let another = open(file.path()).expect("the file");
        assert!(another.try_lock().is_err());
        drop(held);
        assert!(another.try_lock().is_ok());
    }
}
