//! The settings of a machine that runs one service, and of a participant's way to the order service.

use std::time::Duration;

use clap::Args;
use shardcart_types::address::Address;
use shardcart_types::machine_id::MachineId;
use shardcart_types::parse::{base_url, milliseconds};
use shardcart_types::secret::Secret;
use url::Url;

/// The settings of a service that runs as a process of its own; `shop` has no use for them.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Machine")]
pub struct MachineSettings {
    /// The shards in order, `host:port` or `unix:/path`, comma-separated. The position is the shard's number: only ever add at the end
    #[arg(long, env = "REDIS_ADDRS", value_delimiter = ',', required = true, num_args = 1..)]
    pub redis_addrs: Vec<Address>,
    /// k/N, the k-th of N machines: says on which shards this machine mints (default: on all in turn)
    #[arg(long, env = "MACHINE_ID")]
    pub machine_id: Option<MachineId>,
    /// Secret that the machines share; without it the internal listener answers 401
    #[arg(long, env = "INTERNAL_TOKEN", hide_env_values = true)]
    pub internal_token: Secret,
    /// How long the machine serves on after SIGTERM, not ready any more, in milliseconds
    #[arg(long, env = "DRAIN_MS", default_value = "1000", value_parser = milliseconds)]
    pub drain_ms: Duration,
}

/// How participants reach the order service, and when.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Order service")]
pub struct OrderServiceSettings {
    /// Internal listener of the order service: http://host:port, comma-separated for several machines
    #[arg(long, env = "ORDER_SERVICE_URL", value_delimiter = ',', required = true, value_parser = base_url)]
    pub order_service_url: Vec<Url>,
    /// How long an answer of the order service is waited for, in milliseconds
    #[arg(long, env = "ORDER_TIMEOUT_MS", default_value = "1000", value_parser = milliseconds)]
    pub order_timeout_ms: Duration,
    /// How long after its deadline a reservation that is still held is asked about, in milliseconds
    #[arg(long, env = "REVIEW_AFTER_MS", default_value = "60000", value_parser = milliseconds)]
    pub review_after_ms: Duration,
}
