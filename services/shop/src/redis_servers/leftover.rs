//! Stops servers that an earlier shop has left behind, so that no two ever write the same files.

use std::fs::{self, File, TryLockError};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::probe;
use super::server::Home;
use crate::start_error::StartError;

/// How long a server may take to write out its data and exit.
const PATIENCE: Duration = Duration::from_secs(10);

/// Takes the lock of every home; where a server still runs, asks it to stop and waits for its end.
///
/// No live shop has these servers: the caller holds the lock of the data directory.
pub(super) fn take_over(homes: &[Home]) -> Result<Vec<File>, StartError> {
    let locks: Vec<File> = homes.iter().map(Home::open_lock).collect::<Result<_, _>>()?;
    let deadline = Instant::now() + PATIENCE;
    let mut told = false;
    loop {
        // All are asked in each round, so that they stop at the same time.
        let mut occupied = None;
        for (home, lock) in homes.iter().zip(&locks) {
            if is_occupied(home, lock)? {
                occupied = Some(home);
            }
        }
        match occupied {
            None => return Ok(locks),
            Some(home) if Instant::now() >= deadline => {
                return Err(StartError::LeftoverStays { dir: home.dir().to_owned() });
            }
            Some(_) if !told => {
                log::info!("Redis servers that an earlier shop left behind are stopped first.");
                told = true;
            }
            Some(_) => thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// Whether a server may still write to a home. If one does, it has been asked to stop.
fn is_occupied(home: &Home, lock: &File) -> Result<bool, StartError> {
    // Both are needed. The lock tells of a server that has no socket any more, or none yet. The
    // socket tells of one that was started by hand, or where locks do not reach (network filesystems).
    let answers = asked_to_stop(home)?;
    match lock.try_lock() {
        Ok(()) => Ok(answers),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(cause)) => Err(StartError::Io { doing: "lock", path: home.dir().to_owned(), cause }),
    }
}

/// Asks a server to stop if one listens on a home's socket, and tells whether one did.
fn asked_to_stop(home: &Home) -> Result<bool, StartError> {
    let mut connection = match probe::connect(&home.socket()) {
        Err(error) if error.is_connection_refusal() => return Ok(false),
        // Too busy to answer, or gone this very moment: the next round will tell.
        Err(_) => return Ok(true),
        Ok(connection) => connection,
    };
    let Ok((_, dir)) = redis::cmd("CONFIG").arg("GET").arg("dir").query::<(String, String)>(&mut connection) else {
        return Ok(true);
    };
    if !is_same_dir(Path::new(&dir), home.dir()) {
        return Err(StartError::ForeignServer { socket: home.socket(), dir });
    }
    // It saves its data and hangs up instead of answering. Whether it is gone, the next round tells.
    redis::cmd("SHUTDOWN").exec(&mut connection).ok();
    Ok(true)
}

fn is_same_dir(one: &Path, other: &Path) -> bool {
    matches!((fs::canonicalize(one), fs::canonicalize(other)), (Ok(one), Ok(other)) if one == other)
}
