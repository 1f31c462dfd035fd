//! Every setting of the program `stock`.

use clap::Parser;

use super::participant::Settings;

/// Items, their stock and their part in a checkout, over N Redis shards
#[derive(Debug, Clone, Parser)]
#[command(name = "shardcart-stock", version = crate::VERSION, about = "The stock service of Shardcart")]
pub struct Config {
    /// Port for clients
    #[arg(long, env = "PORT", default_value_t = 8002)]
    pub port: u16,
    /// Port for the other services
    #[arg(long, env = "INTERNAL_PORT", default_value_t = 9002)]
    pub internal_port: u16,
    /// What it shares with the other participant
    #[command(flatten)]
    pub settings: Settings,
}
