//! The settings that every program has.

use clap::Args;
use shardcart_http::settings::HttpSettings;
use shardcart_store::settings::{BatchInitSettings, RedisSettings};
use shardcart_telemetry::settings::ObserveSettings;

/// How any program reaches its shards, listens and tells what it does.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// Connections to the shards
    #[command(flatten)]
    pub redis: RedisSettings,
    /// The listeners
    #[command(flatten)]
    pub http: HttpSettings,
    /// Logs, metrics, traces
    #[command(flatten)]
    pub observe: ObserveSettings,
    /// Bulk load
    #[command(flatten)]
    pub batch_init: BatchInitSettings,
}
