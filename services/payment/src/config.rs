//! Every setting of the payment service.

use clap::Parser;
use shardcart_http::settings::HttpSettings;
use shardcart_protocol::settings::{MachineSettings, OrderServiceSettings};
use shardcart_store::settings::{BatchInitSettings, RedisSettings};
use shardcart_telemetry::settings::ObserveSettings;

/// Users, their credit and their part in a checkout, over N Redis shards
#[derive(Debug, Clone, Parser)]
#[command(version, about)]
pub struct Config {
    /// Port for clients
    #[arg(long, env = "PORT", default_value_t = 8003)]
    pub port: u16,
    /// Port for the other services
    #[arg(long, env = "INTERNAL_PORT", default_value_t = 9003)]
    pub internal_port: u16,
    /// Who knows the orders, and when it is asked
    #[command(flatten)]
    pub orders: OrderServiceSettings,
    /// Shards, identity, secret
    #[command(flatten)]
    pub machine: MachineSettings,
    /// Connections to the shards
    #[command(flatten)]
    pub redis: RedisSettings,
    /// The listener for clients
    #[command(flatten)]
    pub http: HttpSettings,
    /// Logs, metrics, traces
    #[command(flatten)]
    pub observe: ObserveSettings,
    /// Bulk load
    #[command(flatten)]
    pub batch_init: BatchInitSettings,
}
