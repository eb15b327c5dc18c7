//! Files that only their owner can read, folders that only their owner can write to, and how much an existing file is
//! trusted.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// In bytes. A token or a record has a few kilobytes.
const MAX_SIZE: u64 = 1024 * 1024;
/// The prefix of the names of files that are being written.
const TEMPORARY_PREFIX: &str = ".m365auth-";
/// A process that has not finished its file after this time was killed.
const STALE_AFTER: Duration = Duration::from_secs(60);

/// Returns whether something is at the path, be it a symbolic link without a target: a link to a disk that is not mounted
/// is not a missing file.
pub(crate) fn exists(path: &Path) -> bool {
    !path.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// Creates the folder and its parents, with mode 700 where they did not exist.
pub(crate) fn create_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Replaces a file atomically by one that only its owner can read: writes a temporary file beside it (created with mode
/// 600), syncs it to the disk, and renames it. A symbolic link at the path is replaced, not followed.
pub(crate) fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    write_with(path, content, File::sync_all)?;
    // The rename must survive a power cut too. Some file systems cannot sync a folder; the file is written all the same.
    #[cfg(unix)]
    if let Ok(folder) = File::open(folder_of(path)) {
        _ = folder.sync_all();
    }
    remove_stale(folder_of(path));
    Ok(())
}

/// Like [`write()`], but does not wait for the disk: for files that a power cut may take.
pub(crate) fn write_without_sync(path: &Path, content: &[u8]) -> io::Result<()> {
    write_with(path, content, |_| Ok(()))
}

fn write_with(path: &Path, content: &[u8], sync: impl FnOnce(&File) -> io::Result<()>) -> io::Result<()> {
    let parent = folder_of(path);
    create_folder(parent)?;
    let mut file = tempfile::Builder::new().prefix(TEMPORARY_PREFIX).tempfile_in(parent)?;
    file.write_all(content)?;
    sync(file.as_file())?;
    file.persist(path)?;
    Ok(())
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Removes the temporary files of killed processes.
pub(crate) fn remove_stale(folder: &Path) {
    for entry in folder.read_dir().into_iter().flatten().flatten() {
        let is_stale = || entry.metadata().ok()?.modified().ok()?.elapsed().ok().map(|age| age > STALE_AFTER);
        if entry.file_name().to_string_lossy().starts_with(TEMPORARY_PREFIX) && is_stale() == Some(true) {
            _ = fs::remove_file(entry.path());
        }
    }
}

/// Writes a secret to a file in a folder of ours.
pub(crate) fn write_secret(path: &Path, secret: &str) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        create_folder(parent)?;
        restrict_mode(parent, 0o700)?;
    }
    write(path, secret.as_bytes())
}

/// Reads a secret from a file in a folder of ours. If others can read the file or write to the folder, their access is
/// removed and the user is warned.
pub(crate) fn read_secret(path: &Path) -> io::Result<String> {
    let metadata = fs::metadata(path)?;
    if let Some(parent) = path.parent() {
        restrict_mode(parent, 0o700)?;
    }
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file")); // opening a pipe would block for ever
    }
    restrict_mode(path, 0o600)?;
    let mut text = String::new();
    File::open(path)?.take(MAX_SIZE).read_to_string(&mut text)?;
    Ok(text)
}

/// Removes the access of others to a file, or their write access to a folder; they may still list a folder. A file of
/// another user is rejected, because that user could plant a token there.
#[cfg(unix)]
fn restrict_mode(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let metadata = fs::metadata(path)?;
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::other("it belongs to another user"));
    }
    let forbidden = if metadata.is_dir() { 0o022 } else { 0o077 };
    if metadata.mode() & forbidden != 0 {
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
        let access = if metadata.is_dir() { "write to" } else { "read" };
        log::warn!(
            "other users could {access} {} (mode {:o}); its mode is now {mode:o}",
            path.display(),
            metadata.mode() & 0o777
        );
    }
    Ok(())
}

#[cfg(not(unix))]
fn restrict_mode(_: &Path, _: u32) -> io::Result<()> {
    Ok(()) // the folder is in the user's profile, whose access control list does the same
}

/// The identity of a file's content: a file that was replaced or written has another one.
#[derive(Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct FileId {
    device: u64,
    inode: u64,
    size: u64,
    /// Modification and status change, in seconds and nanoseconds since 1970.
    times: [i64; 4],
}

impl FileId {
    /// Returns None if there is no file.
    #[cfg(unix)]
    pub(crate) fn of(path: &Path) -> Option<Self> {
        use std::os::unix::fs::MetadataExt as _;
        let metadata = fs::metadata(path).ok()?;
        let times = [metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec()];
        Some(Self { device: metadata.dev(), inode: metadata.ino(), size: metadata.size(), times })
    }

    /// Returns None: without kernel memory no access token outlives the process.
    #[cfg(not(unix))]
    pub(crate) fn of(_: &Path) -> Option<Self> {
        None
    }
}

/// Fails if another user could have written the opened file: checks the file, and the folder that contains it or the
/// link to it. Files of root are trusted too, such as a system-wide configuration and Nix's store.
#[cfg(unix)]
pub(crate) fn ensure_trusted(file: &File, path: &Path) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt as _;
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let check = |what: &Path, metadata: &fs::Metadata, is_sticky: bool| {
        let mode = metadata.mode();
        if metadata.uid() != user && metadata.uid() != 0 {
            return Err(format!("{} belongs to another user", what.display()));
        }
        let others_can_write = mode & 0o002 != 0 || mode & 0o020 != 0 && metadata.gid() != group && metadata.gid() != 0;
        if others_can_write && !is_sticky {
            return Err(format!("{} is writable by others (mode {:o})", what.display(), mode & 0o777));
        }
        Ok(())
    };
    // The metadata of the opened file: the path may name another file by now.
    let Ok(metadata) = file.metadata() else { return Ok(()) }; // the caller's read reports the error
    check(path, &metadata, false)?;
    let parent = folder_of(path);
    match fs::metadata(parent) {
        // In a folder with the sticky bit, such as /tmp, nobody can rename another user's file.
        Ok(metadata) => check(parent, &metadata, metadata.mode() & 0o1000 != 0),
        Err(_) => Ok(()),
    }
}

#[cfg(not(unix))]
pub(crate) fn ensure_trusted(_: &File, _: &Path) -> Result<(), String> {
    Ok(())
}
