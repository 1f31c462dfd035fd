//! Many things at once: each on its shard, as many in a call as may be, all shards at the same time.

use futures_util::future::join_all;
use redis::Value;

use crate::script::{Call, each};
use crate::shard::Shard;
use crate::shard_error::ShardError;
use crate::shards::Shards;

/// Makes calls for things that lie on these shards, and gives the reply to each thing, in their order. `call` makes the
/// call for those that are at these places, `max` of them at most; its script answers with a list of as many replies, or
/// with one reply to all. The calls of a shard go out one after the other.
///
/// Where a shard does not answer, only what lies there fails.
pub async fn ask(
    shards: &Shards,
    places: &[u16],
    max: usize,
    call: impl Fn(&Shard, &[usize]) -> Call,
) -> Vec<Result<Value, ShardError>> {
    let call = &call;
    let mut by_shard: Vec<(u16, Vec<usize>)> = Vec::new();
    for (place, shard) in places.iter().enumerate() {
        match by_shard.iter_mut().find(|(of, _)| of == shard) {
            Some((_, own)) => own.push(place),
            None => by_shard.push((*shard, vec![place])),
        }
    }
    let answered = join_all(by_shard.iter().map(async |(number, own)| {
        let mut replies = Vec::with_capacity(own.len());
        for chunk in own.chunks(max) {
            replies.extend(replies_of(shards, *number, chunk, call).await);
        }
        replies
    }));
    let mut replies: Vec<Option<Result<Value, ShardError>>> = vec![None; places.len()];
    for ((_, own), answers) in by_shard.iter().zip(answered.await) {
        for (place, answer) in own.iter().zip(answers) {
            replies[*place] = Some(answer);
        }
    }
    let none = |shard: &u16| Err(ShardError::BeyondList { shard: *shard });
    replies.into_iter().zip(places).map(|(reply, shard)| reply.unwrap_or_else(|| none(shard))).collect()
}

/// As [`ask`], for what may not be there: `None` for a thing that nobody can have made, as its shard never was.
pub async fn find(
    shards: &Shards,
    places: &[u16],
    max: usize,
    call: impl Fn(&Shard, &[usize]) -> Call,
) -> Vec<Result<Option<Value>, ShardError>> {
    let replies = ask(shards, places, max, call).await;
    join_all(replies.into_iter().map(async |reply| match reply {
        Err(ShardError::BeyondList { shard }) if !shards.may_have(shard).await => Ok(None),
        reply => reply.map(Some),
    }))
    .await
}

async fn replies_of(
    shards: &Shards,
    number: u16,
    chunk: &[usize],
    call: &impl Fn(&Shard, &[usize]) -> Call,
) -> Vec<Result<Value, ShardError>> {
    let replies = async {
        let shard = shards.shard(number)?;
        let call = call(shard, chunk);
        let reply = shard.run(&call).await?;
        let kind = format!("{reply:?}");
        each(reply, chunk.len()).ok_or_else(|| {
            let cause = format!("{} answered {} things with {kind}", call.name(), chunk.len());
            ShardError::Unanswered { shard: number, cause }
        })
    };
    match replies.await {
        Ok(replies) => replies.into_iter().map(Ok).collect(),
        Err(error) => vec![Err(error); chunk.len()],
    }
}
