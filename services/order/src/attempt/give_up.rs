//! Giving up: an attempt that was never decided. Its order is open again at once (refuse), or when everything that the
//! attempt may hold has been cancelled (abort, then finish).

use shardcart_protocol::participant::Refusal;
use shardcart_schema::key;
use shardcart_store::shard::Shard;

use crate::attempt::reply::{ask, states_after};
use crate::attempt::{Answer, Attempt, AttemptRef, OrderState};
use crate::orders::{inflight_key, keys};
use crate::scripts::{ABORT, REFUSE};

/// Gives an attempt up, first step of two. May be repeated.
///
/// # Errors
/// See [`ShardError`](shardcart_store::shard_error::ShardError).
pub async fn abort(shard: &Shard, attempt: &Attempt, refusal: &Refusal) -> Answer<OrderState> {
    let [record, ..] = keys(shard, attempt.order.as_str());
    ask(shard, ABORT.keys(&[record]).arg(attempt.tx.as_str()).arg(refusal.to_record())).await
}

/// Gives attempts on orders of one shard up in one step, in one call: only where nobody holds anything for them, now or
/// ever. Returns the state of each order after it, in their order. May be repeated.
///
/// # Errors
/// See [`ShardError`](shardcart_store::shard_error::ShardError).
pub async fn refuse(shard: &Shard, refused: &[(AttemptRef, Refusal)]) -> Answer<Vec<Answer<OrderState>>> {
    let mut call = REFUSE.with_keys(1 + refused.len());
    call.key(inflight_key(shard));
    refused.iter().for_each(|(attempt, _)| call.key(key::order(shard.tag(), &attempt.order)));
    refused.iter().for_each(|(attempt, _)| call.push(attempt.tx.as_str()));
    refused.iter().for_each(|(_, refusal)| call.push(refusal.to_record()));
    states_after(shard, call, refused.iter().map(|(attempt, _)| attempt)).await
}
