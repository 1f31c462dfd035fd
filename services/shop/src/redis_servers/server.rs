//! One Redis server: where its data is, how it is started, and how its process ends.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Fsync, spawner};
use crate::data_dir::{DataDir, SOCKET, create_dir, open_lock, server_name};
use crate::start_error::StartError;

/// A server that keeps exiting is not started more often than this.
const RESTART_EVERY: Duration = Duration::from_secs(1);

/// How much of a log is shown when its server has exited.
const TAIL_LINES: usize = 10;
const TAIL_BYTES: u64 = 4096;

/// What all servers are started with.
#[derive(Debug)]
pub(super) struct Launch {
    pub(super) program: OsString,
    pub(super) fsync: Fsync,
}

/// A server's directory, and what is in it.
#[derive(Debug)]
pub(super) struct Home {
    service: &'static str,
    name: String,
    dir: PathBuf,
}

impl Home {
    pub(super) fn new(data_dir: &DataDir, service: &'static str, shard: u16) -> Self {
        let (name, dir) = (server_name(service, shard), data_dir.server_dir(service, shard));
        Self { service, name, dir }
    }

    pub(super) fn create(&self) -> Result<(), StartError> {
        create_dir(&self.dir)
    }

    pub(super) fn service(&self) -> &'static str {
        self.service
    }

    /// What users and logs call the server: `stock-0`.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.dir.join(SOCKET)
    }

    pub(super) fn log(&self) -> PathBuf {
        self.dir.join("redis.log")
    }

    /// Opens the file whose lock says that a server runs here. It is not ours to hold: the server
    /// gets it as its stdin, so that it stays locked for exactly as long as the server's processes live.
    pub(super) fn open_lock(&self) -> Result<File, StartError> {
        open_lock(&self.dir)
    }
}

/// A server that was started, and may have exited since.
#[derive(Debug)]
pub(super) struct Server {
    home: Home,
    child: Child,
    /// Where in its log this start begins.
    log_from: u64,
    restart_from: Instant,
}

impl Server {
    /// Starts a server in a home whose lock has been taken. It is not ready yet.
    pub(super) fn start(home: Home, lock: File, launch: &Launch) -> Result<Self, StartError> {
        let (child, log_from) = spawn(&home, lock, launch)?;
        Ok(Self { home, child, log_from, restart_from: Instant::now() + RESTART_EVERY })
    }

    pub(super) fn home(&self) -> &Home {
        &self.home
    }

    pub(super) fn name(&self) -> &str {
        self.home.name()
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// An error with the end of the server's log if it has exited.
    pub(super) fn check_running(&mut self) -> Result<(), StartError> {
        match self.child.try_wait().map_err(StartError::io("wait for the server in", &self.home.dir))? {
            None => Ok(()),
            Some(status) => Err(StartError::Exited {
                name: self.name().to_owned(),
                status,
                log: self.home.log(),
                tail: tail(&self.home.log(), self.log_from),
            }),
        }
    }

    /// Starts the server again if it has exited and its last start is long enough ago.
    pub(super) fn restart_if_exited(&mut self, launch: &Launch) -> bool {
        let Err(exited) = self.check_running() else {
            return false;
        };
        if Instant::now() < self.restart_from {
            return false;
        }
        self.restart_from = Instant::now() + RESTART_EVERY;
        log::error!(server = self.name(); "{exited}");
        match self.restart(launch) {
            Ok(restarted) => restarted,
            Err(error) => {
                log::error!(server = self.name(), error:%; "A Redis server cannot be started again.");
                false
            }
        }
    }

    fn restart(&mut self, launch: &Launch) -> Result<bool, StartError> {
        let lock = self.home.open_lock()?;
        if lock.try_lock().is_err() {
            log::warn!(server = self.name(); "A child process of the Redis server still runs; its end is awaited.");
            return Ok(false);
        }
        (self.child, self.log_from) = spawn(&self.home, lock, launch)?;
        log::info!(server = self.name(), pid = self.pid(); "The Redis server is started again.");
        Ok(true)
    }

    /// Tells the server to write out its data and exit.
    pub(super) fn ask_to_stop(&mut self) {
        // Only while it runs: until it is waited for, nobody else can get its process id.
        if self.is_running()
            && let Ok(pid) = i32::try_from(self.pid())
            && let Err(errno) = kill(Pid::from_raw(pid), Signal::SIGTERM)
        {
            log::error!(server = self.name(), error:% = errno; "A Redis server cannot be told to stop.");
        }
    }

    /// Ends the server at once.
    pub(super) fn kill(&mut self) {
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait()) {
            log::error!(server = self.name(), error:%; "A Redis server cannot be killed.");
        }
    }
}

/// Starts a server's process; also tells where in its log that begins.
fn spawn(home: &Home, lock: File, launch: &Launch) -> Result<(Child, u64), StartError> {
    match fs::remove_file(home.socket()) {
        // Left by a server that was killed. Its path must not look like a server that listens.
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
            return Err(StartError::Io { doing: "remove", path: home.socket(), cause });
        }
        _ => {}
    }
    let cannot_log = || StartError::io("write", home.log());
    let log = OpenOptions::new().create(true).append(true).open(home.log()).map_err(cannot_log())?;
    let log_from = log.metadata().map_err(cannot_log())?.len();

    let mut command = Command::new(&launch.program);
    for [name, value] in settings(home, launch.fsync) {
        command.args([name, value]);
    }
    // What it says before it has read its settings, and whatever it starts says, goes to the log too.
    command.stdin(lock).stdout(log.try_clone().map_err(cannot_log())?).stderr(log);
    let child = spawner::spawn(command).map_err(StartError::io("start a Redis server in", home.dir()))?;
    Ok((child, log_from))
}

/// All that differs from what Redis does by itself, and what our promises rest on. There is no
/// configuration file.
fn settings(home: &Home, fsync: Fsync) -> Vec<[OsString; 2]> {
    fn set(name: &str, value: impl AsRef<OsStr>) -> [OsString; 2] {
        [name.into(), value.as_ref().to_owned()]
    }
    vec![
        set("--port", "0"),
        set("--unixsocket", home.socket()),
        set("--unixsocketperm", "700"),
        set("--daemonize", "no"),
        set("--dir", home.dir()),
        set("--logfile", home.log()),
        set("--appendonly", "yes"),
        set("--appendfsync", fsync.as_str()),
        // Also while the log is rewritten.
        set("--no-appendfsync-on-rewrite", "no"),
        // Half a command at the end was never acknowledged: it is cut off, and the server starts.
        set("--aof-load-truncated", "yes"),
        // A small log is not worth rewriting again and again: a rewrite costs more than the disk it saves.
        set("--auto-aof-rewrite-min-size", "256mb"),
        // A histogram of every command's time would be written in every call of a script.
        set("--latency-tracking", "no"),
        // What is held, and tombstones, are hashes in which each entry is looked for: one by one, as long as they are small.
        set("--hash-max-listpack-entries", "32"),
        // A second's tombstones go at once: in the background.
        set("--lazyfree-lazy-expire", "yes"),
        set("--save", ""),
        set("--maxmemory-policy", "noeviction"),
    ]
}

/// The last lines of a log from an offset on, indented.
fn tail(log: &Path, from: u64) -> String {
    let read = || -> io::Result<String> {
        let mut file = File::open(log)?;
        let from = from.max(file.metadata()?.len().saturating_sub(TAIL_BYTES));
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = read().unwrap_or_else(|cause| format!("cannot be read: {cause}"));
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(TAIL_LINES)..];
    last.iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tail_gives_the_last_lines_of_this_start_only() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("redis.log");
        let (before, since) = ("an earlier start\n", (1..=30).map(|n| format!("line {n}\n\n")).collect::<String>());
        fs::write(&log, format!("{before}{since}")).unwrap();

        let shown = tail(&log, before.len() as u64);
        assert_eq!(shown.lines().count(), TAIL_LINES);
        assert!(shown.starts_with("  line 21\n") && shown.ends_with("\n  line 30"), "{shown}");
        fs::write(&log, format!("{before}only line\n")).unwrap();
        assert_eq!(tail(&log, before.len() as u64), "  only line");
        assert!(tail(&dir.path().join("none"), 0).contains("cannot be read"));
    }
}
