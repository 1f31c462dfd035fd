//! Bulk loads: many records `0`, `1`, `2` … written in large calls, over connections of their own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::future::try_join_all;
use futures_util::stream::FuturesUnordered;
use shardcart_schema::reply::Reply;

use crate::script::{Call, words};
use crate::settings::BatchInitSettings;
use crate::shard::Shard;
use crate::shard_error::ShardError;
use crate::shards::Shards;

/// Most records that one load may write.
pub const LOAD_MAX: u64 = 10_000_000;
/// Records in one call of a script: large enough that a call's own cost vanishes, small enough that others hardly wait.
const CHUNK: usize = 500;
/// Calls under way at once.
const CALLS_MAX: usize = 8;
/// How long to wait before a shard in use is asked again.
const IN_USE_RETRY: Duration = Duration::from_millis(20);
/// Progress is logged this often.
const PROGRESS: Duration = Duration::from_secs(2);

/// Why a load stopped.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Not allowed on this deployment.
    #[error("batch_init is not allowed here: it overwrites data; set ALLOW_BATCH_INIT=true where that is wanted")]
    Forbidden,
    /// More than [`LOAD_MAX`].
    #[error("at most {LOAD_MAX} at once")]
    TooMany,
    /// Something stayed held or in flight; nothing was written.
    #[error("something is held or in flight; nothing of it may be overwritten")]
    InUse,
    /// Something came to be held or in flight half way: some records are loaded, others not; repeat it.
    #[error("something came to be held or in flight while loading: some records are loaded, others not; repeat it")]
    Interrupted,
    /// A shard gave no usable answer: some records are loaded, others not; repeat it.
    #[error(transparent)]
    Shard(#[from] ShardError),
}

/// Loads records `0..count`. `call` makes the script call that writes one chunk on one shard; the script answers
/// `DONE`, or `IN_USE` (nothing written) while something is held or in flight on the shard, which is waited for.
///
/// Repeating a load overwrites it.
///
/// # Errors
/// See [`LoadError`].
pub async fn load(
    shards: &Arc<Shards>,
    settings: &BatchInitSettings,
    count: u64,
    call: impl Fn(&Shard, &[u64]) -> Call,
) -> Result<(), LoadError> {
    let wait = settings.batch_init_wait_ms;
    // Nothing is written before every shard is seen to be at rest: a call without records says whether it is.
    try_join_all(shards.iter().map(|shard| send(shard, call(shard, &[]), wait))).await?;
    let mut chunks: Vec<Vec<u64>> = shards.iter().map(|_| Vec::with_capacity(CHUNK)).collect();
    let mut under_way = FuturesUnordered::new();
    let mut reported = Instant::now();
    for number in 0..count {
        let shard = shards.route(&number.to_string())?;
        let chunk = &mut chunks[usize::from(shard.number())];
        chunk.push(number);
        if chunk.len() == CHUNK {
            let full = call(shard, chunk);
            chunk.clear();
            under_way.push(send(shard, full, wait));
        }
        if under_way.len() >= CALLS_MAX {
            under_way.next().await.transpose().map_err(interrupted)?;
        }
        if reported.elapsed() > PROGRESS {
            reported = Instant::now();
            log::info!(service = shards.membership().service(), loaded = number, of = count; "loading in bulk");
        }
    }
    for (shard, chunk) in shards.iter().zip(&chunks).filter(|(_, chunk)| !chunk.is_empty()) {
        under_way.push(send(shard, call(shard, chunk), wait));
    }
    while let Some(sent) = under_way.next().await {
        sent.map_err(interrupted)?;
    }
    Ok(())
}

/// What was in use after the first records were written is no refusal any more: some are loaded, others not.
fn interrupted(error: LoadError) -> LoadError {
    if matches!(error, LoadError::InUse) { LoadError::Interrupted } else { error }
}

/// Checks that a load is allowed and not too large, before anything is written.
///
/// # Errors
/// `Forbidden`, `TooMany`.
pub fn check(settings: &BatchInitSettings, count: u64) -> Result<(), LoadError> {
    if !settings.allow_batch_init {
        return Err(LoadError::Forbidden);
    }
    if count > LOAD_MAX { Err(LoadError::TooMany) } else { Ok(()) }
}

/// Sends one chunk; waits up to `wait` while its shard is in use.
async fn send(shard: &Shard, call: Call, wait: Duration) -> Result<(), LoadError> {
    let give_up = Instant::now() + wait;
    loop {
        let words = words(shard.run_bulk(&call).await?);
        match words.first().and_then(|word| Reply::parse(word)) {
            Some(Reply::Done) => return Ok(()),
            Some(Reply::InUse) if Instant::now() >= give_up => return Err(LoadError::InUse),
            Some(Reply::InUse) => tokio::time::sleep(IN_USE_RETRY).await,
            _ => {
                let cause = format!("{}: {:?}", call.name(), words.first());
                return Err(ShardError::Unanswered { shard: shard.number(), cause }.into());
            }
        }
    }
}
