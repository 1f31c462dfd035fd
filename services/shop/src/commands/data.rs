//! Where the commands that look at data find it: a shop's data directory, or shards by their addresses. Servers that do
//! not run are started for the command.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use shardcart_operator::asked::LookError;
use shardcart_store::settings::RedisSettings;
use shardcart_types::address::Address;
use shardcart_types::parse::milliseconds;
use shardcart_types::secret::Secret;

use crate::data_dir::{self, DataDir, SERVICES};
use crate::redis_servers::{Fsync, RedisServers};
use crate::start_error::StartError;

/// Which shards are looked at.
#[derive(Debug, Clone, Args)]
pub struct DataArgs {
    /// The data directory of a shop
    #[arg(long, env = "DATA_DIR", default_value = "./data")]
    pub data_dir: PathBuf,
    /// The Redis (or Valkey) server to start where no shop runs on the data directory
    #[arg(long, env = "REDIS_SERVER", default_value = "redis-server")]
    pub redis_server: OsString,
    /// All Redis servers of the order service instead of a data directory: host:port or unix:/path, comma-separated, in shard order
    #[arg(long, env = "ORDER_REDIS_ADDRS", value_delimiter = ',', requires_all = ["stock_redis", "payment_redis"])]
    pub order_redis: Vec<Address>,
    /// All Redis servers of the stock service
    #[arg(long, env = "STOCK_REDIS_ADDRS", value_delimiter = ',', requires_all = ["order_redis", "payment_redis"])]
    pub stock_redis: Vec<Address>,
    /// All Redis servers of the payment service
    #[arg(long, env = "PAYMENT_REDIS_ADDRS", value_delimiter = ',', requires_all = ["order_redis", "stock_redis"])]
    pub payment_redis: Vec<Address>,
    /// Password of every shard
    #[arg(long, env = "REDIS_PASSWORD", hide_env_values = true)]
    pub redis_password: Option<Secret>,
    /// Database number on every shard
    #[arg(long, env = "REDIS_DB", default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..=1023))]
    pub redis_db: i64,
    /// How long is waited for all shards to answer, in milliseconds
    #[arg(long, env = "START_TIMEOUT_MS", default_value = "5000", value_parser = milliseconds)]
    pub start_timeout_ms: Duration,
}

impl DataArgs {
    /// How the shards are reached. A shop's own servers (`local`) have neither a password nor another database.
    pub fn redis(&self, local: bool) -> RedisSettings {
        RedisSettings {
            redis_password: self.redis_password.clone().filter(|_| !local),
            redis_db: if local { 0 } else { self.redis_db },
            redis_timeout_ms: Duration::from_secs(5),
            redis_connect_timeout_ms: Duration::from_secs(2),
            redis_connections: 1,
            // What it reads is no promise to a client.
            redis_wait_replicas: 0,
            redis_wait_timeout_ms: Duration::ZERO,
            redis_wait_connections: 0,
            start_timeout_ms: self.start_timeout_ms,
            mint_shards: None,
            // It creates nothing.
            idempotency_records_max: 0,
            currency: String::new(),
        }
    }
}

/// Shards that were found.
#[derive(Debug)]
pub struct Found {
    /// Of orders, of items, of users.
    pub addresses: [Vec<Address>; 3],
    /// How they are reached.
    pub redis: RedisSettings,
    /// To be stopped when they have been read.
    pub started: Started,
}

/// Servers that were started for a command, if any were.
#[derive(Debug, Default)]
pub struct Started(Option<(RedisServers, DataDir)>);

impl Started {
    /// Stops them; returns when they are gone.
    pub fn stop(self) {
        if let Some((servers, _data_dir)) = self.0 {
            servers.stop();
        }
    }
}

/// Finds the shards: given by address, those of a running shop, or some that are started for the command.
///
/// # Errors
/// `Setting`: there is no data there. `Failed`: the servers cannot be started.
pub fn find(args: &DataArgs) -> Result<Found, LookError> {
    if !args.order_redis.is_empty() {
        let addresses = [&args.order_redis, &args.stock_redis, &args.payment_redis].map(Clone::clone);
        return Ok(Found { addresses, redis: args.redis(false), started: Started::default() });
    }
    let failed = |error: StartError| LookError::Failed(error.to_string());
    let shards = data_dir::shards_of(&args.data_dir).map_err(failed)?;
    if shards == 0 {
        return Err(LookError::Setting(format!(
            "there is no shop's data in {}; name it with --data-dir, or give the shards' addresses (see --help)",
            args.data_dir.display()
        )));
    }
    let (paths, started) = match DataDir::open(&args.data_dir, shards) {
        Ok(data_dir) => {
            let servers = RedisServers::start(&data_dir, &args.redis_server, Fsync::Always).map_err(failed)?;
            (SERVICES.map(|service| servers.addresses(service)), Started(Some((servers, data_dir))))
        }
        // A shop runs on it: its servers are asked.
        Err(StartError::InUse(path)) => {
            (SERVICES.map(|service| data_dir::addresses(&path, service, shards)), Started::default())
        }
        Err(error) => return Err(failed(error)),
    };
    let mut addresses = [const { Vec::new() }; 3];
    for (addresses, paths) in addresses.iter_mut().zip(&paths) {
        for path in paths {
            addresses.push(path.parse::<Address>().map_err(LookError::Setting)?);
        }
    }
    Ok(Found { addresses, redis: args.redis(true), started })
}
