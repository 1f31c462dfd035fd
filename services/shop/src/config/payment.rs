//! Every setting of the program `payment`.

use clap::Parser;

use super::participant::Settings;

/// Users, their credit and their part in a checkout, over N Redis shards
#[derive(Debug, Clone, Parser)]
#[command(name = "shardcart-payment", version = crate::VERSION, about = "The payment service of Shardcart")]
pub struct Config {
    /// Port for clients
    #[arg(long, env = "PORT", default_value_t = 8003)]
    pub port: u16,
    /// Port for the other services
    #[arg(long, env = "INTERNAL_PORT", default_value_t = 9003)]
    pub internal_port: u16,
    /// What it shares with the other participant
    #[command(flatten)]
    pub settings: Settings,
}
