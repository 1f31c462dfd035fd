//! Finish: all participants know the decision, and the attempt is no longer in flight.

use shardcart_schema::key::Kind;
use shardcart_store::shard::Shard;

use crate::attempt::reply::{push_keys, states_after};
use crate::attempt::{Answer, AttemptRef, OrderState};
use crate::orders::inflight_key;
use crate::scripts::FINISH;

/// Ends settled attempts on orders of one shard, in one call. Returns the state of each order after it, in their order.
/// May be repeated.
///
/// # Errors
/// See [`ShardError`](shardcart_store::shard_error::ShardError).
pub async fn finish(shard: &Shard, attempts: &[AttemptRef]) -> Answer<Vec<Answer<OrderState>>> {
    let mut call = FINISH.with_keys(1 + attempts.len());
    call.key(inflight_key(shard));
    push_keys(&mut call, shard, attempts, Kind::Order);
    attempts.iter().for_each(|attempt| call.push(attempt.tx.as_str()));
    states_after(shard, call, attempts).await
}
