//! Recovery: settles the attempts that a coordinator left behind. Every order machine does this; there is no leader.

use std::rc::Rc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream;
use shardcart_store::shard::Shard;
use shardcart_store::shard_error::ShardError;

use crate::attempt::{self, TakenOver};
use crate::participants::Participants;
use crate::settling::Settlement;

/// Orders claimed on one shard at once; more are claimed in the next round.
const CLAIMED_MAX: usize = 2_048;
/// How long other machines do not look at a claimed order: longer than settling takes when all participants answer.
const CLAIM: Duration = Duration::from_secs(2);
/// Orders that are taken over at once.
const PREPARED_MAX: usize = 64;

/// Looks every `interval` for attempts whose coordinator is late, for as long as the machine runs.
pub async fn run(participants: Rc<Participants>, interval: Duration) {
    loop {
        tokio::time::sleep(interval).await;
        join_all(participants.shards.iter().map(|shard| recover(&participants, shard))).await;
    }
}

/// One round on one shard. A shard that does not answer is looked at again in the next round.
async fn recover(participants: &Participants, shard: &Shard) {
    match taken_over(shard).await {
        Ok(taken) if taken.is_empty() => {}
        Ok(taken) => {
            let prepared =
                stream::iter(taken).map(|taken| participants.settlement(taken)).buffer_unordered(PREPARED_MAX);
            let settlements: Vec<Settlement> = prepared.filter_map(std::future::ready).collect().await;
            participants.settle(&settlements).await;
        }
        Err(error) => log::debug!(shard = shard.number(), error:%; "recovery cannot look at a shard"),
    }
}

/// Claims the orders that are due on a shard, and takes them over.
async fn taken_over(shard: &Shard) -> Result<Vec<TakenOver>, ShardError> {
    let due = attempt::claim(shard, CLAIM, CLAIMED_MAX).await?;
    let mut taken = Vec::new();
    for due in due.chunks(PREPARED_MAX) {
        let calls = due.iter().map(|order| attempt::take_over(shard, order)).collect();
        for (order, reply) in due.iter().zip(shard.run_all(calls).await?) {
            match reply.and_then(|reply| attempt::taken_over(shard, order, reply)) {
                Ok(found) => taken.push(found),
                // An order that cannot be taken over does not delay the others.
                Err(error) => log::error!(order:%, error:%; "recovery cannot read an order; it stays in flight"),
            }
        }
    }
    Ok(taken)
}
