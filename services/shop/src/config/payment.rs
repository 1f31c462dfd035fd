//! Every setting of the program `payment`.

use clap::Parser;
use shardcart_common::settings::{
    BatchInitSettings, HttpSettings, MachineSettings, ObserveSettings, OrderServiceSettings, RedisSettings,
};

/// Users, their credit and their part in a checkout, over N Redis shards
#[derive(Debug, Clone, Parser)]
#[command(name = "shardcart-payment", version, about)]
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
