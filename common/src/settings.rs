//! The settings that all services share. Each is an environment variable and a flag of the same name.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use reqwest::Url;

use crate::ids::PARTITIONS_PER_SHARD;
use crate::logging::LogFormat;
use crate::trace::export::TraceSettings;

/// The most shards a service can have: partitions are numbered in 16 bits.
pub const SHARDS_MAX: usize = (u16::MAX / PARTITIONS_PER_SHARD) as usize;

/// A secret: it is compared and sent, never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("(secret)")
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Secret(text.to_owned())
    }
}

/// Where a Redis server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// `host:port`.
    Tcp(String, u16),
    /// `unix:/path/to.sock`.
    Unix(String),
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.starts_with('/') {
                Ok(Address::Unix(path.to_owned()))
            } else {
                Err("unix: wants an absolute path".to_owned())
            };
        }
        let parsed =
            text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok().filter(|port| *port > 0)?)));
        match parsed {
            Some((host, port)) if !host.is_empty() && !host.contains([' ', '/', '@']) => {
                Ok(Address::Tcp(host.trim_matches(['[', ']']).to_owned(), port))
            }
            _ => Err(format!(
                "`{text}` is no address: expected host:port or unix:/path, comma-separated, in shard order"
            )),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(host, port) => write!(formatter, "{host}:{port}"),
            Address::Unix(path) => write!(formatter, "unix:{path}"),
        }
    }
}

/// `MACHINE_ID=k/N`: the k-th of N machines, counted from 1. It says on which shards a machine mints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MachineId {
    index: u32,
    machines: u32,
}

impl FromStr for MachineId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once('/').and_then(|(k, n)| Some((k.parse::<u32>().ok()?, n.parse::<u32>().ok()?)));
        match parsed {
            Some((k, n)) if (1..=n).contains(&k) => Ok(MachineId { index: k - 1, machines: n }),
            _ => Err("expected k/N, the k-th of N machines with k from 1 to N, for example 1/2".to_owned()),
        }
    }
}

impl fmt::Display for MachineId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.index + 1, self.machines)
    }
}

impl MachineId {
    /// The shards, of `shards` in all, on which this machine mints.
    pub fn minting_shards(self, shards: u16) -> Vec<u16> {
        let (index, machines) = (self.index, self.machines);
        if machines <= u32::from(shards) {
            (0..shards).filter(|shard| u32::from(*shard) % machines == index).collect()
        } else {
            vec![u16::try_from(index % u32::from(shards)).unwrap_or(0)]
        }
    }
}

/// Parses milliseconds, for clap.
///
/// # Errors
/// A text that says what was expected.
pub fn milliseconds(text: &str) -> Result<Duration, String> {
    match text.parse::<u64>() {
        Ok(ms) if ms <= 86_400_000 => Ok(Duration::from_millis(ms)),
        _ => Err("expected whole milliseconds, from 0 to 86400000".to_owned()),
    }
}

/// Parses one base URL of a setting, for clap.
///
/// # Errors
/// A text that says what was expected.
pub fn base_url(text: &str) -> Result<Url, String> {
    let slashed = if text.ends_with('/') { text.to_owned() } else { format!("{text}/") };
    match Url::parse(&slashed) {
        Ok(url) if url.scheme() == "http" && url.has_host() && url.username().is_empty() => Ok(url),
        _ => Err("expected http://host:port, comma-separated for several machines".to_owned()),
    }
}

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

/// How clients are served.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "HTTP")]
pub struct HttpSettings {
    /// Address to listen on
    #[arg(long, env = "BIND", default_value = "127.0.0.1")]
    pub bind: std::net::IpAddr,
    /// Worker threads
    #[arg(long, env = "WORKERS", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub workers: u16,
    /// How long a client may take to send the head of a request, in milliseconds
    #[arg(long, env = "CLIENT_TIMEOUT_MS", default_value = "5000", value_parser = milliseconds)]
    pub client_timeout_ms: Duration,
    /// How long an idle connection is kept, in seconds
    #[arg(long, env = "KEEP_ALIVE_S", default_value_t = 75)]
    pub keep_alive_s: u64,
    /// Connections a worker keeps open at most
    #[arg(long, env = "CONNECTIONS_MAX", default_value_t = 25_000)]
    pub connections_max: usize,
    /// Requests in flight on this machine at most; beyond it a request is refused with 429
    #[arg(long, env = "REQUESTS_MAX", default_value_t = 20_000)]
    pub requests_max: usize,
    /// Largest body of a request, in bytes
    #[arg(long, env = "BODY_MAX", default_value_t = 65_536)]
    pub body_max: usize,
}

/// How a machine is looked at from outside.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Observability")]
pub struct ObserveSettings {
    /// How log lines are written; RUST_LOG chooses which
    #[arg(long, env = "LOG_FORMAT", default_value = "text")]
    pub log_format: LogFormat,
    /// Whether anything is counted; without it there is no /metrics, and the console has no curves: to measure what counting costs
    #[arg(long, env = "METRICS", default_value = "true", num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub metrics: bool,
    /// How often all shards are asked for their memory, files and what is held or in flight, for /metrics, in milliseconds
    #[arg(long, env = "METRICS_INTERVAL_MS", default_value = "5000", value_parser = milliseconds)]
    pub metrics_interval_ms: Duration,
    /// Where traces are sent
    #[command(flatten)]
    pub trace: TraceSettings,
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

impl Secret {
    /// Whether the secret is strong enough to be a token. Not a parser for clap: its messages show the value.
    ///
    /// # Errors
    /// A text that says what was expected, without the value.
    pub fn check_token(&self, variable: &str) -> Result<(), String> {
        if self.0.len() >= 8 && self.0.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(())
        } else {
            Err(format!(
                "{variable} is too short or not printable (its value is not shown): expected at least 8 printable characters"
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minting(machine: &str, shards: u16) -> Vec<u16> {
        machine.parse::<MachineId>().unwrap().minting_shards(shards)
    }

    #[test]
    fn machines_share_the_shards_to_mint_on() {
        assert_eq!(minting("1/2", 2), [0]);
        assert_eq!(minting("2/2", 2), [1]);
        assert_eq!(minting("1/2", 5), [0, 2, 4]);
        assert_eq!(minting("5/5", 2), [0]);
        assert_eq!(minting("4/5", 2), [1]);
    }

    #[test]
    fn a_machine_id_counts_from_one() {
        for bad in ["0/2", "3/2", "2", "a/b", "1/", "-1/2"] {
            assert!(bad.parse::<MachineId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_are_host_and_port_or_a_socket() {
        assert_eq!("redis-0:6379".parse(), Ok(Address::Tcp("redis-0".to_owned(), 6379)));
        assert_eq!("[::1]:6379".parse(), Ok(Address::Tcp("::1".to_owned(), 6379)));
        assert_eq!("unix:/tmp/a.sock".parse(), Ok(Address::Unix("/tmp/a.sock".to_owned())));
        for bad in ["", "redis", "redis:", "redis:0", "redis:99999", ":6379", "unix:a.sock", "user@host:1"] {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_secret_is_not_shown() {
        assert_eq!(format!("{:?}", Secret::from("hunter22")), "(secret)");
    }
}
