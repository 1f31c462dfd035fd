//! Taking over: claims orders whose coordinator is late, and finds what has to be done for each.

use std::time::Duration;

use shardcart_protocol::participant::Refusal;
use shardcart_schema::key::{self, Kind};
use shardcart_schema::limit::LEASE_MAX_MS;
use shardcart_schema::reply::Reply;
use shardcart_store::script::{Call, words};
use shardcart_store::shard::Shard;
use shardcart_types::ids::{OrderId, TxId, UserId};

use crate::attempt::reply::{millis, order_state, unexpected};
use crate::attempt::{Answer, Attempt, Status};
use crate::orders::{inflight_key, keys, parse_lines};
use crate::scripts::{CLAIM, TAKE_OVER};

/// What recovery finds when it takes an order over.
#[derive(Debug)]
pub enum TakenOver {
    /// Confirm at all participants, then finish.
    Paid(Attempt),
    /// Undecided until now: nobody can decide it any more. Cancel at all participants, then finish.
    Taken(Attempt),
    /// Given up before. Cancel at all participants, then finish.
    Aborting(Attempt),
    /// Nothing to do now.
    Nothing,
}

/// Claims the orders that are due on a shard, `most` of them, for as long as `hold`.
///
/// # Errors
/// See [`ShardError`](shardcart_store::shard_error::ShardError).
pub async fn claim(shard: &Shard, hold: Duration, most: usize) -> Answer<Vec<OrderId>> {
    let call = CLAIM.keys(&[inflight_key(shard)]).arg(millis(hold)).arg(most).arg(LEASE_MAX_MS).repeatable();
    let due = words(shard.run(&call).await?);
    let order = |key: &String| order_of_key(key).and_then(|id| OrderId::parse(id).ok());
    Ok(due.iter().filter_map(order).collect())
}

/// The id of an order in its key; `None` for another key.
pub(crate) fn order_of_key(key: &str) -> Option<&str> {
    key::parse(key).filter(|key| key.kind == Some(Kind::Order)).map(|key| key.name)
}

/// The call that takes an order over; its reply is read with [`taken_over`]. May be repeated.
pub fn take_over(shard: &Shard, order: &OrderId) -> Call {
    TAKE_OVER
        .keys(&keys(shard, order.as_str()))
        .arg(Refusal::CheckoutAborted.to_record())
        .arg(LEASE_MAX_MS)
        .repeatable()
}

/// Reads the reply of [`take_over`].
///
/// # Errors
/// `Unanswered`: a reply that the script does not give.
pub fn taken_over(shard: &Shard, order: &OrderId, reply: redis::Value) -> Answer<TakenOver> {
    let words = words(reply);
    let attempt = || attempt(shard, order, &words).ok_or_else(|| unexpected(shard, TAKE_OVER.name(), &words));
    if words.first().is_some_and(|word| Reply::parse(word) == Some(Reply::Taken)) {
        return attempt().map(TakenOver::Taken);
    }
    match order_state(shard, TAKE_OVER.name(), &words)?.status {
        _ if words.len() <= 3 => Ok(TakenOver::Nothing),
        Status::Paid => attempt().map(TakenOver::Paid),
        _ => attempt().map(TakenOver::Aborting),
    }
}

/// Reads `{ _, tx, _, deadline, user, total, incarnation, item, line, … }`.
fn attempt(shard: &Shard, order: &OrderId, words: &[String]) -> Option<Attempt> {
    let [_, tx, _, deadline, user, total, incarnation, lines @ ..] = words else {
        return None;
    };
    Some(Attempt {
        order: order.clone(),
        shard: shard.number(),
        tx: TxId::parse(tx).ok()?,
        deadline_ms: deadline.parse().ok()?,
        user: UserId::parse(user).ok()?,
        total: total.parse().ok()?,
        incarnation: incarnation.clone(),
        lines: parse_lines(lines)?,
    })
}
