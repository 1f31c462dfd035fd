//! Where processes under test keep their data and their logs.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use tempfile::{Builder, TempDir};

static KEPT: OnceLock<PathBuf> = OnceLock::new();

/// A directory for one process. It is removed when dropped, unless [`keep_in`] was called before.
pub fn temporary(name: &str) -> TempDir {
    let mut builder = Builder::new();
    let prefix = format!("{name}-");
    builder.prefix(&prefix);
    let made = match KEPT.get() {
        Some(kept) => builder.disable_cleanup(true).tempdir_in(kept),
        None => builder.tempdir(),
    };
    made.expect("a temporary directory can be made")
}

/// From now on all directories are made in this one, and stay when their processes have ended.
///
/// # Panics
/// When it is called twice.
pub fn keep_in(dir: &Path) {
    KEPT.set(dir.to_owned()).expect("directories are kept in one place");
}

/// Empties the logs in the kept directories; processes write on. For a long run in which nothing has gone wrong so far.
pub fn empty_logs() {
    let Some(kept) = KEPT.get() else { return };
    let dirs = fs::read_dir(kept).into_iter().flatten().flatten();
    for log in dirs.flat_map(|dir| ["stdout", "stderr", "redis.log"].map(|name| dir.path().join(name))) {
        // Not every directory has each of these.
        if let Ok(log) = File::options().write(true).open(log) {
            let _ = log.set_len(0);
        }
    }
}
