//! A real `redis-server` that can be killed, paused, restarted and emptied.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, Client, cmd};
use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::network::ports;
use crate::processes::child::Child;
use crate::processes::dirs;
use crate::redis::clock::Clock;
use crate::redis::disk::Disk;
use crate::wait::eventually;

/// How long Redis may take to start, to end or to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// When Redis calls fsync.
///
/// What was acknowledged survives the death of the Redis *process* with the first and the last: it
/// has been written to the operating system before the reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lower")]
pub enum Fsync {
    /// Before each answer.
    Always,
    /// Every second.
    EverySec,
    /// When the system likes: faster, for tests in which no power fails.
    #[value(help = "When the system likes")]
    No,
}

impl Fsync {
    /// The value of Redis' setting `appendfsync`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Fsync::Always => "always",
            Fsync::EverySec => "everysec",
            Fsync::No => "no",
        }
    }
}

/// How a server is started that listens on one port of 127.0.0.1, keeps all that it is told in an append-only file in its
/// working directory, and evicts by `policy`.
pub fn command(program: &Path, port: u16, fsync: Fsync, policy: &str) -> Command {
    let mut command = Command::new(program);
    command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", ""]).args([
        "--appendonly",
        "yes",
        "--appendfsync",
        fsync.as_str(),
        "--maxmemory-policy",
        policy,
    ]);
    command
}

/// Whether every server is a cluster of its own: then no script may touch keys of two shards.
fn is_cluster() -> bool {
    std::env::var_os("SHARDCART_TEST_CLUSTER").is_some_and(|value| value == "1")
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
    disk: Option<Disk>,
    clock: Option<Clock>,
    is_cluster: bool,
}

impl RedisServer {
    /// Starts an empty server that calls fsync before every reply and evicts nothing.
    pub async fn start() -> RedisServer {
        RedisServer::start_with(Fsync::Always, "noeviction").await
    }

    /// Starts an empty server with this `maxmemory-policy`.
    pub async fn start_with(fsync: Fsync, policy: &'static str) -> RedisServer {
        RedisServer::launch(fsync, policy, None, None).await
    }

    /// Starts an empty server on a disk whose power can be cut.
    pub async fn start_on(disk: Disk, fsync: Fsync) -> RedisServer {
        RedisServer::launch(fsync, "noeviction", Some(disk), None).await
    }

    /// Starts an empty server with a clock that can be set.
    pub async fn start_by(clock: Clock, fsync: Fsync) -> RedisServer {
        RedisServer::launch(fsync, "noeviction", None, Some(clock)).await
    }

    /// Starts an empty server that is a cluster of its own.
    pub async fn start_as_cluster() -> RedisServer {
        let mut server = RedisServer::start().await;
        server.is_cluster = true;
        server.wipe();
        server.restart().await;
        server
    }

    async fn launch(fsync: Fsync, policy: &'static str, disk: Option<Disk>, clock: Option<Clock>) -> RedisServer {
        let dir = dirs::temporary("redis");
        let mut server =
            RedisServer { child: None, port: ports::free(), fsync, policy, dir, disk, clock, is_cluster: is_cluster() };
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
        let mut command = command(Path::new("redis-server"), self.port, self.fsync, self.policy);
        command
            .args(["--logfile", "redis.log"])
            // A replica that asks for a copy gets it at once.
            .args(["--repl-diskless-sync-delay", "0"])
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        if self.is_cluster {
            // The port of the cluster's bus is free, too: nobody else has asked for it.
            let bus = ports::free().to_string();
            command.args(["--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf", "--cluster-port", &bus]);
        }
        if let Some(disk) = &self.disk {
            disk.put_under(&mut command);
        }
        if let Some(clock) = &self.clock {
            clock.put_into(&mut command);
        }
        self.child = Some(Child::start(command, Signal::SIGKILL));
        eventually("redis-server answers", PATIENCE, async || {
            let client = Client::open(self.url()).ok()?;
            let mut connection = client.get_multiplexed_async_connection().await.ok()?;
            cmd("PING").query_async::<()>(&mut connection).await.ok()
        })
        .await;
        if self.is_cluster {
            self.own_all_slots().await;
        }
    }

    /// Makes it a cluster of one server, if it is none yet.
    async fn own_all_slots(&self) {
        let connection = self.connection().await;
        eventually("the cluster is there", PATIENCE, async || {
            let mut connection = connection.clone();
            let info: String = cmd("CLUSTER").arg("INFO").query_async(&mut connection).await.ok()?;
            if info.contains("cluster_state:ok") {
                return Some(());
            }
            if info.contains("cluster_slots_assigned:0") {
                let mut add = cmd("CLUSTER");
                add.arg("ADDSLOTSRANGE").arg(0).arg(16_383);
                add.query_async::<()>(&mut connection).await.ok()?;
            }
            None
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

    /// The disk that it was started on.
    pub fn disk(&self) -> &Disk {
        self.disk.as_ref().expect("the server was started on a disk")
    }

    /// The clock that it was started with.
    pub fn clock(&self) -> &Clock {
        self.clock.as_ref().expect("the server was started with a clock")
    }

    /// Where its append-only file is.
    pub fn log_dir(&self) -> PathBuf {
        self.dir.path().join("appendonlydir")
    }

    /// Kills it and takes from its files what had not been synced. Returns how many bytes that was.
    pub fn cut_power(&mut self) -> u64 {
        self.kill9();
        self.disk().cut_power(&self.log_dir())
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

    /// Starts an empty server that is a replica of `primary`, and returns when it has all that is there.
    pub async fn start_replica_of(primary: &RedisServer) -> RedisServer {
        let replica = RedisServer::start_with(primary.fsync, primary.policy).await;
        replica.follow(primary).await;
        replica
    }

    /// Makes it a replica of `primary`, and returns when it has all that is there.
    pub async fn follow(&self, primary: &RedisServer) {
        self.tell(&["REPLICAOF", "127.0.0.1", &primary.port.to_string()]).await;
        let online = format!("port={},state=online", self.port);
        eventually("the replica is online", PATIENCE, async || {
            (primary.replication().await.contains(&online)
                && self.replication().await.contains("master_link_status:up"))
            .then_some(())
        })
        .await;
    }

    /// Waits until a replica has all that `primary` has. Nothing may be written meanwhile.
    pub async fn has_all_of(&self, primary: &RedisServer) {
        eventually("the replica has everything", PATIENCE, async || {
            let (theirs, ours) = (primary.replication().await, self.replication().await);
            (offset(&theirs, "master_repl_offset:") == offset(&ours, "slave_repl_offset:")).then_some(())
        })
        .await;
    }

    /// Cuts a replica off from its primary: it stays a replica, and keeps what it has got so far.
    pub async fn cut_off(&self) {
        // Nobody listens there.
        self.tell(&["REPLICAOF", "127.0.0.1", "1"]).await;
    }

    /// Makes a replica a primary, with what it has got so far.
    pub async fn promote(&self) {
        self.tell(&["REPLICAOF", "NO", "ONE"]).await;
    }

    async fn replication(&self) -> String {
        let mut info = cmd("INFO");
        info.arg("replication");
        info.query_async(&mut self.connection().await).await.expect("a running Redis tells of its replication")
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

/// How far the stream of changes has come, from what a server tells of its replication.
fn offset(replication: &str, field: &str) -> u64 {
    let line = replication.lines().find_map(|line| line.strip_prefix(field));
    line.and_then(|offset| offset.trim().parse().ok()).unwrap_or_else(|| panic!("no {field} in {replication}"))
}

/// Connects to any Redis server, with more patience than a service has.
pub async fn connect(url: &str) -> MultiplexedConnection {
    let config =
        AsyncConnectionConfig::new().set_connection_timeout(Some(PATIENCE)).set_response_timeout(Some(PATIENCE));
    let client = Client::open(url).unwrap_or_else(|error| panic!("{url}: {error}"));
    let connected = client.get_multiplexed_async_connection_with_config(&config).await;
    connected.unwrap_or_else(|error| panic!("{url}: {error}"))
}
