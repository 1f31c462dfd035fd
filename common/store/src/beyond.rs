//! Ids whose shard is beyond this machine's list: whether anybody can have made them.
//!
//! A machine that knows more shards notes their number on the shards of the data set before it makes an id on a new one.
//! So when every shard of the list answers, and none has on record that there are more, nobody has made such an id yet.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use crate::identity::{Found, Identity};
use crate::shard::Shard;

/// The time of a look at all shards is at least this for each of them: ids that are made up must not cost the shards more
/// than so many reads.
const PACE: Duration = Duration::from_micros(100);
/// Such ids are logged this often.
const LOG_INTERVAL: Duration = Duration::from_secs(1);

/// What one thread knows about shards beyond its list.
#[derive(Debug, Default)]
pub(crate) struct Beyond {
    /// Also keeps looks apart: those that wait for one share the next.
    last: tokio::sync::Mutex<Option<Look>>,
    log: Mutex<Log>,
}

#[derive(Debug, Clone, Copy)]
struct Look {
    began: Instant,
    /// Whether the data set has no more shards than the list.
    is_complete: bool,
}

#[derive(Debug, Default)]
struct Log {
    last: Option<Instant>,
    left_out: u64,
}

impl Beyond {
    /// Whether the data set has no more shards than these: all of them answer, and say so. What an earlier call found is
    /// taken for an answer only if it began to look after this one was made.
    pub(crate) async fn is_complete(&self, shards: &[Shard]) -> bool {
        let asked = Instant::now();
        let mut last = self.last.lock().await;
        if let Some(look) = last.filter(|look| look.began >= asked) {
            return look.is_complete;
        }
        if let Some(look) = *last {
            let pace = PACE * u32::try_from(shards.len()).unwrap_or(u32::MAX);
            tokio::time::sleep_until((look.began + pace).into()).await;
        }
        let began = Instant::now();
        let members = join_all(shards.iter().map(members)).await;
        let is_complete =
            members.iter().all(|members| members.is_some_and(|members| usize::from(members) <= shards.len()));
        *last = Some(Look { began, is_complete });
        is_complete
    }

    /// Logs that there may be such a shard, or counts it: clients can ask any number of times.
    pub(crate) fn note(&self, service: &str, shard: u16) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        if log.last.is_some_and(|last| last.elapsed() < LOG_INTERVAL) {
            log.left_out += 1;
            return;
        }
        let more = log.left_out;
        *log = Log { last: Some(Instant::now()), left_out: 0 };
        log::warn!(service, shard, more; "an id names a shard that this machine does not know, and that another may");
    }
}

/// How many shards the data set has, as one of them has it on record; `None` if it does not answer.
async fn members(shard: &Shard) -> Option<u16> {
    let reply = shard.ask(&Identity::read(shard.tag()).repeatable()).await.ok()?;
    match Found::parse(reply) {
        Ok(Found::Identity(identity)) => Some(identity.members),
        _ => None,
    }
}
