//! Recovery: settles what a coordinator left behind. Every order machine does this; none leads.

use std::rc::Rc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream;
use shardcart_store::shard::Shard;
use shardcart_store::shard_error::ShardError;

use crate::attempt::{self, TakenOver};
use crate::settling::{Settlement, Settling};

/// Orders claimed on one shard at once; more are claimed in the next round.
const CLAIMED_MAX: usize = 2_048;
/// How long a claim keeps other machines away: longer than settling takes when all answer.
const CLAIM: Duration = Duration::from_secs(2);
/// Attempts prepared for settling at once.
const PREPARED_MAX: usize = 64;

/// Looks every `interval` for attempts whose coordinator is late, for as long as the machine runs.
pub async fn run(settling: Rc<Settling>, interval: Duration) {
    loop {
        tokio::time::sleep(interval).await;
        join_all(settling.shards.iter().map(|shard| recover(&settling, shard))).await;
    }
}

/// One round on one shard. A shard that does not answer is looked at in the next.
async fn recover(settling: &Settling, shard: &Shard) {
    match taken_over(shard).await {
        Ok(taken) if taken.is_empty() => {}
        Ok(taken) => {
            let prepared = stream::iter(taken).map(|taken| settling.settlement(taken)).buffer_unordered(PREPARED_MAX);
            let settlements: Vec<Settlement> = prepared.filter_map(std::future::ready).collect().await;
            settling.settle(&settlements).await;
        }
        Err(error) => log::debug!(shard = shard.number(), error:%; "recovery cannot look at a shard"),
    }
}

/// Claims what is due on a shard, and takes it over.
async fn taken_over(shard: &Shard) -> Result<Vec<TakenOver>, ShardError> {
    let due = attempt::claim(shard, CLAIM, CLAIMED_MAX).await?;
    let mut taken = Vec::new();
    for due in due.chunks(PREPARED_MAX) {
        let calls = due.iter().map(|(partition, order)| attempt::take_over(*partition, order)).collect();
        for ((partition, order), reply) in due.iter().zip(shard.run_all(calls).await?) {
            match reply.and_then(|reply| attempt::taken_over(shard, *partition, order, reply)) {
                Ok(found) => taken.push(found),
                // One order that cannot be taken over keeps none of the others waiting.
                Err(error) => log::error!(order:%, error:%; "recovery cannot read an order; it stays in flight"),
            }
        }
    }
    Ok(taken)
}
