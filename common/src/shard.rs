//! One shard: shared connections that pipeline what concurrent requests send, and scripts that are always there.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use deadpool_redis::{Hook, HookError, Manager, Pool, Runtime};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, IntoConnectionInfo, Pipeline, ProtocolVersion, PushKind, RedisError, Value};

use crate::script::{Call, Script};
use crate::settings::{Address, RedisSettings};

/// Bulk work (loads, identity checks) takes connections of its own, this many a shard at most.
const BULK_CONNECTIONS_MAX: usize = 4;
/// How long one piece of bulk work may take.
const BULK_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a shard that gave no answer is asked last, where there is a choice.
const SILENCE_MS: u64 = 1_000;
/// The loss count of a connection that is not shared: no count of losses is ever this.
const NOT_SHARED: u64 = u64::MAX - 1;
/// Commands a shared connection queues before it makes senders wait.
const PIPELINE_BUFFER: usize = 1024;

/// Why a shard gave no reply. What the caller may conclude differs, so the kinds are kept apart.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ShardError {
    /// Nothing was sent: there was no connection. Surely nothing happened.
    #[error("shard {shard} cannot be reached: {cause}")]
    Unreachable {
        /// The shard's number.
        shard: u16,
        /// For the log alone.
        cause: String,
    },
    /// Redis refused before it did anything: out of memory, loading, read-only, disk full. Nothing happened.
    #[error("shard {shard} refuses: {cause}")]
    Refused {
        /// The shard's number.
        shard: u16,
        /// For the log alone.
        cause: String,
    },
    /// It was sent and no usable reply came: it may have happened.
    #[error("shard {shard} did not answer: {cause}")]
    Unanswered {
        /// The shard's number.
        shard: u16,
        /// For the log alone.
        cause: String,
    },
    /// The id names a shard beyond the address list.
    #[error("shard {shard} is beyond the address list")]
    BeyondList {
        /// The shard's number.
        shard: u16,
    },
}

/// What a fresh connection must prove before anything is sent over it.
pub(crate) type Admission = dyn for<'a> Fn(&'a mut MultiplexedConnection) -> futures_util::future::BoxFuture<'a, Result<(), String>>
    + Send
    + Sync;

struct Shared {
    current: Mutex<Option<(u64, MultiplexedConnection)>>,
    connecting: tokio::sync::Mutex<Option<(Instant, ShardError)>>,
}

/// One Redis primary as one worker thread sees it.
///
/// The pool makes and mends connections and checks each new one; requests run over a few that were taken out of
/// it for good and are shared by all, so that none waits for a free one or pays a round trip to check it.
pub struct Shard {
    number: u16,
    pool: Pool,
    /// Bulk work has connections of its own, so that nothing else waits for one of them.
    bulk_pool: Pool,
    shared: Vec<Shared>,
    turn: AtomicUsize,
    /// Counts lost connections: one that was made before the last loss is not used again.
    losses: Arc<AtomicU64>,
    /// When this shard last gave no answer, in milliseconds of `started`; 0: never.
    silent_ms: AtomicU64,
    started: Instant,
}

/// A shared connection, and how many had been lost when it was made.
struct Lent {
    connection: MultiplexedConnection,
    losses: u64,
}

impl std::fmt::Debug for Shard {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Shard").field("number", &self.number).finish_non_exhaustive()
    }
}

impl Shard {
    /// A shard at an address. Connects when it is first used.
    ///
    /// # Errors
    /// A text: the settings cannot be turned into a connection.
    pub(crate) fn new(
        number: u16,
        address: &Address,
        settings: &RedisSettings,
        admission: &Arc<Admission>,
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
        let connections = usize::from(settings.redis_connections);
        let pools = (pool(connections, settings.redis_timeout_ms)?, pool(BULK_CONNECTIONS_MAX, BULK_TIMEOUT)?);
        let shared = (0..connections)
            .map(|_| Shared { current: Mutex::new(None), connecting: tokio::sync::Mutex::new(None) })
            .collect();
        Ok(Shard {
            number,
            pool: pools.0,
            bulk_pool: pools.1,
            shared,
            turn: AtomicUsize::new(0),
            losses,
            silent_ms: AtomicU64::new(0),
            started: Instant::now(),
        })
    }

    /// The shard's number: its place in the address list.
    pub fn number(&self) -> u16 {
        self.number
    }

    /// Runs one call and returns its reply. One that may be repeated is sent once more when its connection breaks.
    ///
    /// # Errors
    /// See [`ShardError`]; only `Unanswered` leaves open whether the call ran.
    pub async fn run(&self, call: &Call) -> Result<Value, ShardError> {
        if !call.repeatable {
            // Lets this thread see first what has happened on its sockets: over a connection that the server has
            // closed, the call would go astray, and could not be sent again.
            tokio::task::yield_now().await;
        }
        let mut lent = self.lend().await?;
        let mut reply = lent.run(call).await;
        if let Err(error) = &reply
            && call.repeatable
            && error.is_connection_dropped()
        {
            let _ = self.failed(&lent, error);
            lent = self.lend().await?;
            reply = lent.run(call).await;
        }
        reply.map_err(|error| self.failed(&lent, &error))
    }

    /// Runs calls as one pipeline. Each has its own reply or failure; they neither wait for nor depend on one another.
    /// All of them must be repeatable: they are sent once more when their connection breaks.
    ///
    /// # Errors
    /// For all of them at once when there is no connection, or it breaks.
    pub async fn run_all(&self, calls: Vec<Call>) -> Result<Vec<Result<Value, ShardError>>, ShardError> {
        if calls.is_empty() {
            return Ok(Vec::new());
        }
        let mut lent = self.lend().await?;
        let mut scripts = Vec::with_capacity(calls.len());
        let mut pipeline = Pipeline::with_capacity(calls.len());
        for call in calls {
            scripts.push(call.script);
            pipeline.add_command(call.command);
        }
        let mut replies = lent.send_all(&pipeline).await;
        if let Err(error) = &replies
            && error.is_connection_dropped()
        {
            let _ = self.failed(&lent, error);
            lent = self.lend().await?;
            replies = lent.send_all(&pipeline).await;
        }
        let mut replies = replies.map_err(|error| self.failed(&lent, &error))?;
        self.rerun_missing(&mut lent, &scripts, &pipeline, &mut replies).await?;
        Ok(replies.into_iter().map(|reply| reply.map_err(|error| self.failed(&lent, &error))).collect())
    }

    /// Runs one large call over a connection outside the shared ones, with time for it: for bulk loads.
    ///
    /// # Errors
    /// As [`Shard::run`].
    pub async fn run_bulk(&self, call: &Call) -> Result<Value, ShardError> {
        let pooled = self.bulk_pool.get().await.map_err(|error| self.unreachable(&error))?;
        // A copy is given more time, so that the pool's own stays as it was made.
        let mut lent = Lent { connection: MultiplexedConnection::clone(&pooled), losses: NOT_SHARED };
        lent.connection.set_response_timeout(BULK_TIMEOUT);
        lent.run(call).await.map_err(|error| self.failed(&lent, &error))
    }

    /// Whether this shard gave no answer a moment ago. Who can choose asks another first.
    pub fn is_silent(&self) -> bool {
        let silent_ms = self.silent_ms.load(Ordering::Relaxed);
        silent_ms > 0 && self.age_ms().saturating_sub(silent_ms) < SILENCE_MS
    }

    /// Loads the scripts that a pipeline found missing, and runs just the calls that did not run: their neighbours
    /// did, and are not run again.
    async fn rerun_missing(
        &self,
        lent: &mut Lent,
        scripts: &[Option<&'static Script>],
        pipeline: &Pipeline,
        replies: &mut [Reply],
    ) -> Result<(), ShardError> {
        let is_missing = |place: &usize| replies[*place].as_ref().is_err_and(is_missing_script);
        let missing: Vec<usize> = (0..replies.len()).filter(is_missing).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let to_load: HashMap<&str, &Script> =
            missing.iter().filter_map(|place| scripts[*place]).map(|script| (script.name(), script)).collect();
        for script in to_load.into_values() {
            load(&mut lent.connection, script).await.map_err(|error| self.failed(lent, &error))?;
        }
        let mut again = Pipeline::with_capacity(missing.len());
        for (_, command) in pipeline.cmd_iter().enumerate().filter(|(place, _)| missing.binary_search(place).is_ok()) {
            again.add_command(command.clone());
        }
        let rerun = lent.send_all(&again).await.map_err(|error| self.failed(lent, &error))?;
        for (place, reply) in missing.into_iter().zip(rerun) {
            replies[place] = reply;
        }
        Ok(())
    }

    /// A shared connection that is not known to be broken, made if need be.
    async fn lend(&self) -> Result<Lent, ShardError> {
        let shared = &self.shared[self.turn.fetch_add(1, Ordering::Relaxed) % self.shared.len()];
        if let Some(lent) = self.usable(shared) {
            return Ok(lent);
        }
        let asked = Instant::now();
        let mut last_failure = shared.connecting.lock().await;
        // Someone else may have connected, or failed to, while this request waited for its turn.
        if let Some(lent) = self.usable(shared) {
            return Ok(lent);
        }
        if let Some((_, error)) = last_failure.as_ref().filter(|(when, _)| *when >= asked) {
            return Err(error.clone());
        }
        let losses = self.losses.load(Ordering::Acquire);
        match self.pool.get().await {
            Ok(pooled) => {
                let connection = deadpool_redis::Connection::take(pooled);
                *shared.current.lock().unwrap_or_else(PoisonError::into_inner) = Some((losses, connection.clone()));
                *last_failure = None;
                Ok(Lent { connection, losses })
            }
            Err(error) => {
                let error = self.unreachable(&error);
                *last_failure = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    fn usable(&self, shared: &Shared) -> Option<Lent> {
        let current = shared.current.lock().unwrap_or_else(PoisonError::into_inner);
        let (losses, connection) = current.as_ref()?;
        (*losses == self.losses.load(Ordering::Acquire))
            .then(|| Lent { connection: connection.clone(), losses: *losses })
    }

    fn age_ms(&self) -> u64 {
        // Counts from 1, as 0 stands for never.
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1)
    }

    fn unreachable(&self, error: &deadpool_redis::PoolError) -> ShardError {
        self.silent_ms.store(self.age_ms(), Ordering::Relaxed);
        ShardError::Unreachable { shard: self.number, cause: error.to_string() }
    }

    fn failed(&self, lent: &Lent, error: &RedisError) -> ShardError {
        let (shard, cause) = (self.number, error.to_string());
        if error.is_timeout() || error.is_unrecoverable_error() || error.code() == Some("READONLY") {
            // A silent or demoted server is left: the next request connects anew. Only whoever finds it out first
            // gives the connection up; those that come later must not give up the new one.
            let _ = self.losses.compare_exchange(lent.losses, lent.losses + 1, Ordering::AcqRel, Ordering::Acquire);
            self.silent_ms.store(self.age_ms(), Ordering::Relaxed);
        }
        if is_refused(error) { ShardError::Refused { shard, cause } } else { ShardError::Unanswered { shard, cause } }
    }
}

type Reply = Result<Value, RedisError>;

impl Lent {
    async fn run(&mut self, call: &Call) -> Reply {
        run_over(&mut self.connection, call).await
    }

    async fn send_all(&mut self, pipeline: &Pipeline) -> Result<Vec<Reply>, RedisError> {
        let replies = self.connection.send_packed_commands(pipeline, 0, pipeline.len()).await?;
        Ok(replies.into_iter().map(Value::extract_error).collect())
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

async fn load(connection: &mut MultiplexedConnection, script: &Script) -> Result<(), RedisError> {
    log::debug!(script = script.name(); "loading a script");
    send(connection, &script.load()).await.map(|_| ())
}

async fn send(connection: &mut MultiplexedConnection, command: &Cmd) -> Reply {
    connection.send_packed_command(command).await.and_then(Value::extract_error)
}

fn is_missing_script(error: &RedisError) -> bool {
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
