//! A real `redis-server` that can be killed, paused, restarted and emptied.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, Client, cmd};
use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::child::Child;
use crate::dirs;
use crate::ports;
use crate::wait::eventually;

/// How long Redis may take to start, to end or to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// When Redis calls fsync.
///
/// What was acknowledged survives the death of the Redis *process* with both: it has been written
/// to the operating system before the reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fsync {
    /// Before every reply, as in production.
    Always,
    /// Never: faster, for tests in which no power fails.
    No,
}

/// A Redis server on a port of its own, with its data in a directory of its own; ended when
/// dropped.
#[derive(Debug)]
pub struct RedisServer {
    child: Option<Child>,
    port: u16,
    fsync: Fsync,
    policy: &'static str,
    dir: TempDir,
}

impl RedisServer {
    /// Starts an empty server that calls fsync before every reply and evicts nothing.
    pub async fn start() -> RedisServer {
        RedisServer::start_with(Fsync::Always, "noeviction").await
    }

    /// Starts an empty server with this `maxmemory-policy`.
    pub async fn start_with(fsync: Fsync, policy: &'static str) -> RedisServer {
        let dir = dirs::temporary("redis");
        let mut server = RedisServer { child: None, port: ports::free(), fsync, policy, dir };
        server.restart().await;
        server
    }

    /// Starts as many servers as a service has shards.
    pub async fn start_many(count: usize) -> Vec<RedisServer> {
        futures_util::future::join_all((0..count).map(|_| RedisServer::start())).await
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `host:port`, as in `REDIS_ADDRS`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The address as the `redis` crate wants it.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address())
    }

    /// Starts it again (ending it first if it runs) on the same port, with the data that it left.
    pub async fn restart(&mut self) {
        self.stop().await;
        let fsync = match self.fsync {
            Fsync::Always => "always",
            Fsync::No => "no",
        };
        let mut command = Command::new("redis-server");
        command
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"])
            .args(["--port", &self.port.to_string(), "--appendfsync", fsync])
            .args(["--maxmemory-policy", self.policy, "--logfile", "redis.log"])
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        self.child = Some(Child::start(command, Signal::SIGKILL));
        eventually("redis-server answers", PATIENCE, async || {
            let client = Client::open(self.url()).ok()?;
            let mut connection = client.get_multiplexed_async_connection().await.ok()?;
            cmd("PING").query_async::<()>(&mut connection).await.ok()
        })
        .await;
    }

    /// Ends it in good order (SIGTERM); nothing happens when it does not run.
    pub async fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.signal(Signal::SIGTERM);
            let ended = child.ended(PATIENCE).await;
            assert!(ended.is_some(), "redis-server does not end; is it paused?");
        }
    }

    /// Kills it without warning and returns when it is gone.
    pub fn kill9(&mut self) {
        self.child = None;
    }

    /// Stops it from running on: it keeps its connections and accepts new ones, but is silent.
    pub fn pause(&self) {
        self.running().signal(Signal::SIGSTOP);
    }

    /// Lets it run on; what was sent to it meanwhile is carried out.
    pub fn resume(&self) {
        self.running().signal(Signal::SIGCONT);
    }

    /// Whether it runs; a paused server does.
    pub fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| child.status().is_none())
    }

    /// Sends it one command.
    pub async fn tell(&self, command: &[&str]) {
        let done: ::redis::RedisResult<::redis::Value> =
            cmd(command[0]).arg(&command[1..]).query_async(&mut self.connection().await).await;
        done.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    }

    /// Changes one of its settings until its next start.
    pub async fn set(&self, name: &str, value: &str) {
        self.tell(&["CONFIG", "SET", name, value]).await;
    }

    /// The size of the file to which it appends, in bytes.
    pub fn file_size(&self) -> u64 {
        let files = fs::read_dir(self.dir.path().join("appendonlydir")).expect("a server that runs appends to files");
        let size = |file: fs::DirEntry| {
            let appended = file.file_name().to_string_lossy().ends_with(".incr.aof");
            appended.then(|| file.metadata().map_or(0, |data| data.len()))
        };
        files.flatten().filter_map(size).max().unwrap_or_default()
    }

    /// Lets none of its files grow beyond so many bytes, until its next start or `None`: as if the disk were full.
    pub fn limit_file(&self, bytes: Option<u64>) {
        let Some(child) = self.child.as_ref() else { return };
        let pid = i32::try_from(child.id()).expect("process ids fit into an i32");
        let hard = rlimit::INFINITY;
        let limit = Some((bytes.unwrap_or(hard), hard));
        // One that has ended has no limits: it gets none with its next start.
        let _ = rlimit::prlimit(pid, rlimit::Resource::FSIZE, limit, None);
    }

    /// Kills it and removes its data: the next [`RedisServer::restart`] finds nothing.
    pub fn wipe(&mut self) {
        self.kill9();
        let entries = fs::read_dir(self.dir.path()).expect("the directory of the server is there");
        for entry in entries {
            let path = entry.expect("a directory that nobody changes can be listed").path();
            let removed = match path.is_dir() {
                true => fs::remove_dir_all(&path),
                false => fs::remove_file(&path),
            };
            removed.expect("files of an ended server can be removed");
        }
    }

    /// A connection of the caller's own.
    pub async fn connection(&self) -> MultiplexedConnection {
        connect(&self.url()).await
    }

    fn running(&self) -> &Child {
        self.child.as_ref().expect("the server has been started and not ended")
    }
}

/// Connects to any Redis server, with more patience than a service has.
pub async fn connect(url: &str) -> MultiplexedConnection {
    let config =
        AsyncConnectionConfig::new().set_connection_timeout(Some(PATIENCE)).set_response_timeout(Some(PATIENCE));
    let client = Client::open(url).unwrap_or_else(|error| panic!("{url}: {error}"));
    let connected = client.get_multiplexed_async_connection_with_config(&config).await;
    connected.unwrap_or_else(|error| panic!("{url}: {error}"))
}
