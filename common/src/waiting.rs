//! Waiting for replicas: a call is answered only when so many of them have what it did, or what it saw.
//!
//! `WAIT` holds up whatever comes behind it on its connection, so calls that wait have connections of their own. Each
//! carries one batch at a time: all calls that were waiting for this shard in this thread, a mark, and `WAIT`. What
//! comes meanwhile goes with the next batch, so that many calls share one wait.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redis::{Cmd, RedisError, Value};
use shardcart_schema::key::MARK;
use tokio::sync::oneshot;

use crate::pipeline::Calls;
use crate::script::Call;
use crate::server::{BULK_TIMEOUT, Lent, Server};
use crate::settings::RedisSettings;
use crate::shard::{Replies, ShardError};

/// Calls in one batch. Groups of calls are not split, so that the last one may go beyond it.
const BATCH_MAX: usize = 512;
/// Calls that wait for a connection at most; beyond it they fail at once, and are not sent.
const QUEUE_MAX: usize = 65_536;
/// Too few replicas are complained of this often: with them, every call of this shard goes unanswered.
const COMPLAINT: Duration = Duration::from_secs(5);

/// The calls of one caller, which get their replies together.
struct Group {
    calls: Vec<Call>,
    answer: oneshot::Sender<Replies>,
    asked: Instant,
}

#[derive(Default)]
struct Queue {
    groups: VecDeque<Group>,
    /// In all groups together.
    calls: usize,
    /// Connections, by their slots, that carry nothing now.
    idle: Vec<usize>,
    /// One is about to set out, and takes with it what comes until then.
    boarding: bool,
    complained: Option<Instant>,
}

/// The calls of one thread to one shard whose replicas are waited for.
pub(crate) struct Waiting {
    server: Arc<Server>,
    replicas: u16,
    /// How long a call waits for a connection.
    patience: Duration,
    /// What ends every batch.
    ending: [Cmd; 2],
    queue: Mutex<Queue>,
}

/// Why a batch came to nothing, and whether that was because its connection broke.
struct Failed {
    error: ShardError,
    broken: bool,
}

impl Waiting {
    /// Waits as the settings say, over these slots of a server's connections.
    pub(crate) fn new(server: &Arc<Server>, settings: &RedisSettings, slots: Range<usize>) -> Self {
        Waiting {
            server: Arc::clone(server),
            replicas: settings.redis_wait_replicas,
            patience: settings.redis_timeout_ms,
            ending: ending(settings.redis_wait_replicas, settings.redis_wait_timeout_ms),
            queue: Mutex::new(Queue { idle: slots.collect(), ..Queue::default() }),
        }
    }

    /// Runs one call, together with others. See [`crate::shard::Shard::run`].
    pub(crate) async fn run(self: &Arc<Self>, call: Call) -> Result<Value, ShardError> {
        self.run_all(vec![call]).await.and_then(|replies| self.only(replies))
    }

    /// Runs calls, together with those of others. See [`crate::shard::Shard::run_all`]; those that may not be repeated
    /// are not.
    pub(crate) async fn run_all(self: &Arc<Self>, calls: Vec<Call>) -> Replies {
        let (answer, replies) = oneshot::channel();
        let idle = {
            let mut queue = self.lock();
            if queue.calls > QUEUE_MAX {
                return Err(self.unreachable("too many calls wait for it"));
            }
            queue.calls += calls.len();
            queue.groups.push_back(Group { calls, answer, asked: Instant::now() });
            let idle = if queue.boarding { None } else { queue.idle.pop() };
            queue.boarding |= idle.is_some();
            idle
        };
        if let Some(slot) = idle {
            tokio::spawn(Arc::clone(self).carry(slot));
        }
        replies.await.unwrap_or_else(|_| Err(self.unanswered("this machine stops".to_owned())))
    }

    /// Runs one call over a connection for bulk work, and waits for replicas as long as a load may take.
    pub(crate) async fn run_bulk(&self, lent: &mut Lent, call: Call) -> Result<Value, ShardError> {
        // Half of it for the wait: the rest is for the call.
        let calls = Calls::new(vec![call], &ending(self.replicas, BULK_TIMEOUT / 2));
        self.send(lent, &calls).await.map_err(|failed| failed.error).and_then(|replies| self.only(replies))
    }

    /// Carries batch after batch over one connection until nothing waits.
    async fn carry(self: Arc<Self>, slot: usize) {
        loop {
            // Lets this thread see first what has happened on its sockets, so that no call sets out over a connection
            // that the server has closed; and lets those join that are about to ask.
            tokio::task::yield_now().await;
            let Some(groups) = self.next_batch(slot) else { return };
            let (mut calls, mut callers) = (Vec::new(), Vec::with_capacity(groups.len()));
            for group in groups {
                callers.push((group.answer, group.calls.len()));
                calls.extend(group.calls);
            }
            let mut replies = self.deliver(slot, calls).await.map(Vec::into_iter);
            for (answer, count) in callers {
                let own = match &mut replies {
                    Ok(replies) => Ok(replies.by_ref().take(count).collect()),
                    Err(error) => Err(error.clone()),
                };
                // A caller that is gone needs no answer.
                let _ = answer.send(own);
            }
            self.lock().boarding = true;
        }
    }

    /// What goes next over a connection. If nothing waits, the connection is idle from now on.
    fn next_batch(&self, slot: usize) -> Option<Vec<Group>> {
        let mut queue = self.lock();
        queue.boarding = false;
        let (mut batch, mut count) = (Vec::new(), 0);
        while count < BATCH_MAX
            && let Some(group) = queue.groups.pop_front()
        {
            queue.calls -= group.calls.len();
            if group.answer.is_closed() {
                continue;
            }
            if group.asked.elapsed() > self.patience {
                let _ = group.answer.send(Err(self.unreachable("no connection came free in time")));
                continue;
            }
            count += group.calls.len();
            batch.push(group);
        }
        if batch.is_empty() {
            queue.idle.push(slot);
            return None;
        }
        Some(batch)
    }

    /// Has one batch carried out. When its connection breaks, what may be repeated goes out once more over a new one.
    async fn deliver(&self, slot: usize, calls: Vec<Call>) -> Replies {
        let repeatable: Vec<bool> = calls.iter().map(|call| call.repeatable).collect();
        let calls = Calls::new(calls, &self.ending);
        let mut lent = self.server.lend(slot).await?;
        let failed = match self.send(&mut lent, &calls).await {
            Ok(replies) => return Ok(replies),
            Err(failed) => failed,
        };
        if !failed.broken || !repeatable.contains(&true) {
            return Err(failed.error);
        }
        let again = async {
            let mut lent = self.server.lend(slot).await.ok()?;
            self.send(&mut lent, &calls.retain(&repeatable)).await.ok()
        };
        // Whatever came of the second try: the first may have run.
        let mut again = again.await.ok_or_else(|| failed.error.clone())?.into_iter();
        let reply = |repeated| if repeated { again.next() } else { None };
        let reply = repeatable.into_iter().map(reply);
        Ok(reply.map(|reply| reply.unwrap_or_else(|| Err(failed.error.clone()))).collect())
    }

    /// Sends calls, and takes their replies if enough replicas have what was done until then.
    async fn send(&self, lent: &mut Lent, calls: &Calls) -> Result<Vec<Result<Value, ShardError>>, Failed> {
        let mut replies = calls.send(lent).await.map_err(|error| {
            let broken = error.is_connection_dropped();
            Failed { error: self.server.failed(lent, &error), broken }
        })?;
        let reached = replies.pop();
        let marked = replies.pop();
        let error = match (marked, reached) {
            (Some(Ok(_)), Some(Ok(Value::Int(count)))) if count >= i64::from(self.replicas) => {
                let reply = |reply: Result<Value, RedisError>| reply.map_err(|error| self.server.failed(lent, &error));
                return Ok(replies.into_iter().map(reply).collect());
            }
            (Some(Ok(_)), Some(Ok(Value::Int(count)))) => {
                self.server.note_silence();
                self.unanswered(format!("{count} replicas have it, {} are wanted", self.replicas))
            }
            // Neither is ever refused by a primary that may be written to: this server is none, or is not ours to use.
            (marked, reached) => {
                self.server.give_up(lent);
                self.unanswered(format!("replicas cannot be waited for: mark {marked:?}, wait {reached:?}"))
            }
        };
        self.complain(&error);
        Err(Failed { error, broken: false })
    }

    /// The reply of a call that went alone.
    fn only(&self, mut replies: Vec<Result<Value, ShardError>>) -> Result<Value, ShardError> {
        replies.pop().unwrap_or_else(|| Err(self.unanswered("no reply".to_owned())))
    }

    fn complain(&self, error: &ShardError) {
        let mut queue = self.lock();
        if queue.complained.is_none_or(|last| last.elapsed() > COMPLAINT) {
            queue.complained = Some(Instant::now());
            log::warn!(shard = self.server.shard(), replicas = self.replicas, error:%; "what was done may be lost with this server: calls go unanswered");
        }
    }

    fn unanswered(&self, cause: String) -> ShardError {
        self.server.counted(ShardError::Unanswered { shard: self.server.shard(), cause })
    }

    fn unreachable(&self, cause: &str) -> ShardError {
        self.server.counted(ShardError::Unreachable { shard: self.server.shard(), cause: cause.to_owned() })
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What ends every batch: a mark, and the wait for it.
///
/// `WAIT` counts the replicas that have what its own connection has written, and is answered at once on one that
/// has written nothing. So a batch that only read, or only found what others wrote, has to write something too:
/// replication is one stream, and who has the mark has all that went before it. Publishing is the least that
/// reaches replicas: it leaves no key behind, is not in the append-only file, and works when memory is full.
fn ending(replicas: u16, timeout: Duration) -> [Cmd; 2] {
    let mut mark = redis::cmd("PUBLISH");
    mark.arg(MARK).arg("");
    let mut wait = redis::cmd("WAIT");
    wait.arg(replicas).arg(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX));
    [mark, wait]
}
