//! Bulk loads: many records `0`, `1`, `2` … written in large calls, over connections of their own. A load takes back
//! what an earlier, larger one wrote beyond it.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::future::try_join_all;
use futures_util::stream::FuturesUnordered;
use redis::FromRedisValue;
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
/// Where so many chunks for each shard in a row have no record, no load has written any beyond them. A load that was
/// cut off leaves no wider gap: fewer chunks were under way.
const GAP: u64 = 2 * CALLS_MAX as u64;
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

/// How one kind of record is loaded. The scripts answer `DONE`, or `IN_USE` (nothing done) while something is held or
/// in flight on the shard, which is waited for.
pub trait Loaded {
    /// The key of a record.
    fn key(&self, shard: &Shard, number: u64) -> String;

    /// The call that writes records of one shard.
    fn load(&self, shard: &Shard, chunk: &[u64]) -> Call;

    /// The call that removes what loads have written of these records of one shard. It works on a full shard, too.
    fn unload(&self, shard: &Shard, chunk: &[u64]) -> Call;
}

/// Loads records `0..count`, and removes those beyond them that earlier loads wrote.
///
/// Repeating a load overwrites it.
///
/// # Errors
/// See [`LoadError`].
pub async fn load(
    shards: &Arc<Shards>,
    settings: &BatchInitSettings,
    count: u64,
    records: &impl Loaded,
) -> Result<(), LoadError> {
    let wait = settings.batch_init_wait_ms;
    // Nothing is written before every shard is seen to be at rest: a call without records says whether it is.
    try_join_all(shards.iter().map(|shard| send(shard, records.unload(shard, &[]), wait))).await?;
    // First, because a full shard may have room for the load only then.
    remove_beyond(shards, wait, count, records).await.map_err(interrupted)?;
    let mut reported = Instant::now();
    let numbers = (0..count).inspect(|number| {
        if reported.elapsed() > PROGRESS {
            reported = Instant::now();
            log::info!(service = shards.membership().service(), loaded = number, of = count; "loading in bulk");
        }
    });
    send_all(shards, wait, numbers, |shard, chunk| records.load(shard, chunk)).await.map_err(interrupted)
}

/// Removes what loads have written beyond `count`, from the last record down: when it is cut off, what is left has no
/// gap, and the next load finds it.
async fn remove_beyond(
    shards: &Arc<Shards>,
    wait: Duration,
    count: u64,
    records: &impl Loaded,
) -> Result<(), LoadError> {
    let step = (CHUNK * shards.iter().len()) as u64;
    let (mut end, mut next) = (count, count);
    while next < LOAD_MAX && next < end + GAP * step {
        let numbers = next..LOAD_MAX.min(next + step);
        next = numbers.end;
        if is_any_there(shards, numbers, records).await? {
            end = next;
        }
    }
    while end > count {
        let from = count.max(end.saturating_sub(step));
        send_all(shards, wait, from..end, |shard, chunk| records.unload(shard, chunk)).await?;
        end = from;
    }
    Ok(())
}

async fn is_any_there(shards: &Arc<Shards>, numbers: Range<u64>, records: &impl Loaded) -> Result<bool, ShardError> {
    let mut keys: Vec<Vec<String>> = shards.iter().map(|_| Vec::new()).collect();
    for number in numbers {
        let shard = shards.route(&number.to_string())?;
        keys[usize::from(shard.number())].push(records.key(shard, number));
    }
    let asked = shards.iter().zip(&keys).filter(|(_, keys)| !keys.is_empty()).map(async |(shard, keys)| {
        let mut exists = redis::cmd("EXISTS");
        exists.arg(keys);
        let found = u64::from_redis_value(shard.ask_bulk(&Call::read(exists)).await?);
        found.map_err(|error| ShardError::Unanswered { shard: shard.number(), cause: format!("EXISTS: {error}") })
    });
    Ok(try_join_all(asked).await?.iter().any(|found| *found > 0))
}

/// Sends calls about all these numbers, each to the shard that owns them.
async fn send_all(
    shards: &Arc<Shards>,
    wait: Duration,
    numbers: impl Iterator<Item = u64>,
    call: impl Fn(&Shard, &[u64]) -> Call,
) -> Result<(), LoadError> {
    let mut chunks: Vec<Vec<u64>> = shards.iter().map(|_| Vec::with_capacity(CHUNK)).collect();
    let mut under_way = FuturesUnordered::new();
    for number in numbers {
        let shard = shards.route(&number.to_string())?;
        let chunk = &mut chunks[usize::from(shard.number())];
        chunk.push(number);
        if chunk.len() == CHUNK {
            let full = call(shard, chunk);
            chunk.clear();
            under_way.push(send(shard, full, wait));
        }
        if under_way.len() >= CALLS_MAX {
            under_way.next().await.transpose()?;
        }
    }
    for (shard, chunk) in shards.iter().zip(&chunks).filter(|(_, chunk)| !chunk.is_empty()) {
        under_way.push(send(shard, call(shard, chunk), wait));
    }
    while let Some(sent) = under_way.next().await {
        sent?;
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
