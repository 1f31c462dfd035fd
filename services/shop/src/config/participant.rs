//! The settings that stock and payment have in common.

use clap::Args;
use shardcart_http::settings::HttpSettings;
use shardcart_protocol::settings::{MachineSettings, OrderServiceSettings};
use shardcart_store::settings::{BatchInitSettings, RedisSettings};
use shardcart_telemetry::settings::ObserveSettings;

/// What a participant's machine is started with, but for its ports.
#[derive(Debug, Clone, Args)]
pub struct Settings {
    /// Who knows the orders, and when it is asked
    #[command(flatten)]
    pub orders: OrderServiceSettings,
    /// Shards, identity, secret
    #[command(flatten)]
    pub machine: MachineSettings,
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
