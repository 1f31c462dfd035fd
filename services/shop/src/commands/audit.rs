//! `shop audit`: its arguments, and how it ends.

use std::process::ExitCode;

use clap::Args;
use shardcart_operator::audit::report::Report;
use shardcart_operator::audit::source::Source;
use shardcart_operator::audit::{self, AuditError};

use super::data::{self, DataArgs, Found};

/// Prove that nothing is lost and nothing is taken twice, by adding up every shard
///
/// Reads all orders, items, users, payments and reservations, and writes nothing. Of each item: what was added and not
/// taken out directly is in stock, held, or sold by a paid order. Of each user: what was funded and not paid directly
/// is credit, held, or charged for a paid order. Each paid order was charged its total once; each reservation belongs
/// to an order in flight. Without addresses the data directory is audited: over the Redis servers of the shop that runs
/// on it, or else over servers that are started for the time of the audit.
///
/// Ends with 0: clean; 1: something disagrees; 2: a setting is wrong; 3: the audit could not be carried out.
#[derive(Debug, Clone, Args)]
pub struct AuditArgs {
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
    /// Where the data is
    #[command(flatten)]
    pub data: DataArgs,
    /// Records of a kind that are kept in memory at a time. Where there are more, all data is read several times: fewer take less memory and more time
    #[arg(long, default_value_t = 4_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub records_per_pass: u64,
}

/// Runs the command.
pub async fn run(args: AuditArgs) -> ExitCode {
    let report = report(&args).await;
    report.and_then(|report| audit::show(&report, args.json)).unwrap_or_else(|error| error.exit())
}

async fn report(args: &AuditArgs) -> Result<Report, AuditError> {
    let Found { addresses, redis, started } = data::find(&args.data)?;
    let report = match Source::open(addresses, &redis).await {
        Ok(source) => audit::audit(&source, args.records_per_pass).await,
        Err(error) => Err(error),
    };
    started.stop();
    report
}
