//! Every setting of the order service.

use std::time::Duration;

use clap::{Args, Parser};
use reqwest::Url;
use shardcart_http::settings::HttpSettings;
use shardcart_protocol::settings::MachineSettings;
use shardcart_store::settings::{BatchInitSettings, RedisSettings};
use shardcart_telemetry::settings::ObserveSettings;
use shardcart_types::parse::{base_url, milliseconds};
use shardcart_types::secret::Secret;

/// The longest wait of a checkout: claim.lua and take_over.lua take a lease that ends in more than five minutes for one
/// that was written before the shard's clock was set back.
const WAIT_MAX: Duration = Duration::from_secs(240);

/// The console's token is asked for from the outside: it has to be harder to guess than those between machines.
const TOKEN_MIN: usize = 16;

/// How a checkout is driven. Lease < deadline < wait, queue < wait: checked at start.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Checkout")]
pub struct CheckoutSettings {
    /// How long a coordinator has its attempt to itself before recovery gives it up, in milliseconds. Safety does not depend on it
    #[arg(long, env = "CHECKOUT_LEASE_MS", default_value = "2000", value_parser = milliseconds)]
    pub checkout_lease_ms: Duration,
    /// How long an attempt may reserve, in milliseconds. More than the lease, less than the wait
    #[arg(long, env = "CHECKOUT_DEADLINE_MS", default_value = "5000", value_parser = milliseconds)]
    pub checkout_deadline_ms: Duration,
    /// How long a checkout waits for another of the same order, in milliseconds; then it answers 503. Less than the gateway's timeout
    #[arg(long, env = "CHECKOUT_WAIT_MS", default_value = "8000", value_parser = milliseconds)]
    pub checkout_wait_ms: Duration,
    /// Checkouts under way at once in each worker thread; further ones wait for their turn
    #[arg(long, env = "CHECKOUTS_MAX", default_value = "1024", value_parser = clap::value_parser!(u16).range(1..))]
    pub checkouts_max: u16,
    /// How long a checkout may wait for its turn, in milliseconds; one that cannot expect it in time answers 429 at once. Less than the wait
    #[arg(long, env = "CHECKOUT_QUEUE_MS", default_value = "2500", value_parser = milliseconds)]
    pub checkout_queue_ms: Duration,
    /// How long an attempt asks again where only undecided attempts of others stand in its way, in milliseconds
    #[arg(long, env = "BUSY_WAIT_MS", default_value = "500", value_parser = milliseconds)]
    pub busy_wait_ms: Duration,
    /// How long decided checkouts are collected before they are settled together, in milliseconds
    #[arg(long, env = "SETTLE_LINGER_MS", default_value = "10", value_parser = milliseconds)]
    pub settle_linger_ms: Duration,
    /// A checkout that takes longer than this logs its steps with their times, in milliseconds
    #[arg(long, env = "SLOW_MS", default_value = "1000", value_parser = milliseconds)]
    pub slow_ms: Duration,
    /// How often recovery looks for what was left behind, in milliseconds
    #[arg(long, env = "RECOVERY_INTERVAL_MS", default_value = "250", value_parser = milliseconds)]
    pub recovery_interval_ms: Duration,
}

impl CheckoutSettings {
    /// Checks what one setting alone cannot.
    ///
    /// # Errors
    /// A sentence that names the variables.
    pub fn check(&self) -> Result<(), String> {
        let (lease, deadline, wait) = (self.checkout_lease_ms, self.checkout_deadline_ms, self.checkout_wait_ms);
        let queue = self.checkout_queue_ms;
        if queue >= wait {
            let (queue, wait) = (queue.as_millis(), wait.as_millis());
            return Err(format!("CHECKOUT_QUEUE_MS={queue}, CHECKOUT_WAIT_MS={wait}: expected queue < wait"));
        }
        if lease < deadline && deadline < wait && wait <= WAIT_MAX && !lease.is_zero() {
            return Ok(());
        }
        let (lease, deadline, wait) = (lease.as_millis(), deadline.as_millis(), wait.as_millis());
        Err(format!(
            "CHECKOUT_LEASE_MS={lease}, CHECKOUT_DEADLINE_MS={deadline}, CHECKOUT_WAIT_MS={wait}: expected 0 < lease < deadline < wait <= {}",
            WAIT_MAX.as_millis()
        ))
    }
}

/// Who may see the console.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Console")]
pub struct ConsoleSettings {
    /// Secret that opens the console, also through a gateway: at least 16 printable characters. Without it the console is shown by an order machine on its internal port, by the shop to its own machine
    #[arg(long, env = "CONSOLE_TOKEN", hide_env_values = true)]
    pub console_token: Option<Secret>,
}

impl ConsoleSettings {
    /// The token. An empty one is none: a deployment may pass on a variable that nobody has set.
    pub fn token(&self) -> Option<&Secret> {
        self.console_token.as_ref().filter(|token| !token.expose().is_empty())
    }

    /// Checks what clap does not.
    ///
    /// # Errors
    /// A sentence that names the variable, without its value.
    pub fn check(&self) -> Result<(), String> {
        let Some(token) = self.token() else { return Ok(()) };
        token.check_token("CONSOLE_TOKEN")?;
        if token.expose().len() < TOKEN_MIN {
            return Err(format!(
                "CONSOLE_TOKEN is too short (its value is not shown): expected at least {TOKEN_MIN} characters"
            ));
        }
        Ok(())
    }
}

/// Carts, checkout and recovery over N Redis shards
#[derive(Debug, Clone, Parser)]
#[command(version, about)]
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
    /// The console
    #[command(flatten)]
    pub console: ConsoleSettings,
}
