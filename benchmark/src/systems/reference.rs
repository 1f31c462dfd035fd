//! What a machine is worth today: the CPU cost of a fixed loop of Redis scripts, and of bare HTTP requests.
//!
//! No code of Shardcart is in either, so that a change of Shardcart changes only what is compared with them.

use std::cell::Cell;
use std::path::Path;
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

use redis::Script;
use redis::aio::MultiplexedConnection;
use serde::{Deserialize, Serialize};
use shardcart_harness::Fsync;
use shardcart_harness::network::ports;
use shardcart_harness::processes::logged::Logged;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::measure::cpu::Watched;
use crate::measure::settle;
use crate::shop::client::{Client, Target};
use crate::systems::system::SystemArgs;

/// Calls of the script.
const CALLS: u32 = 40_000;

/// Calls that travel together, as those of concurrent checkouts do.
const TOGETHER: u32 = 16;

/// Bare requests, and the clients that send them.
const REQUESTS: u32 = 60_000;
const CLIENTS: u32 = 64;

/// A checkout is about seven scripts.
const SCRIPTS_A_CHECKOUT: f64 = 7.0;

/// How long one request may take, and the servers to start.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How often is looked whether a server listens.
const LOOK: Duration = Duration::from_millis(20);

/// Does what a reserve does: reads a record that is not there, the clock, and a stock; writes both.
const SCRIPT: &str = "
local seen = redis.call('HGET', KEYS[1], 'answer')
if seen then return seen end
local now = redis.call('TIME')
local item = redis.call('HMGET', KEYS[2], 'stock', 'held')
redis.call('HSET', KEYS[2], 'stock', (tonumber(item[1]) or 0) + 1, 'held', (tonumber(item[2]) or 0) + 1)
redis.call('HSET', KEYS[1], 'answer', 'HELD', 'deadline', now[1])
redis.call('PEXPIRE', KEYS[1], 70000)
return 'HELD'";

/// CPU time of the servers, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Reference {
    /// A call of the script with `appendfsync everysec`.
    pub script_everysec_us: f64,
    /// A call of the script with `appendfsync always`.
    pub script_always_us: f64,
    /// A bare HTTP request.
    pub http_us: f64,
}

impl Reference {
    /// Measures it.
    ///
    /// # Errors
    /// A server does not start, or stops answering.
    pub async fn measure(args: &SystemArgs) -> Result<Self, String> {
        let directory = args.directory()?;
        Ok(Self {
            script_everysec_us: scripts(args, directory.path(), Fsync::EverySec).await?,
            script_always_us: scripts(args, directory.path(), Fsync::Always).await?,
            http_us: requests(directory.path()).await?,
        })
    }

    /// What a checkout is compared with: its scripts and one request.
    pub fn checkout_us(&self, fsync: Fsync) -> f64 {
        let script = if fsync == Fsync::Always { self.script_always_us } else { self.script_everysec_us };
        SCRIPTS_A_CHECKOUT * script + self.http_us
    }
}

async fn scripts(args: &SystemArgs, directory: &Path, fsync: Fsync) -> Result<f64, String> {
    let name = format!("redis-{}", fsync.as_str());
    let (mut server, address) = args.redis(&name, directory, fsync)?;
    let mut connection = connected(&mut server, &address).await?;
    let failed = |error: redis::RedisError| format!("the reference script failed: {error}");
    let script = Script::new(SCRIPT);
    let sha: String =
        redis::cmd("SCRIPT").arg("LOAD").arg(SCRIPT).query_async(&mut connection).await.map_err(failed)?;
    debug_assert_eq!(sha, script.get_hash());

    let watched = Watched { alone: vec![server.pid()], ..Watched::default() };
    let before = watched.read()?;
    for first in (0..CALLS).step_by(TOGETHER as usize) {
        let mut pipe = redis::pipe();
        for call in first..first + TOGETHER {
            pipe.cmd("EVALSHA")
                .arg(&sha)
                .arg(2)
                .arg(format!("tx:{call}"))
                .arg(format!("item:{}", call % 1000))
                .ignore();
        }
        pipe.query_async::<()>(&mut connection).await.map_err(failed)?;
    }
    let used = watched.read()?.total().saturating_sub(before.total());
    Ok(used.as_secs_f64() * 1e6 / f64::from(CALLS))
}

/// What a request costs that runs four scripts one after the other and nothing else: the least that a checkout can cost which
/// is made of such parts.
#[derive(Debug, Clone, Copy)]
pub struct Parts {
    /// The server that answers the requests, CPU µs for each.
    pub service_us: f64,
    /// The three Redis servers together, CPU µs for each request.
    pub redis_us: f64,
}

impl Parts {
    /// Measures it with so many clients, each with one request at a time.
    ///
    /// # Errors
    /// A server does not start, or stops answering.
    pub async fn measure(args: &SystemArgs, fsync: Fsync, clients: u32) -> Result<Self, String> {
        let directory = args.directory()?;
        let (mut servers, mut addresses) = (Vec::new(), Vec::new());
        for name in ["redis-0", "redis-1", "redis-2"] {
            let (mut server, address) = args.redis(name, directory.path(), fsync)?;
            connected(&mut server, &address).await?;
            servers.push(server);
            addresses.push(address);
        }
        let (service, target) = bare_server(directory.path(), &addresses).await?;
        let requests = if clients == 1 { REQUESTS / 20 } else { REQUESTS / 2 };
        let watched = |pids: Vec<u32>| Watched { alone: pids, ..Watched::default() };
        let (service, redis) = (watched(vec![service.pid()]), watched(servers.iter().map(Logged::pid).collect()));
        let before = (service.read()?, redis.read()?);
        ask(&target, clients, requests).await?;
        let us = |used: Duration| used.as_secs_f64() * 1e6 / f64::from(requests);
        Ok(Parts {
            service_us: us(service.read()?.total().saturating_sub(before.0.total())),
            redis_us: us(redis.read()?.total().saturating_sub(before.1.total())),
        })
    }
}

async fn requests(directory: &Path) -> Result<f64, String> {
    let (server, target) = bare_server(directory, &[]).await?;
    let watched = Watched { alone: vec![server.pid()], ..Watched::default() };
    let before = watched.read()?;
    ask(&target, CLIENTS, REQUESTS).await?;
    let used = watched.read()?.total().saturating_sub(before.total());
    Ok(used.as_secs_f64() * 1e6 / f64::from(REQUESTS))
}

/// Starts the bare server and waits until it answers.
async fn bare_server(directory: &Path, redis: &[String]) -> Result<(Logged, Target), String> {
    let port = ports::try_free()?;
    let program = std::env::current_exe().map_err(|error| format!("where is this program? {error}"))?;
    let mut command = Command::new(program);
    command.args(["bare", "--port", &port.to_string()]);
    if !redis.is_empty() {
        command.args(["--redis", &redis.join(",")]);
    }
    let mut server = Logged::start("bare", command, directory)?;
    let target: Target = format!("http://127.0.0.1:{port}").parse()?;
    let mut tries = 0;
    while Client::new(&target, TIMEOUT).ask("GET", "/").await.is_err() {
        server.alive()?;
        tries += 1;
        if tries > TIMEOUT.as_millis() / LOOK.as_millis() {
            return Err("the bare server does not answer".to_owned());
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok((server, target))
}

/// Sends so many bare requests, divided among clients that each have one at a time.
async fn ask(target: &Target, clients: u32, requests: u32) -> Result<(), String> {
    let mut asking = JoinSet::new();
    for _ in 0..clients {
        let mut client = Client::new(target, TIMEOUT);
        asking.spawn_local(async move {
            for _ in 0..requests / clients {
                client.ask("POST", "/orders/checkout/1").await.map_err(|error| error.to_string())?;
            }
            Ok::<_, String>(())
        });
    }
    while let Some(ended) = asking.join_next().await {
        ended.map_err(|error| format!("a client ended early: {error}"))??;
    }
    Ok(())
}

/// A connection to a server that has just been started.
async fn connected(server: &mut Logged, address: &str) -> Result<MultiplexedConnection, String> {
    let mut tries = 0;
    loop {
        match settle::connect(address).await {
            Ok(connection) => return Ok(connection),
            Err(error) if tries > TIMEOUT.as_millis() / LOOK.as_millis() => return Err(error),
            Err(_) => server.alive()?,
        }
        tries += 1;
        tokio::time::sleep(LOOK).await;
    }
}

/// The bare server, in a process of its own.
#[derive(Debug, clap::Args)]
pub struct BareArgs {
    /// Where it listens, on 127.0.0.1
    #[arg(long)]
    port: u16,
    /// Redis servers on which each request runs four scripts, one after the other
    #[arg(long, value_delimiter = ',')]
    redis: Vec<String>,
}

/// Scripts of a request to the bare server, if it has Redis servers.
const SCRIPTS_A_REQUEST: usize = 4;

/// Answers every request with an empty 200 until it is ended.
///
/// # Errors
/// The port is taken.
pub async fn bare(args: &BareArgs) -> Result<(), String> {
    let mut connections = Vec::new();
    for address in &args.redis {
        let mut connection = settle::connect(address).await?;
        let loaded = redis::cmd("SCRIPT").arg("LOAD").arg(SCRIPT).query_async::<()>(&mut connection).await;
        loaded.map_err(|error| error.to_string())?;
        connections.push(connection);
    }
    let listener = TcpListener::bind(("127.0.0.1", args.port)).await.map_err(|error| error.to_string())?;
    let scripts = Rc::new(Scripts { sha: Script::new(SCRIPT).get_hash().to_owned(), connections, calls: Cell::new(0) });
    loop {
        let (stream, _) = listener.accept().await.map_err(|error| error.to_string())?;
        tokio::task::spawn_local(serve(stream, Rc::clone(&scripts)));
    }
}

/// What each request to the bare server runs: all requests share the connections.
struct Scripts {
    sha: String,
    connections: Vec<MultiplexedConnection>,
    calls: Cell<u64>,
}

impl Scripts {
    async fn run(&self) -> Result<(), redis::RedisError> {
        for connection in self.connections.iter().cycle().take(SCRIPTS_A_REQUEST) {
            let call = self.calls.get();
            self.calls.set(call + 1);
            let mut script = redis::cmd("EVALSHA");
            script.arg(&self.sha).arg(2).arg(format!("tx:{call}")).arg(format!("item:{}", call % 1000));
            script.query_async::<()>(&mut connection.clone()).await?;
        }
        Ok(())
    }
}

async fn serve(mut stream: TcpStream, scripts: Rc<Scripts>) {
    let mut received = Vec::with_capacity(1024);
    while matches!(stream.read_buf(&mut received).await, Ok(read) if read > 0) {
        if received.ends_with(b"\r\n\r\n") {
            received.clear();
            if scripts.run().await.is_err() {
                return;
            }
            if stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.is_err() {
                return;
            }
        }
    }
}
