//! The review of old reservations: a participant asks the order service about what it still holds long after its
//! deadline, and cancels what no order knows. Normally there is nothing: recovery has been there before.

use std::rc::Rc;
use std::time::Duration;

use crate::ids::{OrderId, Partition, TxId};
use crate::orders::{ASKED_MAX, Asked, Orders};
use crate::participant::{Batch, Operation, Participant, Step};
use crate::script::words;
use crate::shard::{Shard, ShardError};
use crate::shards::Shards;

crate::scripts! {
    HELD = "held.lua";
}

/// Reservations looked at in one partition at once, the oldest first.
const LOOKED_AT_MAX: usize = 512;
/// The longest time between two reviews.
const INTERVAL_MAX: Duration = Duration::from_secs(10);

struct Held {
    at: Partition,
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
    for held in held.chunks(ASKED_MAX) {
        let asked = held.iter().map(|held| Asked { order: held.order.clone(), tx: Some(held.tx.clone()) }).collect();
        let standings = orders.standings(asked).await?;
        let orphans = held.iter().zip(standings).filter(|(held, standing)| !standing.may_hold(&held.tx));
        let cancels: Vec<Operation> = orphans
            .map(|(held, standing)| {
                log::warn!(order:% = held.order, tx:% = held.tx, standing:?; "a reservation belongs to no attempt any more: cancelling it");
                Operation { at: held.at, tx: held.tx.clone(), deadline_ms: held.deadline_ms, trace: None, step: Step::Cancel }
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

/// What a shard has held for so long, without a scan of its keys.
async fn list(shard: &Shard, after: Duration) -> Result<Vec<Held>, ShardError> {
    let partitions: Vec<Partition> = Partition::of_shard(shard.number()).collect();
    let after_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
    let calls: Vec<_> = partitions
        .iter()
        .map(|partition| {
            HELD.keys(&[partition.own_key("held")]).arg(after_ms).arg(LOOKED_AT_MAX).arg(partition.own_key("tx:"))
        })
        .collect();
    let mut held = Vec::new();
    for (at, reply) in partitions.into_iter().zip(shard.run_all(calls).await?) {
        for entry in words(reply?).chunks_exact(3) {
            let parsed = (TxId::parse(&entry[0]), entry[1].parse::<f64>(), OrderId::parse(&entry[2]));
            if let (Ok(tx), Ok(deadline_ms), Ok(order)) = parsed {
                // A score is a double; a deadline in milliseconds is exact in it.
                held.push(Held { at, tx, deadline_ms: deadline_ms as u64, order });
            }
        }
    }
    Ok(held)
}
