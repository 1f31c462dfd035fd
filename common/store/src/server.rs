//! One Redis primary as one worker thread uses it: calls to it, each with a reply or with what a caller may conclude.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use redis::Value;
use shardcart_types::address::Address;

use crate::connections::{Admission, Connections, Lent};
use crate::pipeline::Calls;
use crate::replica_ack::ReplicaAck;
use crate::script::Call;
use crate::settings::RedisSettings;
use crate::shard_error::{Replies, ShardError};

/// One Redis primary: its connections, and the acknowledgement of its replicas. A server may have several shards.
///
/// Calls run over a few shared connections, so that none waits for a free one. Calls whose replicas are waited for have
/// connections of their own: see `replica_ack.rs`.
pub(crate) struct Server {
    connections: Arc<Connections>,
    /// So many connections, the first ones, are shared.
    shared: usize,
    turn: AtomicUsize,
    replica_ack: Option<Arc<ReplicaAck>>,
}

impl Server {
    /// The server at an address. Connects when it is first used.
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
        let connections = Arc::new(Connections::new(service, number, address, settings, admission, shared + own)?);
        let replica_ack = waits.then(|| Arc::new(ReplicaAck::new(&connections, settings, shared..shared + own)));
        Ok(Server { connections, shared, turn: AtomicUsize::new(0), replica_ack })
    }

    /// The service whose data it has.
    pub(crate) fn service(&self) -> &'static str {
        self.connections.service()
    }

    /// Runs one call and returns its reply. One that may be repeated is sent once more when its connection breaks.
    ///
    /// # Errors
    /// See [`ShardError`]; only `Unanswered` leaves open whether the call ran.
    pub(crate) async fn run(&self, call: &Call) -> Result<Value, ShardError> {
        match &self.replica_ack {
            None => self.ask(call).await,
            Some(replica_ack) => replica_ack.run(call.clone()).await,
        }
    }

    /// Runs one call as [`Server::run`] does, but never waits for replicas: for what tells of this server alone, such
    /// as whether it answers, its clock, and whose data it has.
    ///
    /// # Errors
    /// As [`Server::run`].
    pub(crate) async fn ask(&self, call: &Call) -> Result<Value, ShardError> {
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
            let unanswered = self.connections.failed(&lent, error);
            lent = self.lend().await.map_err(|_| unanswered)?;
            reply = lent.run(call).await;
        }
        reply.map_err(|error| self.connections.failed(&lent, &error))
    }

    /// Runs calls as one pipeline. Each has its own reply or failure; they neither wait for nor depend on one another.
    /// All of them must be repeatable: they are sent once more when their connection breaks.
    ///
    /// # Errors
    /// For all of them at once when there is no connection, or it breaks, or too few replicas have what they did.
    pub(crate) async fn run_all(&self, mut calls: Vec<Call>) -> Replies {
        if calls.is_empty() {
            return Ok(Vec::new());
        }
        if let Some(replica_ack) = &self.replica_ack {
            for call in &mut calls {
                call.repeatable = true;
            }
            return replica_ack.run_all(calls).await;
        }
        let mut lent = self.lend().await?;
        let calls = Calls::new(calls, &[]);
        let mut replies = calls.send(&mut lent).await;
        if let Err(error) = &replies
            && error.is_connection_dropped()
        {
            let unanswered = self.connections.failed(&lent, error);
            lent = self.lend().await.map_err(|_| unanswered)?;
            replies = calls.send(&mut lent).await;
        }
        let replies = replies.map_err(|error| self.connections.failed(&lent, &error))?;
        Ok(replies.into_iter().map(|reply| reply.map_err(|error| self.connections.failed(&lent, &error))).collect())
    }

    /// Runs one large call over a connection of its own, with time for it: for bulk loads.
    ///
    /// # Errors
    /// As [`Server::run`].
    pub(crate) async fn run_bulk(&self, call: &Call) -> Result<Value, ShardError> {
        match &self.replica_ack {
            None => self.ask_bulk(call).await,
            Some(replica_ack) => {
                replica_ack.run_bulk(&mut self.connections.lend_for_bulk().await?.lent, call.clone()).await
            }
        }
    }

    /// Runs one large call as [`Server::run_bulk`] does, but never waits for replicas, as [`Server::ask`].
    ///
    /// # Errors
    /// As [`Server::run`].
    pub(crate) async fn ask_bulk(&self, call: &Call) -> Result<Value, ShardError> {
        let mut bulk = self.connections.lend_for_bulk().await?;
        bulk.lent.run(call).await.map_err(|error| self.connections.failed(&bulk.lent, &error))
    }

    /// Whether this server gave no answer a moment ago.
    pub(crate) fn is_silent(&self) -> bool {
        self.connections.is_silent()
    }

    /// One of the shared connections.
    async fn lend(&self) -> Result<Lent, ShardError> {
        self.connections.lend(self.turn.fetch_add(1, Ordering::Relaxed) % self.shared).await
    }
}
