//! The directory that holds everything a shop stores: one directory for each of its Redis servers,
//! and a lock that keeps a second shop out.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use nix::unistd::{AccessFlags, access};

use crate::start_error::StartError;

/// The services that have shards of their own, as their directories are named.
pub const SERVICES: [&str; 3] = ["order", "stock", "payment"];

/// The name of a server's socket in its directory.
pub(crate) const SOCKET: &str = "redis.sock";

/// What the system's `sockaddr_un` has room for, without the zero at its end.
const SOCKET_PATH_BYTES_MAX: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// How long a lock may take to become free: a shop that was killed a moment ago is still being
/// taken down by the system.
const LOCK_PATIENCE: Duration = Duration::from_millis(500);

/// A data directory that is ours alone for as long as this value lives.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    shards_per_service: u16,
    /// Held, never read: closing it lets the next shop in.
    _lock: File,
}

impl DataDir {
    /// Takes a data directory for this process, and creates it if it is missing.
    ///
    /// # Errors
    /// Each one is a refusal that has left everything as it was; what it says is what to do.
    pub fn open(path: impl AsRef<Path>, shards_per_service: u16) -> Result<Self, StartError> {
        // Absolute, yet not resolved: a short symbolic link is a way to a short socket path.
        let path = std::path::absolute(&path).map_err(StartError::io("use", path.as_ref()))?;
        check_socket_paths(&path, shards_per_service)?;
        check_writable(&path)?;
        check_shards(&path, shards_per_service)?;

        create_dir(&path)?;
        let lock = take_lock(&path)?;
        // Once more under the lock: another shop may have been here in between.
        check_shards(&path, shards_per_service)?;
        Ok(Self { path, shards_per_service, _lock: lock })
    }

    /// The directory, as an absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many shards each service has.
    pub fn shards_per_service(&self) -> u16 {
        self.shards_per_service
    }

    /// Where shard `shard` of `service` keeps its data; it may not exist yet.
    pub fn server_dir(&self, service: &str, shard: u16) -> PathBuf {
        self.path.join(server_name(service, shard))
    }
}

/// Where a shop that runs on a data directory says at which URL it is open.
fn url_file(path: &Path) -> PathBuf {
    path.join("url")
}

/// Notes at which URL the shop on a data directory is open, for the commands that look at it. Only its owner can read
/// it, and it is no loss if it cannot be written: those commands then look at the shards.
pub fn note_url(path: &Path, url: &str) {
    if let Err(error) = fs::write(url_file(path), url) {
        log::warn!(error:%; "the shop's URL cannot be noted in its data directory");
    }
}

/// Whether a shop runs on a data directory.
pub fn is_in_use(path: &Path) -> bool {
    let lock = OpenOptions::new().read(true).write(true).open(path.join("lock"));
    lock.is_ok_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock)))
}

/// The shop on a data directory is not open any more.
pub fn forget_url(path: &Path) {
    // One that is not there is forgotten.
    let _ = fs::remove_file(url_file(path));
}

/// The URL at which the shop on a data directory is open, if it has noted one. After it was killed this is out of date.
pub fn noted_url(path: &Path) -> Option<String> {
    fs::read_to_string(url_file(path)).ok().filter(|url| url.starts_with("http://"))
}

/// What a server and its directory are called: `stock-0`.
pub(crate) fn server_name(service: &str, shard: u16) -> String {
    format!("{service}-{shard}")
}

/// Creates a directory that only its owner may enter, and makes its name outlast a power failure.
/// One that exists stays as it is.
pub(crate) fn create_dir(path: &Path) -> Result<(), StartError> {
    use std::os::unix::fs::DirBuilderExt;

    let Some(parent) = path.parent().filter(|_| !path.is_dir()) else {
        return Ok(());
    };
    create_dir(parent)?;
    // `recursive`, so that it is no error if somebody else creates it at this moment.
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(StartError::io("create", path))?;
    sync_dir(parent)
}

/// Makes the names in a directory outlast a power failure: syncing the files in it does not.
pub(crate) fn sync_dir(path: &Path) -> Result<(), StartError> {
    let synced = File::open(path).and_then(|dir| dir.sync_all());
    synced.or_else(|cause| match cause.kind() {
        // Some filesystems sync no directories, and one that we may write to need not be readable.
        io::ErrorKind::InvalidInput | io::ErrorKind::PermissionDenied => Ok(()),
        _ => Err(StartError::io("sync", path)(cause)),
    })
}

/// Opens the lock file in `dir`, created if missing, without taking the lock.
pub(crate) fn open_lock(dir: &Path) -> Result<File, StartError> {
    let path = dir.join("lock");
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&path)
        .map_err(StartError::io("open", path))
}

fn check_socket_paths(path: &Path, shards_per_service: u16) -> Result<(), StartError> {
    let last = shards_per_service.checked_sub(1).ok_or(StartError::NoShards)?;
    if path.to_str().is_none() {
        return Err(StartError::NotUtf8(path.to_owned()));
    }
    let sockets = SERVICES.map(|service| path.join(server_name(service, last)).join(SOCKET));
    let lengths = sockets.map(|socket| (socket.as_os_str().len(), socket));
    let limit = SOCKET_PATH_BYTES_MAX;
    match lengths.into_iter().max() {
        Some((length, socket)) if length > limit => Err(StartError::PathTooLong { socket, length, limit }),
        _ => Ok(()),
    }
}

/// Whether files can be created in `path`, or `path` itself, without trying it.
fn check_writable(path: &Path) -> Result<(), StartError> {
    let nearest = path.ancestors().find(|dir| dir.exists()).unwrap_or(path);
    if !nearest.is_dir() {
        return Err(StartError::NotADirectory(nearest.to_owned()));
    }
    access(nearest, AccessFlags::W_OK | AccessFlags::X_OK)
        .map_err(|errno| StartError::NotWritable { path: nearest.to_owned(), cause: errno.into() })
}

fn check_shards(path: &Path, wanted: u16) -> Result<(), StartError> {
    let had = shards_in(path).map_err(StartError::io("list", path))?;
    if had > usize::from(wanted) {
        return Err(StartError::FewerShards { path: path.to_owned(), had, wanted });
    }
    Ok(())
}

/// How many shards each service has in a data directory; 0 where there is no data.
///
/// # Errors
/// The directory cannot be read.
pub fn shards_of(path: &Path) -> Result<u16, StartError> {
    let shards = shards_in(path).map_err(StartError::io("list", path))?;
    Ok(u16::try_from(shards).unwrap_or(u16::MAX))
}

/// The addresses at which a shop's own Redis servers listen while it runs, in the order of their shards.
pub fn addresses(path: &Path, service: &str, shards: u16) -> Vec<String> {
    let socket = |shard| path.join(server_name(service, shard)).join(SOCKET);
    (0..shards).map(|shard| format!("unix:{}", socket(shard).display())).collect()
}

/// How many shards a service has in a data directory: by its highest number, so that a directory
/// that has gone missing does not make the rest look like fewer.
fn shards_in(path: &Path) -> io::Result<usize> {
    let entries = match fs::read_dir(path) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    let mut shards = 0;
    for entry in entries {
        let entry = entry?;
        if let Some(shard) = entry.file_name().to_str().and_then(shard_of)
            && entry.path().is_dir()
        {
            shards = shards.max(usize::from(shard) + 1);
        }
    }
    Ok(shards)
}

/// The shard number in a directory's name, if it is one that we give.
fn shard_of(name: &str) -> Option<u16> {
    let (service, number) = name.split_once('-')?;
    let shard = number.parse().ok()?;
    // `stock-01` and `stock-+1` are read as 1, and are not ours.
    (SERVICES.contains(&service) && name == server_name(service, shard)).then_some(shard)
}

fn take_lock(path: &Path) -> Result<File, StartError> {
    let lock = open_lock(path)?;
    let deadline = Instant::now() + LOCK_PATIENCE;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(TryLockError::Error(cause)) => {
                return Err(StartError::Io { doing: "lock", path: path.join("lock"), cause });
            }
            Err(TryLockError::WouldBlock) if Instant::now() >= deadline => {
                return Err(StartError::InUse(path.to_owned()));
            }
            Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(10)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shard_of_takes_only_the_names_that_we_give() {
        for (name, shard) in [("order-0", Some(0)), ("stock-17", Some(17)), ("payment-65535", Some(65535))] {
            assert_eq!(shard_of(name), shard, "{name}");
        }
        for name in ["stock-01", "stock-+1", "stock-", "stock", "stock-65536", "stock-0.old", "user-0", "lock"] {
            assert_eq!(shard_of(name), None, "{name}");
        }
    }
}
