//! The settings of the connections to the shards, and of bulk loads.

use std::time::Duration;

use clap::Args;
use shardcart_types::parse::milliseconds;
use shardcart_types::secret::Secret;

/// How the shards are reached, apart from their addresses.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Redis")]
pub struct RedisSettings {
    /// Password of every shard
    #[arg(long, env = "REDIS_PASSWORD", hide_env_values = true)]
    pub redis_password: Option<Secret>,
    /// Database number on every shard
    #[arg(long, env = "REDIS_DB", default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..=1023))]
    pub redis_db: i64,
    /// How long a reply of a shard is waited for, in milliseconds. Less than the lease: an attempt whose shard is silent must still be given up by its own coordinator
    #[arg(long, env = "REDIS_TIMEOUT_MS", default_value = "1000", value_parser = milliseconds)]
    pub redis_timeout_ms: Duration,
    /// How long making a connection to a shard may take, in milliseconds
    #[arg(long, env = "REDIS_CONNECT_TIMEOUT_MS", default_value = "500", value_parser = milliseconds)]
    pub redis_connect_timeout_ms: Duration,
    /// Shared connections to a shard from each worker thread; commands are pipelined over them
    #[arg(long, env = "REDIS_CONNECTIONS", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub redis_connections: u16,
    /// How many replicas of a shard must have what a call did, or found, before it is answered (0: none is waited for). Fewer in time: the outcome is unknown
    #[arg(long, env = "REDIS_WAIT_REPLICAS", default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=16))]
    pub redis_wait_replicas: u16,
    /// How long replicas are waited for, in milliseconds. Less than REDIS_TIMEOUT_MS
    #[arg(long, env = "REDIS_WAIT_TIMEOUT_MS", default_value = "500", value_parser = milliseconds)]
    pub redis_wait_timeout_ms: Duration,
    /// Connections to a shard from each worker thread for calls that wait for replicas: each carries one batch at a time
    #[arg(long, env = "REDIS_WAIT_CONNECTIONS", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=16))]
    pub redis_wait_connections: u16,
    /// How long the start waits for all shards to answer, in milliseconds
    #[arg(long, env = "START_TIMEOUT_MS", default_value = "10000", value_parser = milliseconds)]
    pub start_timeout_ms: Duration,
    /// How many of the shards, from the first, get new ids (default: all). Raised after a longer address list has reached every machine
    #[arg(long, env = "MINT_SHARDS", value_parser = clap::value_parser!(u16).range(1..))]
    pub mint_shards: Option<u16>,
    /// How many records of idempotency keys a shard has at most, some 180 bytes each for a day. Beyond it a call with a new key is refused with 429, but for those that move money
    #[arg(long, env = "IDEMPOTENCY_RECORDS_MAX", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    pub idempotency_records_max: u64,
    /// Currency of the data set, as ISO 4217 writes it; fixed when the data set is created
    #[arg(long, env = "CURRENCY", default_value = "EUR", value_parser = currency)]
    pub currency: String,
}

impl RedisSettings {
    /// Checks what one setting alone cannot.
    ///
    /// # Errors
    /// A sentence that names the variables.
    pub fn check(&self) -> Result<(), String> {
        let (wait, whole) = (self.redis_wait_timeout_ms, self.redis_timeout_ms);
        // WAIT takes 0 for ever, and a connection that is given up before its WAIT ends tells nothing of replicas.
        if self.redis_wait_replicas == 0 || (!wait.is_zero() && wait < whole) {
            return Ok(());
        }
        let (wait, whole) = (wait.as_millis(), whole.as_millis());
        Err(format!(
            "REDIS_WAIT_TIMEOUT_MS={wait}, REDIS_TIMEOUT_MS={whole}: where replicas are waited for, expected 0 < REDIS_WAIT_TIMEOUT_MS < REDIS_TIMEOUT_MS"
        ))
    }
}

fn currency(text: &str) -> Result<String, String> {
    if text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase()) {
        Ok(text.to_owned())
    } else {
        Err("expected three capital letters, for example EUR".to_owned())
    }
}

/// What a bulk load may do.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Bulk load")]
pub struct BatchInitSettings {
    /// Allow batch_init, which overwrites orders, items and users 0 to n-1: for tests and benchmarks only
    #[arg(long, env = "ALLOW_BATCH_INIT", default_value = "false", num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub allow_batch_init: bool,
    /// How long batch_init waits for nothing to be held or in flight before it answers 409, in milliseconds
    #[arg(long, env = "BATCH_INIT_WAIT_MS", default_value = "5000", value_parser = milliseconds)]
    pub batch_init_wait_ms: Duration,
}
