//! Every setting of the program `order`.

use std::time::Duration;

use clap::Parser;
use reqwest::Url;
use shardcart_operator::console::settings::ConsoleSettings;
use shardcart_order::config::CheckoutSettings;
use shardcart_protocol::settings::MachineSettings;
use shardcart_types::parse::{base_url, milliseconds};

use super::common::Common;

/// Carts, checkout and recovery over N Redis shards
#[derive(Debug, Clone, Parser)]
#[command(name = "shardcart-order", version = crate::VERSION, about = "The order service of Shardcart")]
pub struct Config {
    /// Port for clients
    #[arg(long, env = "PORT", default_value_t = 8001)]
    pub port: u16,
    /// Port for the other services
    #[arg(long, env = "INTERNAL_PORT", default_value_t = 9001)]
    pub internal_port: u16,
    /// Internal listener of the stock service: http://host:port, comma-separated for several machines
    #[arg(long, env = "STOCK_SERVICE_URL", value_delimiter = ',', required = true, value_parser = base_url)]
    pub stock_service_url: Vec<Url>,
    /// Internal listener of the payment service: http://host:port, comma-separated for several machines
    #[arg(long, env = "PAYMENT_SERVICE_URL", value_delimiter = ',', required = true, value_parser = base_url)]
    pub payment_service_url: Vec<Url>,
    /// How long an answer of stock or payment is waited for, in milliseconds
    #[arg(long, env = "PARTICIPANT_TIMEOUT_MS", default_value = "1000", value_parser = milliseconds)]
    pub participant_timeout_ms: Duration,
    /// How a checkout is driven
    #[command(flatten)]
    pub checkout: CheckoutSettings,
    /// Shards, identity, secret
    #[command(flatten)]
    pub machine: MachineSettings,
    /// What every program has
    #[command(flatten)]
    pub common: Common,
    /// The console
    #[command(flatten)]
    pub console: ConsoleSettings,
}
