//! `shop audit`: proves from the shards alone that nothing is lost and nothing is taken twice.

pub mod findings;
mod ids;
mod items;
mod orders;
mod pass;
mod products;
mod progress;
mod recheck;
pub mod report;
mod reservations;
pub mod source;
pub mod totals;
mod users;

use std::process::ExitCode;
use std::time::Instant;

use findings::{Findings, Kind};
use futures_util::future::try_join_all;
use ids::{Names, Slice};
use pass::{Pass, Totals};
use progress::Progress;
use report::Report;
use shardcart_order::audit as order;
use shardcart_schema::order::OrderStatus;
use shardcart_store::scan;
use shardcart_store::shard::Shard;
use shardcart_store::shard_error::ShardError;
use source::Source;
use totals::Width;

use crate::asked::LookError;
use crate::terminal;

/// However little memory is allowed: in each pass all keys are listed as often as there are passes.
const PASSES_MAX: u64 = 64;

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// A setting leads nowhere.
    #[error("{0}")]
    Setting(String),
    /// The shards cannot be read.
    #[error("the audit could not be carried out: {0}")]
    Failed(String),
}

impl AuditError {
    /// Says why on stderr, in one line.
    pub fn exit(&self) -> ExitCode {
        eprintln!("error: {self}");
        ExitCode::from(if matches!(self, AuditError::Setting(_)) { 2 } else { 3 })
    }
}

impl From<LookError> for AuditError {
    fn from(error: LookError) -> Self {
        match error {
            LookError::Setting(words) => AuditError::Setting(words),
            LookError::Failed(words) => AuditError::Failed(words),
        }
    }
}

/// Makes a shard's failure one of the audit.
fn shard_failed(service: &'static str) -> impl Fn(ShardError) -> AuditError {
    move |error| AuditError::Failed(format!("{service}: {error}"))
}

/// Prints a report, and says how the command ends: 0: clean; 1: something disagrees.
///
/// # Errors
/// `Failed`: it cannot be written.
pub fn show(report: &Report, as_json: bool) -> Result<ExitCode, AuditError> {
    let text = if as_json {
        serde_json::to_string_pretty(report).map_err(|error| AuditError::Failed(error.to_string()))?
    } else {
        report.to_string()
    };
    terminal::print(&text).map_err(|error| AuditError::Failed(error.to_string()))?;
    Ok(if report.clean { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Audits all shards. Records of a kind are kept in memory `records_per_pass` at a time.
///
/// # Errors
/// `Failed`: a shard does not answer, or was started anew meanwhile.
pub async fn audit(source: &Source, records_per_pass: u64) -> Result<Report, AuditError> {
    let began = Instant::now();
    let runs = run_ids(source).await?;
    let [orders, items, payments] = sizes(source).await?;
    // Half of the keys of an order shard are carts.
    let passes = (orders / 2).max(items).max(payments).div_ceil(records_per_pass).clamp(1, PASSES_MAX);
    let progress = Progress::new(passes * (passes * orders / 2 + 2 * items + payments));
    let (names, findings, mut totals) = (Names::default(), Findings::default(), Totals::default());
    let in_flight_before = in_flight(source, None).await?;
    let mut looked_at_again = 0;
    for slice in (Slice { part: 0, of: passes }).all() {
        let pass = Pass::new(source, &names, &findings, &progress, slice, &mut totals);
        let suspects = pass.run().await?;
        looked_at_again += recheck::check(source, &names, suspects, &findings).await?;
    }
    let held = std::mem::take(&mut totals.held);
    let held_count = u64::try_from(held.len()).unwrap_or(u64::MAX);
    let holders = [("stock", &*source.stock), ("payment", &*source.payment)];
    reservations::check(&source.order, &holders, held, &findings).await?;
    products::check(&source.stock, &findings).await.map_err(shard_failed("stock"))?;
    let in_flight = in_flight(source, Some(&findings)).await?;
    if run_ids(source).await? != runs {
        return Err(AuditError::Failed("a shard was started anew while it was read; run the audit again".to_owned()));
    }
    progress.end();

    let width = Width { units: totals.items.width, credit: totals.users.width };
    let kinds = findings.into_kinds();
    Ok(Report {
        clean: kinds.is_empty(),
        at_rest: in_flight_before + in_flight + held_count == 0
            && width == Width::default()
            && totals.users.overwritten_meanwhile == 0,
        in_flight,
        held: held_count,
        orders: totals.orders,
        items: totals.items,
        users: totals.users,
        payments: totals.payments,
        width,
        looked_at_again,
        shards: source.all().map(|shards| shards.iter().len()),
        passes,
        seconds: began.elapsed().as_secs_f64(),
        counts: kinds.iter().map(|(kind, (count, _))| (*kind, *count)).collect(),
        disagreements: kinds.into_values().flat_map(|(_, kept)| kept).collect(),
    })
}

/// Which run of its server each shard is.
async fn run_ids(source: &Source) -> Result<Vec<String>, AuditError> {
    for_all_shards(source, scan::run_id).await.map(|ids| ids.into_iter().flatten().collect())
}

/// How many keys each service has.
async fn sizes(source: &Source) -> Result<[u64; 3], AuditError> {
    Ok(for_all_shards(source, scan::size).await?.map(|sizes| sizes.into_iter().sum()))
}

async fn for_all_shards<T>(
    source: &Source,
    ask: impl AsyncFn(&Shard) -> Result<T, ShardError>,
) -> Result<[Vec<T>; 3], AuditError> {
    let ask = &ask;
    let [order, stock, payment] = source.all().map(|shards| async move {
        let service = shards.membership().service();
        try_join_all(shards.iter().map(async |shard| ask(shard).await)).await.map_err(shard_failed(service))
    });
    let (order, stock, payment) = tokio::try_join!(order, stock, payment)?;
    Ok([order, stock, payment])
}

/// How many orders are in flight; with `findings`, checks that each is under way.
async fn in_flight(source: &Source, findings: Option<&Findings>) -> Result<u64, AuditError> {
    let listed = try_join_all(source.order.iter().map(order::in_flight)).await.map_err(shard_failed("order"))?;
    let listed: Vec<order::InFlight> = listed.into_iter().flatten().collect();
    for entry in listed.iter().filter(|entry| !entry.newer) {
        let status = entry.status.as_deref().unwrap_or("not there");
        if let Some(findings) = findings
            && (entry.status.is_none() || OrderStatus::parse(status) == Some(OrderStatus::Open))
        {
            let detail = format!("listed as in flight, but it is {status}");
            findings.add(Kind::StrayInFlight, &entry.order, "an order under way", status, detail);
        }
    }
    Ok(u64::try_from(listed.len()).unwrap_or(u64::MAX))
}
