//! The settings of logs, metrics and traces.

use std::time::Duration;

use clap::Args;
use shardcart_types::parse::milliseconds;

use crate::logging::LogFormat;
use crate::trace::export::TraceSettings;

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
