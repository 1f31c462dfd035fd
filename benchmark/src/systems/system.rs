//! Whole systems that are started for a measurement, on free ports with data of their own, and leave nothing behind.

use std::fmt::{Display, Formatter};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use shardcart_harness::network::ports;
use shardcart_harness::processes::logged::Logged;
use shardcart_harness::{Fsync, Service, redis};
use tempfile::TempDir;

use crate::measure::cpu::Watched;
use crate::shop::client::Target;
use crate::shop::front::{Front, Places};
use crate::systems::gateway;
use crate::waiting::during;

/// Longest a start may take.
const START_WAIT: Duration = Duration::from_secs(60);

/// How often is looked whether it is ready.
const READY_POLL: Duration = Duration::from_millis(50);

/// The secret of internal ports that exist for a minute on the loopback interface.
const TOKEN: &str = "for-one-measurement";

/// How a system is put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
pub enum Setting {
    /// `shop`, with one shard a service
    A,
    /// Separate services, one machine and one shard each, behind the shipped gateway
    B,
    /// Separate services, two machines and two shards each, behind the shipped gateway
    C,
}

/// Where programs and data are.
#[derive(Debug, Clone, clap::Args)]
pub struct SystemArgs {
    /// Where the programs shop, order, stock and payment are [default: where this program is]
    #[arg(long, value_name = "DIRECTORY")]
    pub programs: Option<PathBuf>,
    /// Directory for the data: on the kind of disk that matters, and with a path short enough for a Unix socket [default: the one above the programs]
    #[arg(long, value_name = "DIRECTORY")]
    pub data_parent: Option<PathBuf>,
    /// The nginx to start, for settings B and C
    #[arg(long, default_value = "nginx", value_name = "PROGRAM")]
    pub nginx: PathBuf,
    /// The Redis (or Valkey) server to start
    #[arg(long, default_value = "redis-server", value_name = "PROGRAM")]
    pub redis_server: PathBuf,
    /// HTTP worker threads of each service process
    #[arg(long, default_value_t = 1)]
    pub workers: u16,
    /// What else its programs are told, by names of their environment.
    #[arg(skip)]
    pub environment: Vec<(&'static str, &'static str)>,
}

/// A running system.
#[derive(Debug)]
pub struct System {
    /// Dropped in this order: what calls others ends before them.
    children: Vec<Logged>,
    url: Target,
    /// Addresses of the Redis servers of order, stock and payment, in shard order.
    redis: [Vec<String>; 3],
    _directory: TempDir,
}

impl Display for Setting {
    fn fmt(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(self, out)
    }
}

impl SystemArgs {
    /// The same, with one setting more.
    #[must_use]
    pub fn with(&self, name: &'static str, value: &'static str) -> Self {
        let mut args = self.clone();
        args.environment.push((name, value));
        args
    }

    fn programs(&self) -> Result<PathBuf, String> {
        let own = || {
            let program = std::env::current_exe().map_err(|error| format!("where is this program? {error}"))?;
            Ok(program.parent().unwrap_or(Path::new(".")).to_owned())
        };
        self.programs.clone().map_or_else(own, Ok)
    }

    /// A new directory for data.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn directory(&self) -> Result<TempDir, String> {
        let programs = self.programs()?;
        let parent = self.data_parent.as_deref().or(programs.parent()).unwrap_or(&programs);
        let parent = parent.canonicalize().map_err(|error| format!("{}: {error}", parent.display()))?;
        let made = tempfile::Builder::new().prefix("bench.").tempdir_in(&parent);
        made.map_err(|error| format!("no directory in {}: {error}", parent.display()))
    }

    fn program(&self, name: &str) -> Result<Command, String> {
        let program = self.programs()?.join(name);
        if !program.exists() {
            return Err(format!("{} is missing: cargo build --release --workspace", program.display()));
        }
        let mut command = Command::new(program);
        // What the caller's environment says about shops of his own is not meant for this one.
        for name in [
            "REDIS_ADDRS",
            "ORDER_REDIS_ADDRS",
            "STOCK_REDIS_ADDRS",
            "PAYMENT_REDIS_ADDRS",
            "MACHINE_ID",
            "MINT_SHARDS",
        ] {
            command.env_remove(name);
        }
        let workers = self.workers.to_string();
        command.env("ALLOW_BATCH_INIT", "true").env("WORKERS", workers).env("RUST_LOG", "warn").env("DRAIN_MS", "0");
        command.env_remove("METRICS").envs(self.environment.iter().copied());
        Ok(command)
    }

    /// Starts a Redis server and tells its address. Its data goes away with `directory`.
    ///
    /// # Errors
    /// It does not start.
    pub fn redis(&self, name: &str, directory: &Path, fsync: Fsync) -> Result<(Logged, String), String> {
        let (port, data) = (ports::try_free()?, directory.join(name));
        std::fs::create_dir(&data).map_err(|error| format!("{}: {error}", data.display()))?;
        let mut command = redis::command(&self.redis_server, port, fsync, "noeviction");
        command.current_dir(&data);
        // As compose.yaml and the shop set them.
        command.args([
            "--latency-tracking",
            "no",
            "--hash-max-listpack-entries",
            "32",
            "--lazyfree-lazy-expire",
            "yes",
        ]);
        Ok((Logged::start(name, command, directory)?, format!("127.0.0.1:{port}")))
    }
}

impl System {
    /// Starts a system and waits until it is ready.
    ///
    /// # Errors
    /// A program is missing, does not start, or is not ready in time: its last words.
    pub async fn start(args: &SystemArgs, setting: Setting, fsync: Fsync) -> Result<Self, String> {
        match setting {
            Setting::A => Self::shop(args, 1, fsync).await,
            Setting::B => Self::services(args, 1, 1, fsync).await,
            Setting::C => Self::services(args, 2, 2, fsync).await,
        }
    }

    /// Starts a `shop` with so many shards a service.
    ///
    /// # Errors
    /// As [`System::start`].
    pub async fn shop(args: &SystemArgs, shards: u16, fsync: Fsync) -> Result<Self, String> {
        let directory = args.directory()?;
        let port = ports::try_free()?;
        let data = directory.path().join("shop");
        let mut command = args.program("shop")?;
        command.args(["--port", &port.to_string(), "--shards", &shards.to_string(), "--fsync", fsync.as_str()]);
        command.arg("--redis-server").arg(&args.redis_server).arg("--data-dir").arg(&data);
        let children = vec![Logged::start("shop", command, directory.path())?];
        let redis = ["order", "stock", "payment"].map(|service| {
            let socket = |shard| format!("unix:{}/{service}-{shard}/redis.sock", data.display());
            (0..shards).map(socket).collect()
        });
        let url = format!("http://127.0.0.1:{port}").parse()?;
        let mut system = Self { children, url, redis, _directory: directory };
        during("waiting until the shop is ready", system.ready(&[port])).await?;
        Ok(system)
    }

    /// Starts each service on its own, behind the shipped gateway.
    ///
    /// # Errors
    /// As [`System::start`].
    pub async fn services(args: &SystemArgs, machines: usize, shards: usize, fsync: Fsync) -> Result<Self, String> {
        let directory = args.directory()?;
        let mut servers = Vec::new();
        let mut redis: [Vec<String>; 3] = Default::default();
        for (service, addresses) in ["order", "stock", "payment"].into_iter().zip(&mut redis) {
            for shard in 0..shards {
                let name = format!("redis-{service}-{shard}");
                let (server, address) = args.redis(&name, directory.path(), fsync)?;
                servers.push(server);
                addresses.push(address);
            }
        }
        let take =
            || (0..machines).map(|_| Ok((ports::try_free()?, ports::try_free()?))).collect::<Result<Vec<_>, String>>();
        let places = [take()?, take()?, take()?];
        let internal = places.each_ref().map(|machines| {
            let urls = machines.iter().map(|(_, internal)| format!("http://127.0.0.1:{internal}"));
            urls.collect::<Vec<_>>().join(",")
        });

        let mut services = Vec::new();
        for (service, name) in ["order", "stock", "payment"].into_iter().enumerate() {
            for (machine, (port, internal_port)) in places[service].iter().enumerate() {
                let mut command = args.program(name)?;
                command
                    .env("PORT", port.to_string())
                    .env("INTERNAL_PORT", internal_port.to_string())
                    .env("INTERNAL_TOKEN", TOKEN)
                    .env("MACHINE_ID", format!("{}/{machines}", machine + 1))
                    .env("REDIS_ADDRS", redis[service].join(","))
                    .env("BIND", "127.0.0.1");
                match name {
                    "order" => command.env("STOCK_SERVICE_URL", &internal[1]).env("PAYMENT_SERVICE_URL", &internal[2]),
                    _ => command.env("ORDER_SERVICE_URL", &internal[0]),
                };
                services.push(Logged::start(&format!("{name}-{machine}"), command, directory.path())?);
            }
        }
        let entrance = ports::try_free()?;
        let public = |service: usize| places[service].iter().map(|(port, _)| *port).collect::<Vec<_>>();
        let upstreams = [(Service::Order, public(0)), (Service::Stock, public(1)), (Service::Payment, public(2))];
        let mut children = vec![gateway::start(&args.nginx, directory.path(), entrance, &upstreams)?];
        children.extend(services);
        children.extend(servers);
        let url = format!("http://127.0.0.1:{entrance}").parse()?;
        let mut system = Self { children, url, redis, _directory: directory };
        let all: Vec<u16> = places.iter().flatten().map(|(port, _)| *port).chain([entrance]).collect();
        during("waiting until all machines are ready", system.ready(&all)).await?;
        Ok(system)
    }

    async fn ready(&mut self, ports: &[u16]) -> Result<(), String> {
        let begun = Instant::now();
        for port in ports {
            let target: Target = format!("http://127.0.0.1:{port}").parse()?;
            let mut front = Front::new(&Places::Gateway(target), Duration::from_secs(5));
            while let Err(why) = front.ready().await {
                self.children.iter_mut().try_for_each(Logged::alive)?;
                if begun.elapsed() > START_WAIT {
                    return Err(format!("the machine on port {port} is not ready: {why}"));
                }
                tokio::time::sleep(READY_POLL).await;
            }
        }
        Ok(())
    }

    /// Where it listens.
    pub fn url(&self) -> &Target {
        &self.url
    }

    /// The order shards, in shard order.
    pub fn order_shards(&self) -> &[String] {
        &self.redis[0]
    }

    /// All Redis servers, those of order, of stock, and of payment.
    pub fn redis(&self) -> &[Vec<String>; 3] {
        &self.redis
    }

    /// All of its processes.
    pub fn watched(&self) -> Watched {
        Watched { trees: self.children.iter().map(Logged::pid).collect(), ..Watched::default() }
    }
}
