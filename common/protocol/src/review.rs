//! The review of old reservations: a participant asks the order service about what it still holds long after its
//! deadline, and cancels what no order knows. Normally there is nothing: recovery has been there before.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use redis::{FromRedisValue, Value};
use shardcart_schema::limit::STATUS_QUERIES_MAX;
use shardcart_store::scan;
use shardcart_store::script::Call;
use shardcart_store::shard::Shard;
use shardcart_store::shard_error::ShardError;
use shardcart_store::shards::Shards;
use shardcart_types::ids::{OrderId, TxId};

use crate::orders::{Orders, StatusQuery};
use crate::participant::{Batch, Operation, Participant, Step};

/// Reservations looked at in one step. Redis may return more at once, but not many.
const STEP: usize = 256;
/// Old reservations of a shard that one review deals with; the next goes on.
const HELD_MAX: usize = 8_192;
/// The longest time between two reviews.
const INTERVAL_MAX: Duration = Duration::from_secs(10);

struct Held {
    tx: TxId,
    deadline_ms: u64,
    order: OrderId,
}

/// Reviews for as long as the machine runs what was held for `after` beyond its deadline.
pub async fn run(
    shards: std::sync::Arc<Shards>,
    participant: Rc<dyn Participant>,
    orders: Rc<dyn Orders>,
    after: Duration,
) {
    let interval = (after / 2).clamp(Duration::from_millis(100), INTERVAL_MAX);
    loop {
        tokio::time::sleep(interval).await;
        for shard in shards.iter() {
            if let Err(cause) = review(&shards, shard, &*participant, &*orders, after).await {
                log::warn!(service = shards.membership().service(), shard = shard.number(), cause; "old reservations could not be reviewed");
            }
        }
    }
}

async fn review(
    shards: &Shards,
    shard: &Shard,
    participant: &dyn Participant,
    orders: &dyn Orders,
    after: Duration,
) -> Result<(), String> {
    // A shard that is down has been reported by those who needed it.
    let held = list(shard, after).await.unwrap_or_default();
    for held in held.chunks(STATUS_QUERIES_MAX) {
        let asked =
            held.iter().map(|held| StatusQuery { order: held.order.clone(), tx: Some(held.tx.clone()) }).collect();
        let statuses = orders.order_statuses(asked).await?;
        let orphans = held.iter().zip(statuses).filter(|(held, answer)| !answer.may_hold(&held.tx));
        let cancels: Vec<Operation> = orphans
            .map(|(held, answer)| {
                log::warn!(order:% = held.order, tx:% = held.tx, status:? = answer; "a reservation belongs to no attempt any more: cancelling it");
                Operation { tx: held.tx.clone(), deadline_ms: held.deadline_ms, trace: None, step: Step::Cancel }
            })
            .collect();
        if !cancels.is_empty() {
            let founding = shards.membership().founding();
            let batch = Batch { founding, shard: shard.number(), operations: cancels };
            participant.run(batch).await.map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}

/// What a shard has held for so long: all that it holds is gone through in steps, without a scan of its keys.
async fn list(shard: &Shard, after: Duration) -> Result<Vec<Held>, ShardError> {
    let after_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
    let (mut held, mut cursor) = (HashMap::new(), String::from("0"));
    loop {
        let mut scan = redis::cmd("HSCAN");
        scan.arg(scan::held_key(shard)).arg(&cursor).arg("COUNT").arg(STEP);
        let calls = vec![Call::read(redis::cmd("TIME")), Call::read(scan)];
        let mut replies = shard.run_all(calls).await?.into_iter();
        let (Some(time), Some(found)) = (replies.next(), replies.next()) else { break };
        let unexpected = |error: redis::ParsingError| scan::unexpected_reply(shard, "HSCAN", &error.to_string());
        let (seconds, _) = <(u64, u64)>::from_redis_value(time?).map_err(unexpected)?;
        let (next, found) = <(String, Value)>::from_redis_value(found?).map_err(unexpected)?;
        let latest_ms = (seconds * 1_000).saturating_sub(after_ms);
        for reservation in scan::reservations(found).map_err(|error| scan::unexpected_reply(shard, "HSCAN", &error))? {
            let Some(found) = reservation.held().filter(|held| held.deadline_ms <= latest_ms) else { continue };
            if let (Ok(tx), Ok(order)) = (TxId::parse(&reservation.tx), OrderId::parse(found.order)) {
                let deadline_ms = found.deadline_ms;
                // A step may return again what an earlier one has returned.
                held.insert(reservation.tx.clone(), Held { tx, deadline_ms, order });
            }
        }
        cursor = next;
        if cursor == "0" || held.len() >= HELD_MAX {
            break;
        }
    }
    Ok(held.into_values().collect())
}
