//! Calls that ask about several attempts, and how their replies are read.

use std::time::Duration;

use shardcart_schema::key::{self, Kind};
use shardcart_schema::reply::Reply;
use shardcart_store::script::{Call, each, words};
use shardcart_store::shard::Shard;
use shardcart_store::shard_error::ShardError;

use crate::attempt::{Answer, AttemptRef, OrderState, Status};

pub(super) fn push_keys(call: &mut Call, shard: &Shard, attempts: &[AttemptRef], kind: Kind) {
    for AttemptRef { order, .. } in attempts {
        call.key(key::named(shard.tag(), kind, order));
    }
}

/// Runs a call about several attempts; one reply each.
pub(super) async fn replies(shard: &Shard, call: Call, count: usize) -> Answer<Vec<redis::Value>> {
    let reply = shard.run(&call).await?;
    each(reply, count).ok_or_else(|| unexpected(shard, call.name(), &[]))
}

pub(super) async fn ask(shard: &Shard, call: Call) -> Answer<OrderState> {
    let call = call.repeatable();
    order_state(shard, call.name(), &words(shard.run(&call).await?))
}

/// Runs a call that may be repeated about these attempts. Returns the state of each order after it, in their order.
pub(super) async fn states_after<'a>(
    shard: &Shard,
    call: Call,
    attempts: impl IntoIterator<Item = &'a AttemptRef, IntoIter: ExactSizeIterator>,
) -> Answer<Vec<Answer<OrderState>>> {
    let (script, call, attempts) = (call.name(), call.repeatable(), attempts.into_iter());
    let replies = replies(shard, call, attempts.len()).await?;
    Ok(replies.into_iter().zip(attempts).map(|(reply, attempt)| state_after(shard, script, attempt, reply)).collect())
}

/// The state of an order, as a script about several attempts answers it: `PAID` is short for paid by this attempt.
pub(super) fn state_after(
    shard: &Shard,
    script: &str,
    attempt: &AttemptRef,
    reply: redis::Value,
) -> Answer<OrderState> {
    let words = split(reply);
    if let [word] = words.as_slice()
        && Reply::parse(word) == Some(Reply::Paid)
    {
        return Ok(OrderState { status: Status::Paid, tx: attempt.tx.as_str().to_owned(), refusal: String::new() });
    }
    order_state(shard, script, &words)
}

/// Splits `status tx refusal`, as scripts about several attempts answer. A refusal may name an item after a space.
pub(super) fn split(reply: redis::Value) -> Vec<String> {
    words(reply).first().map(|line| line.splitn(3, ' ').map(str::to_owned).collect()).unwrap_or_default()
}

/// Reads `{ status, tx, … }`.
pub(super) fn order_state(shard: &Shard, script: &str, words: &[String]) -> Answer<OrderState> {
    let status = words.first().and_then(|word| Status::parse(word));
    let status = status.ok_or_else(|| unexpected(shard, script, words))?;
    let word = |place: usize| words.get(place).cloned().unwrap_or_default();
    Ok(OrderState { status, tx: word(1), refusal: word(2) })
}

pub(super) fn unexpected(shard: &Shard, script: &str, words: &[String]) -> ShardError {
    ShardError::Unanswered { shard: shard.number(), cause: format!("{script} answered {words:?}") }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
