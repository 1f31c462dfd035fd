//! Begin: an open order becomes pending, and its cart is frozen.

use std::time::Duration;

use shardcart_schema::key::Kind;
use shardcart_schema::record::{self, Found, field};
use shardcart_schema::reply::Reply;
use shardcart_store::shard::Shard;
use shardcart_types::ids::{ItemId, UserId, minted_ms};

use crate::attempt::reply::{millis, order_state, push_keys, replies, split, unexpected};
use crate::attempt::{Answer, Attempt, AttemptRef, OrderState};
use crate::orders::inflight_key;
use crate::scripts::BEGIN;

/// The answer to begin.
#[derive(Debug)]
pub enum Begun {
    /// It has begun: the caller drives it.
    Attempt(Attempt),
    /// It has not: the state of the order says why.
    NotBegun(OrderState),
    /// The tx is not later than the order's last: mint a later one.
    Moved {
        /// The Unix milliseconds of the last.
        last_ms: u64,
    },
}

/// Begins attempts on orders of one shard, in one call: one answer each, in order. May be repeated: a tx begins at most
/// once.
///
/// # Errors
/// See [`ShardError`](shardcart_store::shard_error::ShardError).
pub async fn begin(
    shard: &Shard,
    attempts: &[AttemptRef],
    lease: Duration,
    deadline: Duration,
) -> Answer<Vec<Answer<Begun>>> {
    let mut call = BEGIN.with_keys(1 + 2 * attempts.len());
    call.key(inflight_key(shard));
    push_keys(&mut call, shard, attempts, Kind::Order);
    push_keys(&mut call, shard, attempts, Kind::Cart);
    call.push(millis(lease));
    call.push(millis(deadline));
    attempts.iter().for_each(|attempt| call.push(attempt.tx.as_str()));
    let replies = replies(shard, call.repeatable(), attempts.len()).await?;
    Ok(replies.into_iter().zip(attempts).map(|(reply, attempt)| begun(shard, attempt, reply)).collect())
}

fn begun(shard: &Shard, attempt: &AttemptRef, reply: redis::Value) -> Answer<Begun> {
    if let redis::Value::BulkString(bytes) = &reply
        && let Some(end) = bytes.iter().position(|byte| *byte == b'\n')
    {
        let attempt = attempt_of(attempt, &bytes[end + 1..], &bytes[..end]);
        return attempt.map(Begun::Attempt).ok_or_else(|| unexpected(shard, BEGIN.name(), &[]));
    }
    let words = split(reply);
    if words.first().is_some_and(|word| Reply::parse(word) == Some(Reply::Moved)) {
        let last = words.get(1).map_or("", String::as_str);
        return Ok(Begun::Moved { last_ms: minted_ms(last) });
    }
    order_state(shard, BEGIN.name(), &words).map(Begun::NotBegun)
}

/// An attempt that was begun, from the order's record and its cart.
fn attempt_of(attempt: &AttemptRef, record: &[u8], cart: &[u8]) -> Option<Attempt> {
    let Found::Record(order) = record::ORDER.read(Some(record)) else { return None };
    let mut words = std::str::from_utf8(cart).ok()?.split_ascii_whitespace();
    let mut lines = Vec::new();
    while let Some(item) = words.next() {
        let (units, _sum) = (words.next()?.parse().ok()?, words.next()?.parse::<u64>().ok()?);
        lines.push((ItemId::parse(item).ok()?, units));
    }
    Some(Attempt {
        order: attempt.order.clone(),
        shard: attempt.shard,
        tx: attempt.tx.clone(),
        deadline_ms: order.amount(field::DEADLINE)?,
        user: UserId::parse(order.text(field::USER)).ok()?,
        total: order.amount(field::TOTAL)?,
        incarnation: order.incarnation().to_owned(),
        lines,
    })
}
