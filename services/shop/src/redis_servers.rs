//! The Redis servers of a shop: started with it, watched while it runs, stopped after it.

mod leftover;
mod probe;
mod program;
mod ready;
mod server;
mod spawner;

use std::ffi::OsStr;
use std::thread;
use std::time::{Duration, Instant};

use server::{Home, Launch, Server};

use crate::data_dir::{DataDir, SERVICES};
use crate::start_error::StartError;

/// How long `stop` lets the servers write out what they hold before it kills them.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// How long servers are waited for that are dropped without `stop`.
const DROP_PATIENCE: Duration = Duration::from_secs(2);

/// When a server writes its log of commands through to the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Fsync {
    /// Before it answers: what was acknowledged survives a power failure.
    #[default]
    Always,
    /// Every second: what was acknowledged in the last two seconds may be lost.
    Everysec,
    /// When the system likes: for data that nobody will miss.
    No,
}

impl Fsync {
    /// The value of Redis' setting `appendfsync`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Everysec => "everysec",
            Self::No => "no",
        }
    }
}

/// One running Redis server for each service and shard of a data directory.
///
/// They are reached by Unix sockets alone, have process groups of their own (Ctrl-C at the terminal
/// does not reach them before the shop has finished), and on Linux are told to stop when this
/// process dies, in whatever way. Dropping this stops them as well, with less patience than `stop`.
///
/// The data directory has to stay open for as long as they run.
#[derive(Debug)]
pub struct RedisServers {
    servers: Vec<Server>,
    launch: Launch,
}

impl RedisServers {
    /// Makes sure that there is a server to start: Redis 7.0 or newer, or Valkey. Changes nothing.
    ///
    /// # Errors
    /// One that is missing, too old, or something else.
    pub fn check_program(program: impl AsRef<OsStr>) -> Result<(), StartError> {
        program::check(program.as_ref())
    }

    /// Starts the servers, and returns when all of them have loaded their data and answer.
    ///
    /// A server that an earlier shop left behind in the data directory is stopped first: its data
    /// is kept, its settings may be old. Loading may take as long as it makes progress, and that
    /// is shown on stderr.
    ///
    /// # Errors
    /// After each of them no server of ours is left running.
    pub fn start(data_dir: &DataDir, program: impl AsRef<OsStr>, fsync: Fsync) -> Result<Self, StartError> {
        Self::check_program(&program)?;
        let homes = homes(data_dir);
        for home in &homes {
            home.create()?;
        }
        let locks = leftover::take_over(&homes)?;

        let launch = Launch { program: program.as_ref().to_owned(), fsync };
        // Grows inside the value that stops them, so that an early return leaves none behind.
        let mut started = Self { servers: Vec::with_capacity(homes.len()), launch };
        for (home, lock) in homes.into_iter().zip(locks) {
            started.servers.push(Server::start(home, lock, &started.launch)?);
        }
        ready::wait(&mut started.servers)?;
        Ok(started)
    }

    /// The addresses of a service's servers in the order of their shards, as `REDIS_ADDRS` takes
    /// them: `unix:` and an absolute path.
    pub fn addresses(&self, service: &str) -> Vec<String> {
        let of_service = self.servers.iter().filter(|server| server.home().service() == service);
        of_service.map(|server| format!("unix:{}", server.home().socket().display())).collect()
    }

    /// The process ids of the servers as they were last started: order's, stock's, then payment's,
    /// each in the order of their shards.
    pub fn pids(&self) -> Vec<u32> {
        self.servers.iter().map(Server::pid).collect()
    }

    /// Starts every server again that has exited, and tells which: `stock-0`.
    ///
    /// To be called again and again while the shop runs; it does not wait for anything. Each server
    /// is started at most once a second. One that is back still has to load its data.
    pub fn restart_exited(&mut self) -> Vec<String> {
        let Self { servers, launch } = self;
        let mut restarted = Vec::new();
        for server in servers {
            if server.restart_if_exited(launch) {
                restarted.push(server.name().to_owned());
            }
        }
        restarted
    }

    /// Stops all servers at once, and returns when they have written out their data and are gone.
    /// One that takes over ten seconds is killed, which the log tells. Blocks for that long.
    pub fn stop(mut self) {
        for server in self.still_running_after(STOP_PATIENCE) {
            log::error!(server = server.name(); "A Redis server did not stop in time and is killed.");
            server.kill();
        }
        // For `drop` there is nothing left to wait for.
        self.servers.clear();
    }

    /// Asks all to stop, and tells which of them have not done so in time.
    fn still_running_after(&mut self, patience: Duration) -> impl Iterator<Item = &mut Server> {
        for server in &mut self.servers {
            server.ask_to_stop();
        }
        let deadline = Instant::now() + patience;
        while self.servers.iter_mut().any(Server::is_running) && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
        }
        self.servers.iter_mut().filter_map(|server| server.is_running().then_some(server))
    }
}

impl Drop for RedisServers {
    fn drop(&mut self) {
        // Not killed: they have been asked, and the next shop waits for those that are slow.
        for server in self.still_running_after(DROP_PATIENCE) {
            log::warn!(server = server.name(); "A Redis server is slow to stop and is left to itself.");
        }
    }
}

fn homes(data_dir: &DataDir) -> Vec<Home> {
    let shards = 0..data_dir.shards_per_service();
    let of_service = |service| shards.clone().map(move |shard| Home::new(data_dir, service, shard));
    SERVICES.into_iter().flat_map(of_service).collect()
}
