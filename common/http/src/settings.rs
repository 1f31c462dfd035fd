//! The settings of a listener for clients.

use std::time::Duration;

use clap::Args;
use shardcart_types::parse::milliseconds;

use crate::v1::cors::Origin;

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
    /// How long a client may take to send a head, to send a body, or to take part of an answer, in milliseconds
    #[arg(long, env = "CLIENT_TIMEOUT_MS", default_value = "5000", value_parser = milliseconds)]
    pub client_timeout_ms: Duration,
    /// How long an idle connection is kept, in seconds
    #[arg(long, env = "KEEP_ALIVE_S", default_value_t = 75)]
    pub keep_alive_s: u64,
    /// Connections a worker keeps open at most; beyond it, those that are incomplete or idle make room
    #[arg(long, env = "CONNECTIONS_MAX", default_value_t = 25_000)]
    pub connections_max: usize,
    /// Requests in flight on this machine at most; beyond it a request is refused with 429
    #[arg(long, env = "REQUESTS_MAX", default_value_t = 20_000)]
    pub requests_max: usize,
    /// Largest body of a request, in bytes
    #[arg(long, env = "BODY_MAX", default_value_t = 65_536)]
    pub body_max: usize,
    /// Origins whose pages may call /v1 from a browser, comma-separated: `https://shop.example`, or `*` for all; none by default
    #[arg(long, env = "CORS_ORIGINS", value_delimiter = ',')]
    pub cors_origins: Vec<Origin>,
}
