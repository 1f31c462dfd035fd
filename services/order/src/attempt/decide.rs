//! Decide: a pending order becomes paid. This is the one write that makes an order paid.

use shardcart_common::shard::Shard;

use crate::attempt::reply::{push_keys, replies, state_after};
use crate::attempt::{Answer, AttemptRef, OrderState};
use crate::scripts::DECIDE;

/// Commits attempts that are still pending on orders of one shard, in one call: how each order stands now, in order.
/// May be repeated.
///
/// # Errors
/// `Unanswered`: any of them may be paid now; only asking again tells.
pub async fn decide(shard: &Shard, attempts: &[AttemptRef]) -> Answer<Vec<Answer<OrderState>>> {
    let mut call = DECIDE.with_keys(attempts.len());
    push_keys(&mut call, attempts, "order");
    attempts.iter().for_each(|attempt| call.push(attempt.tx.as_str()));
    let replies = replies(shard, call.repeatable(), attempts.len()).await?;
    Ok(replies
        .into_iter()
        .zip(attempts)
        .map(|(reply, attempt)| state_after(shard, DECIDE.name(), attempt, reply))
        .collect())
}
