//! Decide: a pending order becomes paid. This is the one write that makes an order paid.

use shardcart_schema::key::Kind;
use shardcart_store::shard::Shard;

use crate::attempt::reply::{push_keys, states_after};
use crate::attempt::{Answer, AttemptRef, OrderState};
use crate::scripts::DECIDE;

/// Commits attempts that are still pending on orders of one shard, in one call. Returns the state of each order after
/// it, in their order. May be repeated.
///
/// # Errors
/// `Unanswered`: each of them may be paid now. Ask again to find out.
pub async fn decide(shard: &Shard, attempts: &[AttemptRef]) -> Answer<Vec<Answer<OrderState>>> {
    let mut call = DECIDE.with_keys(attempts.len());
    push_keys(&mut call, shard, attempts, Kind::Order);
    attempts.iter().for_each(|attempt| call.push(attempt.tx.as_str()));
    states_after(shard, call, attempts).await
}
