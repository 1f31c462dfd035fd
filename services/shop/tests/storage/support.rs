//! What the tests have in common: a server's data, signals, and a shop in another process.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;
use shardcart_harness::processes::child::Child;
use shardcart_shop::data_dir::DataDir;
use shardcart_shop::redis_servers::{Fsync, RedisServers};
use tempfile::{TempDir, tempdir};

pub const REDIS: &str = "redis-server";

/// Tells this program to be a shop for other tests: the data directory and the program to start.
const SHOP_DATA_DIR: &str = "TEST_SHOP_DATA_DIR";
const SHOP_PROGRAM: &str = "TEST_SHOP_PROGRAM";

pub fn temp_dir() -> TempDir {
    tempdir().expect("a directory for the test")
}

pub fn open(dir: &TempDir) -> DataDir {
    DataDir::open(dir.path(), 1).expect("a data directory that is free")
}

/// Starts servers in a data directory that is locked only until they run: dropped or forgotten,
/// they leave it to the next start.
pub fn start(dir: &TempDir) -> RedisServers {
    RedisServers::start(&open(dir), REDIS, Fsync::Everysec).expect("servers that start")
}

pub fn socket(dir: &TempDir, server: &str) -> PathBuf {
    dir.path().join(server).join("redis.sock")
}

/// Runs one command on a server that is ready.
pub fn query<T: redis::FromRedisValue>(socket: &Path, command: &[&str]) -> T {
    try_query(socket, command).expect("an answer")
}

pub fn is_ready(socket: &Path) -> bool {
    try_query::<()>(socket, &["PING"]).is_ok()
}

fn try_query<T: redis::FromRedisValue>(socket: &Path, command: &[&str]) -> redis::RedisResult<T> {
    let client = redis::Client::open(format!("unix:{}", socket.display()))?;
    let mut words = redis::cmd(command[0]);
    words.arg(&command[1..]);
    words.query(&mut client.get_connection()?)
}

pub fn setting(socket: &Path, name: &str) -> String {
    let (_, value): (String, String) = query(socket, &["CONFIG", "GET", name]);
    value
}

pub fn remember(dir: &TempDir, server: &str, value: &str) {
    query::<()>(&socket(dir, server), &["SET", "remembered", value]);
}

pub fn remembered(dir: &TempDir, server: &str) -> Option<String> {
    query(&socket(dir, server), &["GET", "remembered"])
}

/// Gives stock-0 something to load.
pub fn fill(dir: &TempDir, keys: usize) {
    let script = "for n = 1, ARGV[1] do redis.call('SET', 'key:' .. n, n) end";
    let command = ["EVAL", script, "0", &keys.to_string()];
    query::<()>(&socket(dir, "stock-0"), &command);
}

pub fn keys(dir: &TempDir, server: &str) -> usize {
    query(&socket(dir, server), &["DBSIZE"])
}

pub fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(pid.try_into().expect("a process id"));
    signal::kill(pid, signal).expect("a process of this test");
}

/// Whether one of the processes still runs. One that has ended does not, although nobody has
/// waited for it yet.
pub fn any_runs(pids: &[u32]) -> bool {
    let runs = |pid| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with(['Z', 'X']))
    };
    pids.iter().any(runs)
}

/// Waits until something is so; the test fails where that takes too long.
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}: not in time");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A Redis server that no shop has started, with its data in `dir`.
pub fn foreign_redis(socket: &Path, dir: &Path, settings: &[&str]) -> Child {
    let mut command = Command::new(REDIS);
    command.args(["--port", "0", "--save", "", "--unixsocket"]).arg(socket);
    command.arg("--dir").arg(dir).args(settings).stdout(Stdio::null());
    let started = Child::start(command, Signal::SIGKILL);
    eventually("a server started by hand", || socket.exists());
    started
}

/// A shop in a process of its own, which a test can kill. It ends by itself after a minute.
pub struct OtherShop {
    process: Child,
    pub pids: Vec<u32>,
}

impl OtherShop {
    /// Returns when its servers are ready.
    pub fn start(dir: &TempDir, program: &Path) -> Self {
        let mut command = Command::new(env::current_exe().expect("this program"));
        command.args(["--exact", "support::shop_for_other_tests", "--nocapture"]);
        command.env(SHOP_DATA_DIR, dir.path()).env(SHOP_PROGRAM, program);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = Child::start(command, Signal::SIGKILL);

        let said = BufReader::new(process.take_stdout().expect("a pipe"));
        let ready = |line: String| Some(line.split_once("pids ")?.1.to_owned());
        let pids = said.lines().map_while(Result::ok).find_map(ready).expect("servers that start");
        let pids = pids.split(' ').map(|pid| pid.parse().expect("a process id")).collect();
        Self { process, pids }
    }

    /// Ends it without warning, and returns what it has said on stderr.
    pub fn kill(mut self) -> String {
        self.process.kill();
        let mut said = String::new();
        let mut stderr = self.process.take_stderr().expect("a pipe");
        stderr.read_to_string(&mut said).expect("text");
        said
    }
}

/// No test, but what `OtherShop` runs.
#[test]
fn shop_for_other_tests() {
    let (Some(dir), Some(program)) = (env::var_os(SHOP_DATA_DIR), env::var_os(SHOP_PROGRAM)) else {
        return;
    };
    let data_dir = DataDir::open(dir, 1).unwrap();
    let servers = RedisServers::start(&data_dir, program, Fsync::Always).unwrap();
    let pids: Vec<String> = servers.pids().iter().map(u32::to_string).collect();
    println!("pids {}", pids.join(" "));
    thread::sleep(Duration::from_secs(60));
}
