//! One shard: calls to its server, each with a reply or with what may be concluded from there being none.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use redis::Value;

use crate::connections::{Admission, Connections, Lent};
use crate::pipeline::Calls;
use crate::replica_ack::ReplicaAck;
use crate::script::Call;
use crate::settings::RedisSettings;
use crate::shard_error::{Replies, ShardError};
use shardcart_telemetry::trace;
use shardcart_telemetry::trace::export;
use shardcart_types::address::Address;

/// One Redis primary as one worker thread sees it.
///
/// Calls run over a few connections that all share, so that none waits for a free one. Where replicas are waited for,
/// they go another way: see `replica_ack.rs`.
pub struct Shard {
    server: Arc<Connections>,
    /// The first of the server's connections are shared, so many.
    shared: usize,
    turn: AtomicUsize,
    waiting: Option<Arc<ReplicaAck>>,
}

impl std::fmt::Debug for Shard {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Shard").field("number", &self.number()).finish_non_exhaustive()
    }
}

impl Shard {
    /// A shard at an address. Connects when it is first used.
    ///
    /// # Errors
    /// A text: the settings cannot be turned into a connection.
    pub(crate) fn new(
        service: &'static str,
        number: u16,
        address: &Address,
        settings: &RedisSettings,
        admission: &Arc<Admission>,
    ) -> Result<Self, String> {
        let shared = usize::from(settings.redis_connections);
        let waits = settings.redis_wait_replicas > 0;
        let own = if waits { usize::from(settings.redis_wait_connections) } else { 0 };
        let server = Arc::new(Connections::new(service, number, address, settings, admission, shared + own)?);
        let waiting = waits.then(|| Arc::new(ReplicaAck::new(&server, settings, shared..shared + own)));
        Ok(Shard { server, shared, turn: AtomicUsize::new(0), waiting })
    }

    /// The shard's number: its place in the address list.
    pub fn number(&self) -> u16 {
        self.server.shard()
    }

    /// Runs one call and returns its reply. One that may be repeated is sent once more when its connection breaks.
    ///
    /// # Errors
    /// See [`ShardError`]; only `Unanswered` leaves open whether the call ran.
    pub async fn run(&self, call: &Call) -> Result<Value, ShardError> {
        let began = export::begin(trace::current);
        let reply = match &self.waiting {
            None => self.ask(call).await,
            Some(waiting) => waiting.run(call.clone()).await,
        };
        export::ended(began, call.name(), self.server.service(), self.number(), reply.is_err());
        reply
    }

    /// Runs one call as [`Shard::run`] does, but never waits for replicas: for what tells of this server alone, such
    /// as whether it answers, its clock, and whose data it has.
    ///
    /// # Errors
    /// As [`Shard::run`].
    pub async fn ask(&self, call: &Call) -> Result<Value, ShardError> {
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
            let unanswered = self.server.failed(&lent, error);
            lent = self.lend().await.map_err(|_| unanswered)?;
            reply = lent.run(call).await;
        }
        reply.map_err(|error| self.server.failed(&lent, &error))
    }

    /// Runs calls as one pipeline. Each has its own reply or failure; they neither wait for nor depend on one another.
    /// All of them must be repeatable: they are sent once more when their connection breaks.
    ///
    /// # Errors
    /// For all of them at once when there is no connection, or it breaks, or too few replicas have what they did.
    pub async fn run_all(&self, mut calls: Vec<Call>) -> Replies {
        if calls.is_empty() {
            return Ok(Vec::new());
        }
        if let Some(waiting) = &self.waiting {
            for call in &mut calls {
                call.repeatable = true;
            }
            return waiting.run_all(calls).await;
        }
        let mut lent = self.lend().await?;
        let calls = Calls::new(calls, &[]);
        let mut replies = calls.send(&mut lent).await;
        if let Err(error) = &replies
            && error.is_connection_dropped()
        {
            let unanswered = self.server.failed(&lent, error);
            lent = self.lend().await.map_err(|_| unanswered)?;
            replies = calls.send(&mut lent).await;
        }
        let replies = replies.map_err(|error| self.server.failed(&lent, &error))?;
        Ok(replies.into_iter().map(|reply| reply.map_err(|error| self.server.failed(&lent, &error))).collect())
    }

    /// Runs one large call over a connection of its own, with time for it: for bulk loads.
    ///
    /// # Errors
    /// As [`Shard::run`].
    pub async fn run_bulk(&self, call: &Call) -> Result<Value, ShardError> {
        match &self.waiting {
            None => self.ask_bulk(call).await,
            Some(waiting) => waiting.run_bulk(&mut self.server.lend_for_bulk().await?.lent, call.clone()).await,
        }
    }

    /// Runs one large call as [`Shard::run_bulk`] does, but never waits for replicas, as [`Shard::ask`].
    ///
    /// # Errors
    /// As [`Shard::run`].
    pub async fn ask_bulk(&self, call: &Call) -> Result<Value, ShardError> {
        let mut bulk = self.server.lend_for_bulk().await?;
        bulk.lent.run(call).await.map_err(|error| self.server.failed(&bulk.lent, &error))
    }

    /// Whether this shard gave no answer a moment ago. Who can choose asks another first.
    pub fn is_silent(&self) -> bool {
        self.server.is_silent()
    }

    /// One of the shared connections.
    async fn lend(&self) -> Result<Lent, ShardError> {
        self.server.lend(self.turn.fetch_add(1, Ordering::Relaxed) % self.shared).await
    }
}
