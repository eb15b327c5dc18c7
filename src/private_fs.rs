//! What is one user's alone on the disk: files that nobody else may read, folders that nobody else may write, and what is
//! believed of those that are already there.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::time::Duration;

/// A token or a record is a few kilobytes.
const MAX_SIZE: u64 = 1024 * 1024;
/// The start of the names of files that are being written.
const TEMPORARY_PREFIX: &str = ".m365auth-";
/// Whoever has not finished a file for so long was killed.
const STALE_AFTER: Duration = Duration::from_secs(60);

/// Makes the folder, with mode 700 where it did not exist.
pub(crate) fn create_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Writes a file that only its owner can read, at no moment half: a temporary file beside it (created with mode 600)
/// is filled, synced to the disk, and renamed. A link in its place is replaced, not followed.
pub(crate) fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    write_with(path, content, File::sync_all)?;
    // The rename too must survive a power cut. Some file systems cannot sync a folder; the file is there all the same.
    #[cfg(unix)]
    if let Ok(folder) = File::open(folder_of(path)) {
        _ = folder.sync_all();
    }
    remove_stale(folder_of(path));
    Ok(())
}

/// As [`write()`], for what may be lost in a power cut: it does not wait for the disk.
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

/// Removes what killed processes left.
pub(crate) fn remove_stale(folder: &Path) {
    for entry in folder.read_dir().into_iter().flatten().flatten() {
        let is_stale = || entry.metadata().ok()?.modified().ok()?.elapsed().ok().map(|age| age > STALE_AFTER);
        if entry.file_name().to_string_lossy().starts_with(TEMPORARY_PREFIX) && is_stale() == Some(true) {
            _ = fs::remove_file(entry.path());
        }
    }
}

/// Writes a secret into a folder of ours.
pub(crate) fn write_secret(path: &Path, secret: &str) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        create_folder(parent)?;
        restrict_mode(parent, 0o700)?;
    }
    write(path, secret.as_bytes())
}

/// Reads a secret from a folder of ours. What others may read or write is ours alone from then on, and the owner is told.
pub(crate) fn read_secret(path: &Path) -> io::Result<String> {
    let metadata = fs::metadata(path)?;
    if let Some(parent) = path.parent() {
        restrict_mode(parent, 0o700)?;
    }
    if !metadata.is_file() {
        return Err(io::Error::other("it is no file")); // and to open a pipe would wait for ever
    }
    restrict_mode(path, 0o600)?;
    let mut text = String::new();
    File::open(path)?.take(MAX_SIZE).read_to_string(&mut text)?;
    Ok(text)
}

/// Takes from others what the mode lets them do with a file of ours; a folder they may list, as ever. What is another
/// user's is refused: that one could put a token of his own there.
#[cfg(unix)]
fn restrict_mode(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let metadata = fs::metadata(path)?;
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::other("it belongs to another user"));
    }
    let others_may = if metadata.is_dir() { 0o022 } else { 0o077 };
    if metadata.mode() & others_may != 0 {
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
        let could = if metadata.is_dir() { "write in" } else { "read" };
        log::warn!(
            "others could {could} {} (mode {:o}); it now has mode {mode:o}",
            path.display(),
            metadata.mode() & 0o777
        );
    }
    Ok(())
}

#[cfg(not(unix))]
fn restrict_mode(_: &Path, _: u32) -> io::Result<()> {
    Ok(()) // the folder is in the user's own profile, whose access list says the same
}

/// Whether nobody else can have written a file that was opened: neither it nor the folder in which it, or the link to it,
/// lies. What root owns is as good as ours, as a system's configuration and Nix's store.
#[cfg(unix)]
pub(crate) fn ensure_trusted(file: &File, path: &Path) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt as _;
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let own = |what: &Path, metadata: &fs::Metadata, sticky: bool| {
        let mode = metadata.mode();
        if metadata.uid() != user && metadata.uid() != 0 {
            return Err(format!("{} belongs to another user", what.display()));
        }
        let by_others = mode & 0o002 != 0 || mode & 0o020 != 0 && metadata.gid() != group && metadata.gid() != 0;
        if by_others && !sticky {
            return Err(format!("others may write {} (mode {:o})", what.display(), mode & 0o777));
        }
        Ok(())
    };
    // Of the file that is read: another may lie there by now.
    let Ok(metadata) = file.metadata() else { return Ok(()) }; // whoever reads it says why it cannot be read
    own(path, &metadata, false)?;
    let parent = folder_of(path);
    match fs::metadata(parent) {
        // In a folder such as /tmp nobody renames another's file (the sticky bit).
        Ok(metadata) => own(parent, &metadata, metadata.mode() & 0o1000 != 0),
        Err(_) => Ok(()),
    }
}

#[cfg(not(unix))]
pub(crate) fn ensure_trusted(_: &File, _: &Path) -> Result<(), String> {
    Ok(())
}
