//! What `shop audit` is told.

use clap::Args;

use crate::data_args::DataArgs;

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
