//! Every setting of the program `shop`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use shardcart_operator::console::settings::ConsoleSettings;
use shardcart_order::config::CheckoutSettings;
use shardcart_types::address::Address;
use shardcart_types::parse::milliseconds;

use super::common::Common;
use crate::redis_servers::Fsync;

/// Order, stock and payment in one process, with Redis servers of its own: the whole shop, on a laptop
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// Port for clients
    #[arg(long, env = "PORT", default_value_t = 8000)]
    pub port: u16,
    /// Where the data is kept; made if missing
    #[arg(long, env = "DATA_DIR", default_value = "./data")]
    pub data_dir: PathBuf,
    /// Shards of each service. May grow from start to start, never shrink
    #[arg(long, env = "SHARDS", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub shards: u16,
    /// When Redis writes through to the disk. `always`: what was answered survives a power cut; `everysec`: two seconds of it can be lost, also when Redis alone dies; `no`: more, when the system dies
    #[arg(long, env = "FSYNC", default_value = "always")]
    pub fsync: Fsync,
    /// The Redis (or Valkey) server to start
    #[arg(long, env = "REDIS_SERVER", default_value = "redis-server")]
    pub redis_server: OsString,
    /// Use these Redis servers for orders instead of starting some: host:port or unix:/path, comma-separated, in shard order
    #[arg(long, env = "ORDER_REDIS_ADDRS", value_delimiter = ',', requires_all = ["stock_redis", "payment_redis"])]
    pub order_redis: Vec<Address>,
    /// Use these Redis servers for stock
    #[arg(long, env = "STOCK_REDIS_ADDRS", value_delimiter = ',', requires_all = ["order_redis", "payment_redis"])]
    pub stock_redis: Vec<Address>,
    /// Use these Redis servers for payment
    #[arg(long, env = "PAYMENT_REDIS_ADDRS", value_delimiter = ',', requires_all = ["order_redis", "stock_redis"])]
    pub payment_redis: Vec<Address>,
    /// How long after its deadline a reservation that is still held is asked about, in milliseconds
    #[arg(long, env = "REVIEW_AFTER_MS", default_value = "60000", value_parser = milliseconds)]
    pub review_after_ms: Duration,
    /// How long the shop serves on after SIGTERM, not ready any more, in milliseconds
    #[arg(long, env = "DRAIN_MS", default_value = "0", value_parser = milliseconds)]
    pub drain_ms: Duration,
    /// How a checkout is driven
    #[command(flatten)]
    pub checkout: CheckoutSettings,
    /// What every program has
    #[command(flatten)]
    pub common: Common,
    /// The console
    #[command(flatten)]
    pub console: ConsoleSettings,
}
