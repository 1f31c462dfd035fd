//! What the order service shows of itself to an operator. Nothing here writes.

use std::time::Duration;

use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use shardcart_protocol::insight::{self, Found, LookUp, OrderRecord, Seen, Wanted};
use shardcart_schema::key::{self, Kind};
use shardcart_schema::order::{CartLine, lease_left_ms};
use shardcart_schema::record::{self, ORDER, field};
use shardcart_store::scan;
use shardcart_store::shard::Shard;
use shardcart_store::shard_error::ShardError;
use shardcart_store::shards::Shards;
use shardcart_types::ids::{OrderId, TxId, minted_ms};
use tokio::sync::{Mutex, mpsc};

use crate::audit;
use crate::orders::{inflight_key, keys};

shardcart_store::scripts! {
    INSPECT = "inspect.lua";
    OLDEST = "oldest.lua";
}

/// How long all orders of a shard may be searched for the one that an attempt belongs to.
const SEARCH_MAX: Duration = Duration::from_secs(2);
/// Held during a search: one at a time is load enough for a shard.
static SEARCH: Mutex<()> = Mutex::const_new(());
/// Entries of each shard's `inflight` that are looked at for the oldest.
const LOOKED_AT_MAX: usize = 512;

/// The order service itself, asked in-process.
pub type LocalInsight = insight::LocalInsight<Orders>;

/// What the order service looks up.
#[derive(Debug)]
pub struct Orders;

impl LookUp for Orders {
    const UNDER_WAY: Kind = Kind::Inflight;

    async fn look_up(shards: &Shards, wanted: Wanted) -> Option<Seen> {
        let seen = match wanted {
            Wanted::Order { order } => {
                insight::at_home(shards, order.as_str(), async |shard| self::order(shard, &order).await).await
            }
            Wanted::OrderOf { tx } => {
                insight::at_home(shards, tx.as_str(), async |shard| order_of(shard, &tx).await).await
            }
            _ => return None,
        };
        Some(seen)
    }
}

/// An order as it lies on its shard, with its cart and its place in flight, at one moment.
///
/// # Errors
/// The shard's.
pub async fn order(shard: &Shard, order: &OrderId) -> Result<Found, ShardError> {
    let reply = shard.ask(&INSPECT.keys(&keys(shard, order.as_str()))).await?;
    let mut rows = scan::rows(shard, &INSPECT, redis::Value::Array(vec![reply]))?;
    Ok(rows.pop().map_or(Found::Unreadable, |row| found(order, row)))
}

fn found(order: &OrderId, mut row: Vec<Option<String>>) -> Found {
    if row.len() < 11 {
        return Found::Unreadable;
    }
    let lines = row.split_off(11);
    let Ok([now, status, tx, user, total, incarnation, deadline, lease, refusal, version, due]) =
        <[Option<String>; 11]>::try_from(row)
    else {
        return Found::Unreadable;
    };
    if version.is_some() {
        return Found::Newer;
    }
    let Some(status) = status else { return Found::Absent };
    let ms = |text: Option<String>| text.and_then(|text| text.parse::<f64>().ok()).map_or(0, whole);
    let line = |pair: &[Option<String>]| {
        let [Some(item), Some(line)] = pair else { return None };
        let CartLine { units, sum } = CartLine::parse(line)?;
        Some((item.clone(), units, sum))
    };
    let lines: Option<Vec<_>> = lines.chunks(2).map(line).collect();
    match (tx, user, total.and_then(|total| total.parse().ok()), lines) {
        (Some(tx), Some(user), Some(total), Some(mut lines)) => {
            lines.sort();
            Found::Order(OrderRecord {
                order: order.as_str().to_owned(),
                status,
                user,
                total,
                tx,
                refusal: refusal.unwrap_or_default(),
                deadline_ms: ms(deadline),
                lease_ms: ms(lease),
                due_ms: due.map(|due| ms(Some(due))),
                now_ms: ms(now),
                incarnation: incarnation.unwrap_or_default(),
                lines,
            })
        }
        _ => Found::Unreadable,
    }
}

/// A score or a time as Redis writes it, in whole milliseconds.
fn whole(ms: f64) -> u64 {
    // Saturates: what is negative or no number is 0.
    ms as u64
}

/// The order whose current or last attempt this is. What is in flight is found at once; for the rest, all orders of the
/// shard are searched, for two seconds at most. There is one such search at a time, and the wait for it counts.
async fn order_of(shard: &Shard, tx: &TxId) -> Result<Found, ShardError> {
    for attempt in in_flight_of(shard).await? {
        if attempt.tx == tx.as_str()
            && let Ok(id) = OrderId::parse(&attempt.order)
        {
            return order(shard, &id).await;
        }
    }
    let searched = async {
        let _alone = SEARCH.lock().await;
        search(shard, tx).await
    };
    match tokio::time::timeout(SEARCH_MAX, searched).await {
        Ok(Ok(Some(id))) => order(shard, &id).await,
        Ok(Ok(None)) => Ok(Found::Absent),
        Ok(Err(error)) => Err(error),
        Err(_) => Ok(Found::TooMany),
    }
}

/// Goes through all orders of a shard until one is found whose current or last attempt this is.
async fn search(shard: &Shard, tx: &TxId) -> Result<Option<OrderId>, ShardError> {
    let pattern = key::order(shard.tag(), "*").to_string();
    let (hit, mut hits) = mpsc::unbounded_channel();
    let scanned = scan::scan(shard, &pattern, |batch: Vec<String>| {
        let hit = hit.clone();
        async move {
            let read = scan::records(shard, &batch).await?;
            let is_of = |bytes: &Option<Vec<u8>>| match ORDER.read(bytes.as_deref()) {
                record::Found::Record(record) => record.text(field::TX) == tx.as_str(),
                _ => false,
            };
            let found = batch.iter().zip(read).find(|(_, bytes)| is_of(bytes)).and_then(|(key, _)| audit::id(key));
            if let Some(id) = found.and_then(|order| OrderId::parse(order).ok()) {
                // The receiver lives as long as the search.
                let _ = hit.send(id);
            }
            Ok(())
        }
    });
    tokio::select! {
        biased;
        // The rest of the scan is dropped: nothing more has to be looked at.
        id = hits.recv() => Ok(id),
        scanned = scanned => scanned.map(|()| hits.try_recv().ok()),
    }
}

/// An attempt that is in flight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InFlight {
    /// The order.
    pub order: String,
    /// `pending`, `aborting`, `paid`, or `unknown` where there is no such order.
    pub status: String,
    /// The attempt.
    pub tx: String,
    /// Whose order it is.
    pub user: String,
    /// The order's shard.
    pub shard: u16,
    /// Since when it is under way, in milliseconds.
    pub age_ms: u64,
    /// How long it is still its coordinator's alone, in milliseconds.
    pub lease_left_ms: u64,
}

/// The oldest of what is in flight on all shards that answer, `most` of them. Of each shard the entries that are due first
/// are looked at.
pub async fn oldest(shards: &Shards, most: usize) -> Vec<InFlight> {
    let looked = shards.iter().map(|shard| async move { in_flight_of(shard).await.unwrap_or_default() });
    let mut all: Vec<InFlight> = join_all(looked).await.into_iter().flatten().collect();
    all.sort_by(|one, other| other.age_ms.cmp(&one.age_ms).then_with(|| one.order.cmp(&other.order)));
    all.truncate(most);
    all
}

async fn in_flight_of(shard: &Shard) -> Result<Vec<InFlight>, ShardError> {
    let reply = shard.ask(&OLDEST.keys(&[inflight_key(shard)]).arg(LOOKED_AT_MAX)).await?;
    let rows = scan::rows(shard, &OLDEST, reply)?;
    Ok(rows.into_iter().filter_map(|row| in_flight(shard.number(), row)).collect())
}

fn in_flight(shard: u16, row: Vec<Option<String>>) -> Option<InFlight> {
    let [key, now, status, tx, user, lease] = <[Option<String>; 6]>::try_from(row).ok()?;
    let key = key?;
    let order = audit::id(&key)?;
    let ms = |text: Option<String>| text.and_then(|text| text.parse::<f64>().ok()).map_or(0, whole);
    let (now, lease, tx) = (ms(now), ms(lease), tx.unwrap_or_default());
    let status = status.unwrap_or_else(|| "unknown".to_owned());
    let lease_left_ms = lease_left_ms(&status, lease, now);
    Some(InFlight {
        order: order.to_owned(),
        age_ms: if tx.is_empty() { 0 } else { now.saturating_sub(minted_ms(&tx)) },
        status,
        tx,
        user: user.unwrap_or_default(),
        shard,
        lease_left_ms,
    })
}

#[cfg(test)]
mod tests {
    use shardcart_schema::limit::LEASE_MAX_MS;

    use super::*;

    #[test]
    fn what_is_left_of_a_lease_is_the_same_wherever_an_operator_looks() {
        let now = 1_795_000_000_000;
        // The last was written before the shard's clock was set back.
        for (lease, left) in [(now + 1_500, 1_500), (now - 1, 0), (now + LEASE_MAX_MS, 0)] {
            let text = |text: &str| Some(text.to_owned());
            let row = vec![
                text("{3}:order:7"),
                text(&now.to_string()),
                text("pending"),
                text("t"),
                text("ann"),
                text(&lease.to_string()),
            ];
            let listed = in_flight(0, row).unwrap();
            let order = OrderId::parse("7").unwrap();
            let row = [&now.to_string(), "pending", "t", "ann", "5", "", "1", &lease.to_string(), "", "", ""];
            let row = row.iter().map(|field| text(field).filter(|field| !field.is_empty())).collect();
            let Found::Order(inspected) = found(&order, row) else { panic!("it is an order") };
            assert_eq!((listed.lease_left_ms, inspected.lease_left_ms()), (left, left), "{lease}");
        }
    }
}
