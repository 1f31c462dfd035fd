//! One Redis server as one worker thread sees it: its connections, how they are made and when they are given up.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use deadpool_redis::{Hook, HookError, Manager, Pool, Runtime};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, IntoConnectionInfo, Pipeline, ProtocolVersion, PushKind, RedisError, Value};
use shardcart_telemetry::metrics;
use shardcart_telemetry::metrics::shard::{Failure, ShardMetrics};
use shardcart_types::address::Address;

use crate::script::{Call, Script};
use crate::settings::RedisSettings;
use crate::shard_error::ShardError;

/// Bulk work takes connections of its own, this many a shard at most.
const BULK_CONNECTIONS_MAX: usize = 4;
/// How long one piece of bulk work may take.
pub(crate) const BULK_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a server that gave no answer is asked last, where there is a choice.
const SILENCE_MS: u64 = 1_000;
/// The loss count of a connection that is not kept: no count of losses is ever this.
const NOT_KEPT: u64 = u64::MAX - 1;
/// Commands a connection queues before it makes senders wait.
const PIPELINE_BUFFER: usize = 1024;

/// What a fresh connection must prove before anything is sent over it.
pub(crate) type Admission = dyn for<'a> Fn(&'a mut MultiplexedConnection) -> futures_util::future::BoxFuture<'a, Result<(), String>>
    + Send
    + Sync;

/// What one command came to.
pub(crate) type Reply = Result<Value, RedisError>;

/// A place for one connection that is kept and mended.
struct Slot {
    current: Mutex<Option<(u64, MultiplexedConnection)>>,
    connecting: tokio::sync::Mutex<Option<(Instant, ShardError)>>,
}

/// The connections of one thread to one server.
///
/// The pool makes connections and checks each new one; calls run over a few that were taken out of it for good, so
/// that none waits for a free one or pays a round trip to check it.
pub(crate) struct Connections {
    service: &'static str,
    shard: u16,
    pool: Pool,
    /// Bulk work has connections of its own, so that nothing else waits for one of them.
    bulk_pool: Pool,
    slots: Vec<Slot>,
    /// Counts lost connections: one that was made before the last loss is not used again.
    losses: Arc<AtomicU64>,
    /// When this server last gave no answer, in milliseconds of `started`; 0: never.
    silent_ms: AtomicU64,
    started: Instant,
    metrics: &'static ShardMetrics,
}

/// A connection, and how many had been lost when it was made.
pub(crate) struct Lent {
    pub(crate) connection: MultiplexedConnection,
    losses: u64,
    metrics: &'static ShardMetrics,
}

/// A connection for one piece of bulk work: nobody else has it meanwhile.
pub(crate) struct LentForBulk {
    pub(crate) lent: Lent,
    _borrowed: deadpool_redis::Connection,
}

impl Connections {
    /// Connections to the server at this address, with places for so many that are kept. Connects when it is first used.
    ///
    /// # Errors
    /// A text: the settings cannot be turned into a connection.
    pub(crate) fn new(
        service: &'static str,
        shard: u16,
        address: &Address,
        settings: &RedisSettings,
        admission: &Arc<Admission>,
        slots: usize,
    ) -> Result<Self, String> {
        let losses = Arc::new(AtomicU64::new(0));
        let lost = Arc::clone(&losses);
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(settings.redis_connect_timeout_ms))
            .set_response_timeout(Some(settings.redis_timeout_ms))
            .set_pipeline_buffer_size(PIPELINE_BUFFER)
            // RESP3 tells of a lost connection at once, so that the next request makes a new one
            // instead of failing on the old.
            .set_push_sender(move |push: redis::PushInfo| -> Result<(), ()> {
                if push.kind == PushKind::Disconnection {
                    lost.fetch_add(1, Ordering::AcqRel);
                }
                Ok(())
            });
        let info = connection_info(address, settings)?;
        let pool = |size: usize, wait: Duration| {
            let admission = Arc::clone(admission);
            let manager = Manager::new_with_config(info.clone(), config.clone()).map_err(|error| error.to_string())?;
            Pool::builder(manager)
                .max_size(size)
                .runtime(Runtime::Tokio1)
                .wait_timeout(Some(wait))
                .create_timeout(Some(settings.redis_connect_timeout_ms + settings.redis_timeout_ms))
                .recycle_timeout(Some(settings.redis_timeout_ms))
                .post_create(Hook::async_fn(move |connection, _| {
                    let admission = Arc::clone(&admission);
                    Box::pin(async move { admission(connection).await.map_err(HookError::message) })
                }))
                .build()
                .map_err(|error| error.to_string())
        };
        let pools = (pool(slots, settings.redis_timeout_ms)?, pool(BULK_CONNECTIONS_MAX, BULK_TIMEOUT)?);
        let slots =
            (0..slots).map(|_| Slot { current: Mutex::new(None), connecting: tokio::sync::Mutex::new(None) }).collect();
        Ok(Connections {
            service,
            shard,
            pool: pools.0,
            bulk_pool: pools.1,
            slots,
            losses,
            silent_ms: AtomicU64::new(0),
            started: Instant::now(),
            metrics: metrics::shard::of(service, shard),
        })
    }

    /// The service whose shard it is.
    pub(crate) fn service(&self) -> &'static str {
        self.service
    }

    /// The shard's number.
    pub(crate) fn shard(&self) -> u16 {
        self.shard
    }

    /// The connection of a slot, if it is not known to be broken; a new one otherwise.
    ///
    /// # Errors
    /// `Unreachable`.
    pub(crate) async fn lend(&self, slot: usize) -> Result<Lent, ShardError> {
        let slot = &self.slots[slot];
        if let Some(lent) = self.usable(slot) {
            return Ok(lent);
        }
        let asked = Instant::now();
        let mut last_failure = slot.connecting.lock().await;
        // Someone else may have connected, or failed to, while this request waited for its turn.
        if let Some(lent) = self.usable(slot) {
            return Ok(lent);
        }
        if let Some((_, error)) = last_failure.as_ref().filter(|(when, _)| *when >= asked) {
            return Err(error.clone());
        }
        let losses = self.losses.load(Ordering::Acquire);
        match self.pool.get().await {
            Ok(pooled) => {
                let connection = deadpool_redis::Connection::take(pooled);
                let made = (losses, connection.clone());
                let lost = slot.current.lock().unwrap_or_else(PoisonError::into_inner).replace(made);
                if lost.is_some() {
                    self.metrics.reconnected();
                }
                *last_failure = None;
                Ok(Lent { connection, losses, metrics: self.metrics })
            }
            Err(error) => {
                let error = self.unreachable(&error);
                *last_failure = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    fn usable(&self, slot: &Slot) -> Option<Lent> {
        let current = slot.current.lock().unwrap_or_else(PoisonError::into_inner);
        let (losses, connection) = current.as_ref()?;
        (*losses == self.losses.load(Ordering::Acquire)).then(|| Lent {
            connection: connection.clone(),
            losses: *losses,
            metrics: self.metrics,
        })
    }

    /// A connection for bulk work, which is given [`BULK_TIMEOUT`] for each answer.
    ///
    /// # Errors
    /// `Unreachable`.
    pub(crate) async fn lend_for_bulk(&self) -> Result<LentForBulk, ShardError> {
        let borrowed = self.bulk_pool.get().await.map_err(|error| self.unreachable(&error))?;
        // A copy is given more time, so that the pool's own stays as it was made.
        let mut connection = MultiplexedConnection::clone(&borrowed);
        connection.set_response_timeout(BULK_TIMEOUT);
        Ok(LentForBulk { lent: Lent { connection, losses: NOT_KEPT, metrics: self.metrics }, _borrowed: borrowed })
    }

    /// Whether this server gave no answer a moment ago.
    pub(crate) fn is_silent(&self) -> bool {
        let silent_ms = self.silent_ms.load(Ordering::Relaxed);
        silent_ms > 0 && self.age_ms().saturating_sub(silent_ms) < SILENCE_MS
    }

    /// Takes note that this server gave no answer of use.
    pub(crate) fn note_silence(&self) {
        self.silent_ms.store(self.age_ms(), Ordering::Relaxed);
    }

    fn age_ms(&self) -> u64 {
        // Counts from 1, as 0 stands for never.
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1)
    }

    fn unreachable(&self, error: &deadpool_redis::PoolError) -> ShardError {
        self.note_silence();
        self.counted(ShardError::Unreachable { shard: self.shard, cause: error.to_string() })
    }

    /// What an error of a connection means for the caller; gives the connection up where it is no use any more.
    pub(crate) fn failed(&self, lent: &Lent, error: &RedisError) -> ShardError {
        let (shard, cause) = (self.shard, error.to_string());
        if error.is_timeout() || error.is_unrecoverable_error() || error.code() == Some("READONLY") {
            self.give_up(lent);
        }
        let refused = is_refused(error);
        self.counted(if refused {
            ShardError::Refused { shard, cause }
        } else {
            ShardError::Unanswered { shard, cause }
        })
    }

    /// Counts a failure.
    pub(crate) fn counted(&self, error: ShardError) -> ShardError {
        match &error {
            ShardError::Unreachable { .. } => self.metrics.failed(Failure::Unreachable),
            ShardError::Refused { .. } => self.metrics.failed(Failure::Refused),
            ShardError::Unanswered { .. } => self.metrics.failed(Failure::Unanswered),
            ShardError::BeyondList { .. } => {}
        }
        error
    }

    /// Leaves a silent or demoted server: the next request connects anew.
    pub(crate) fn give_up(&self, lent: &Lent) {
        // Only whoever finds it out first gives the connection up; those that come later must not give up the new one.
        let _ = self.losses.compare_exchange(lent.losses, lent.losses + 1, Ordering::AcqRel, Ordering::Acquire);
        self.note_silence();
    }
}

impl Lent {
    /// Runs a call; loads its script if it is missing.
    pub(crate) async fn run(&mut self, call: &Call) -> Reply {
        let sent = Instant::now();
        let reply = run_over(&mut self.connection, call).await;
        self.answered(sent, 1);
        reply
    }

    /// Sends commands as one pipeline; each has a reply of its own.
    pub(crate) async fn send_all(&mut self, pipeline: &Pipeline) -> Result<Vec<Reply>, RedisError> {
        let sent = Instant::now();
        let replies = self.connection.send_packed_commands(pipeline, 0, pipeline.len()).await;
        self.answered(sent, pipeline.len());
        Ok(replies?.into_iter().map(Value::extract_error).collect())
    }

    /// Bulk work takes as long as it takes: its time says nothing of the shard.
    fn answered(&self, sent: Instant, commands: usize) {
        if self.losses == NOT_KEPT { self.metrics.sent(commands) } else { self.metrics.answered(sent, commands) }
    }
}

/// Runs a call over a connection; loads its script if it is missing.
pub(crate) async fn run_over(connection: &mut MultiplexedConnection, call: &Call) -> Reply {
    let reply = send(connection, &call.command).await;
    match (&reply, call.script) {
        // Redis did nothing: its scripts were flushed, or the server is new.
        (Err(error), Some(script)) if is_missing_script(error) => {
            load(connection, script).await?;
            send(connection, &call.command).await
        }
        _ => reply,
    }
}

/// Makes the server keep a script.
pub(crate) async fn load(connection: &mut MultiplexedConnection, script: &Script) -> Result<(), RedisError> {
    log::debug!(script = script.name(); "loading a script");
    send(connection, &script.load()).await.map(|_| ())
}

async fn send(connection: &mut MultiplexedConnection, command: &Cmd) -> Reply {
    connection.send_packed_command(command).await.and_then(Value::extract_error)
}

/// Whether a call did not run because the server does not have its script.
pub(crate) fn is_missing_script(error: &RedisError) -> bool {
    error.code() == Some("NOSCRIPT")
}

/// Redis answers these instead of running a command.
fn is_refused(error: &RedisError) -> bool {
    matches!(
        error.code(),
        Some(
            "OOM"
                | "LOADING"
                | "READONLY"
                | "MISCONF"
                | "MASTERDOWN"
                | "NOREPLICAS"
                | "BUSY"
                | "NOAUTH"
                | "NOPERM"
                | "NOSCRIPT"
                | "TRYAGAIN"
                | "CLUSTERDOWN"
        )
    )
}

fn connection_info(address: &Address, settings: &RedisSettings) -> Result<redis::ConnectionInfo, String> {
    let address = match address {
        Address::Tcp(host, port) => redis::ConnectionAddr::Tcp(host.clone(), *port),
        Address::Unix(path) => redis::ConnectionAddr::Unix(path.into()),
    };
    let mut redis =
        redis::RedisConnectionInfo::default().set_db(settings.redis_db).set_protocol(ProtocolVersion::RESP3);
    if let Some(password) = &settings.redis_password {
        redis = redis.set_password(password.expose());
    }
    let info = address.into_connection_info().map_err(|error| error.to_string())?;
    Ok(info.set_redis_settings(redis))
}
