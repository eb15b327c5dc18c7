//! Files that only their owner can read, folders that only their owner can write to, and checks of whether an existing
//! file can be trusted.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::iter;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[cfg(unix)]
use rustix::{fs::OFlags, process::geteuid};
#[cfg(unix)]
use sha2::{Digest, Sha256};

use crate::sanitize::for_shell;
use crate::signals;

/// In bytes. A token or a record has a few kilobytes.
const MAX_SIZE: u64 = 1024 * 1024;
/// The prefix of the names of files that are being written.
const TEMPORARY_PREFIX: &str = ".m365auth-";
/// A process that has not finished its file after this time was killed.
const STALE_AFTER: Duration = Duration::from_secs(60);

/// Returns whether something exists at the path. A symbolic link without a target counts, and so does a path below it:
/// the link may lead to a disk that is not mounted.
pub(crate) fn exists(path: &Path) -> bool {
    !ensure_reachable(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// Returns the symbolic link without a target at the path, or in the place of a folder above it.
pub(crate) fn dangling_link(path: &Path) -> Option<&Path> {
    let nearest = path.ancestors().find(|above| above.symlink_metadata().is_ok())?;
    (nearest.is_symlink() && !nearest.exists()).then_some(nearest)
}

/// Fails with [`io::ErrorKind::NotFound`] if nothing is at the path, and with another kind if it is below a symbolic
/// link without a target.
fn ensure_reachable(path: &Path) -> io::Result<()> {
    let Err(error) = path.symlink_metadata() else { return Ok(()) };
    let link = dangling_link(path).filter(|_| error.kind() == io::ErrorKind::NotFound);
    Err(link.map_or(error, |link| io::Error::other(format!("{} is a symbolic link without a target", link.display()))))
}

/// Creates the folder and its parents, with mode 700 where they did not exist.
pub(crate) fn create_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Creates a folder of ours, or removes the write access of others to it.
pub(crate) fn create_own_folder(path: &Path) -> io::Result<()> {
    create_folder(path)?;
    restrict_mode(path, 0o700)
}

/// Replaces a file atomically by one that only its owner can read: writes a temporary file beside it (created with mode
/// 600), syncs it to the disk, and renames it. A symbolic link at the path is replaced, not followed.
pub(crate) fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    write_with(path, content, File::sync_all)?;
    // The rename must survive a power cut too. Some file systems cannot sync a folder; the file is written all the
    // same.
    #[cfg(unix)]
    if let Ok(folder) = File::open(folder_of(path)) {
        _ = folder.sync_all();
    }
    remove_stale(folder_of(path));
    Ok(())
}

/// Like [`write()`], but does not wait for the disk: for files that may be lost in a power cut.
pub(crate) fn write_without_sync(path: &Path, content: &[u8]) -> io::Result<()> {
    write_with(path, content, |_| Ok(()))
}

fn write_with(path: &Path, content: &[u8], sync: impl FnOnce(&File) -> io::Result<()>) -> io::Result<()> {
    let parent = folder_of(path);
    create_folder(parent)?;
    signals::survive_file_size_limit();
    let path = &without_length_limit(path, parent);
    let mut file = tempfile::Builder::new().prefix(&temporary_prefix(path)).tempfile_in(folder_of(path))?;
    file.write_all(content)?;
    sync(file.as_file())?;
    file.persist(path)?;
    Ok(())
}

/// Returns the path of a file in an existing folder, on Windows in the form `\\?\C:\…`. `tempfile` passes paths to
/// Windows as they are, and Windows limits other forms to 260 characters (Microsoft: "Maximum Path Length Limitation").
fn without_length_limit(path: &Path, folder: &Path) -> PathBuf {
    let canonical = if cfg!(windows) { fs::canonicalize(folder).ok() } else { None };
    canonical.and_then(|folder| Some(folder.join(path.file_name()?))).unwrap_or_else(|| path.to_owned())
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Returns how the names of a file's temporary files begin. A profile name cannot contain the tilde, so those of the
/// profiles `a` and `a-b` can be told apart.
fn temporary_prefix(path: &Path) -> String {
    format!("{TEMPORARY_PREFIX}{}~", path.file_name().unwrap_or_default().to_string_lossy())
}

/// Removes the temporary files of killed processes.
pub(crate) fn remove_stale(folder: &Path) {
    remove_files(folder, TEMPORARY_PREFIX, |file| {
        file.modified().ok().and_then(|time| time.elapsed().ok()).is_some_and(|age| age > STALE_AFTER)
    });
}

/// Removes the temporary files of killed processes that were writing this file, or the target of this symbolic link,
/// whatever their age.
pub(crate) fn remove_unfinished(path: &Path) {
    let target = resolve_link(path).ok().filter(|target| target != path);
    for path in iter::once(path).chain(target.as_deref()) {
        remove_files(folder_of(path), &temporary_prefix(path), |_| true);
        remove_stale(folder_of(path));
    }
}

fn remove_files(folder: &Path, prefix: &str, condition: impl Fn(&fs::Metadata) -> bool) {
    for entry in folder.read_dir().into_iter().flatten().flatten() {
        let is_named = entry.file_name().to_string_lossy().starts_with(prefix);
        if is_named && entry.metadata().is_ok_and(|metadata| condition(&metadata)) {
            _ = fs::remove_file(entry.path());
        }
    }
}

/// Writes a secret to a file in a folder of ours. If the path is a symbolic link, for example to an encrypted volume,
/// the file is replaced there.
pub(crate) fn write_secret(path: &Path, secret: &str) -> io::Result<()> {
    create_own_folder(folder_of(path))?;
    write(&resolve_link(path)?, secret.as_bytes())
}

/// Reads a secret from a file in a folder of ours. If others can read the file or write to the folder, their access is
/// removed and the user is warned.
pub(crate) fn read_secret(path: &Path) -> io::Result<String> {
    ensure_reachable(path)?;
    restrict_mode(folder_of(path), 0o700)?;
    let path = resolve_link(path)?;
    if !fs::metadata(&path)?.is_file() {
        return Err(io::Error::other("it is not a regular file")); // opening a pipe would block forever
    }
    restrict_mode(&path, 0o600)?;
    read_to_string(File::open(path)?)
}

/// Deletes a secret, and the symbolic link to it. Succeeds if there is none.
pub(crate) fn remove_secret(path: &Path) -> io::Result<()> {
    let remove = || {
        ensure_reachable(path)?;
        if path.is_symlink() {
            fs::remove_file(resolve_link(path)?)?;
        }
        fs::remove_file(path)
    };
    remove().or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

/// Reads a file of ours that is never a symbolic link, without blocking on a pipe that is in its place.
pub(crate) fn read_own(path: &Path) -> io::Result<String> {
    ensure_reachable(path)?;
    restrict_mode(folder_of(path), 0o700)?;
    let mut options = OpenOptions::new();
    read_to_string(open_own(path, options.read(true))?)
}

/// Opens a file of ours that is never a symbolic link, or creates it with mode 600. Fails if something else is in its
/// place, because another user may have put it there while the folder was writable.
pub(crate) fn open_own(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = options.mode(0o600).custom_flags(flags.bits().cast_signed()).open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        if metadata.uid() != geteuid().as_raw() {
            return Err(io::Error::other("it belongs to another user"));
        }
        Ok(file)
    }
    #[cfg(not(unix))]
    options.open(path)
}

fn read_to_string(file: File) -> io::Result<String> {
    const END: usize = 32; // room for the read that finds the end; without it, the standard library reads bit by bit
    let size = file.metadata()?.len().min(MAX_SIZE);
    let mut text = String::with_capacity(usize::try_from(size).unwrap_or_default() + END);
    file.take(MAX_SIZE).read_to_string(&mut text)?;
    Ok(text)
}

/// Returns the target of a symbolic link, or the path itself. The link, its target and the target's folder must be
/// ours, and the folder must not be writable by others. A target that does not exist, as on a volume that is not
/// mounted, is an error: the secret must not become a plain file on another disk.
#[cfg(unix)]
fn resolve_link(path: &Path) -> io::Result<PathBuf> {
    use std::os::unix::fs::MetadataExt as _;
    let Ok(link) = path.symlink_metadata() else { return Ok(path.to_owned()) };
    if !link.is_symlink() {
        return Ok(path.to_owned());
    }
    let target = fs::read_link(path)?;
    let target = folder_of(path).join(target);
    let folder = folder_of(&target).metadata().map_err(|error| {
        io::Error::other(format!("it is a symbolic link into {}: {error}", folder_of(&target).display()))
    })?;
    let is_ours = |metadata: &fs::Metadata| metadata.uid() == geteuid().as_raw();
    if !is_ours(&link) || !is_ours(&folder) || folder.mode() & 0o022 != 0 {
        return Err(io::Error::other(format!(
            "it is a symbolic link to {}, which others can replace",
            target.display()
        )));
    }
    match target.symlink_metadata() {
        Ok(metadata) if metadata.is_symlink() => Err(io::Error::other("it is a symbolic link to a symbolic link")),
        Ok(metadata) if !is_ours(&metadata) => Err(io::Error::other("it is a symbolic link to another user's file")),
        Ok(_) => Ok(target),
        Err(error) => Err(io::Error::other(format!("it is a symbolic link to {}: {error}", target.display()))),
    }
}

#[cfg(not(unix))]
fn resolve_link(path: &Path) -> io::Result<PathBuf> {
    Ok(path.to_owned())
}

/// Removes the access of others to a file, or their write access to a folder; they may still list a folder. A file of
/// another user is rejected, because that user could plant a token there.
#[cfg(unix)]
fn restrict_mode(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let metadata = fs::metadata(path)?;
    if metadata.uid() != geteuid().as_raw() {
        return Err(io::Error::other("it belongs to another user"));
    }
    let forbidden = if metadata.is_dir() { 0o022 } else { 0o077 };
    if metadata.mode() & forbidden == 0 {
        return Ok(());
    }
    let access = if metadata.is_dir() { "write to" } else { "read" };
    let (name, before) = (path.display(), metadata.mode() & 0o777);
    _ = fs::set_permissions(path, fs::Permissions::from_mode(mode));
    // File systems without modes (vfat, drvfs, CIFS) accept the call and change nothing, or refuse it.
    if fs::metadata(path)?.mode() & forbidden == 0 {
        log::warn!("other users could {access} {name} (mode {before:o}); its mode is now {mode:o}");
    } else if warn_once_of_modes(path) {
        log::warn!("other users may {access} {name} (mode {before:o}): its file system does not support file modes");
    }
    Ok(())
}

/// Returns whether this is the first warning about a folder whose file system does not support file modes. A mail
/// program would repeat it every few minutes.
#[cfg(unix)]
fn warn_once_of_modes(path: &Path) -> bool {
    let folder = if path.is_dir() { path } else { folder_of(path) };
    OpenOptions::new().write(true).create_new(true).open(folder.join("warned_of_modes")).is_ok()
}

#[cfg(not(unix))]
fn restrict_mode(_: &Path, _: u32) -> io::Result<()> {
    Ok(()) // the folder is in the user's profile, whose access control list does the same
}

/// A digest of a file's metadata, which identifies its content: a file that was replaced or written has another one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FileId(pub(crate) [u8; 8]);

impl FileId {
    /// Returns None if there is no file.
    #[cfg(unix)]
    pub(crate) fn of(path: &Path) -> Option<Self> {
        use std::os::unix::fs::MetadataExt as _;
        let file = fs::metadata(path).ok()?;
        let mut digest = Sha256::new();
        digest.update(file.dev().to_be_bytes());
        digest.update(file.ino().to_be_bytes());
        digest.update(file.size().to_be_bytes());
        for time in [file.mtime(), file.mtime_nsec(), file.ctime(), file.ctime_nsec()] {
            digest.update(time.to_be_bytes());
        }
        digest.finalize().first_chunk().copied().map(Self)
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
    let (user, group) = (geteuid().as_raw(), rustix::process::getegid().as_raw());
    let is_waived = is_check_waived(path);
    let check = |what: &Path, metadata: &fs::Metadata, is_sticky: bool| {
        let (mode, owner) = (metadata.mode(), metadata.uid());
        if owner != user && owner != 0 && !(is_waived && owner == overflow_user()) {
            return Err(format!("{} belongs to another user", what.display()));
        }
        let others_can_write = mode & 0o002 != 0 || mode & 0o020 != 0 && metadata.gid() != group && metadata.gid() != 0;
        if others_can_write && !is_sticky && !is_waived {
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

/// Returns the command that makes a file acceptable to [`ensure_trusted`], unless another user owns it.
pub(crate) fn trust_command(file: &Path) -> String {
    let [file, folder] = [file, folder_of(file)].map(|path| for_shell(&path.to_string_lossy()));
    format!("chmod go-w {file} {folder}")
}

/// Returns what the user can do about a file that cannot be read.
pub(crate) fn check_permissions(file: &Path) -> String {
    format!("check the permissions: `ls -l {}`", for_shell(&file.to_string_lossy()))
}

/// Returns whether `M365AUTH_TRUST_CONFIG` names this file, because its file system does not support file modes, or a
/// container maps its owner to the overflow user. Such a file is not trusted automatically: a read-only mount may be
/// writable elsewhere, and the overflow user stands for every user that is not mapped.
pub(crate) fn is_check_waived(path: &Path) -> bool {
    std::env::var_os("M365AUTH_TRUST_CONFIG").is_some_and(|trusted| trusted == path.as_os_str())
}

/// The user ID that a user namespace shows for users that it does not map (user_namespaces(7)).
#[cfg(unix)]
fn overflow_user() -> u32 {
    const DEFAULT: u32 = 65_534;
    let text = fs::read_to_string("/proc/sys/fs/overflowuid").unwrap_or_default();
    text.trim().parse().unwrap_or(DEFAULT)
}
