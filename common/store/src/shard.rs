//! One shard: what one script may span. Calls go to the server that has it.

use std::future::Future;
use std::sync::Arc;

use redis::Value;
use shardcart_schema::tag::Tag;
use shardcart_telemetry::trace::{self, export};

use crate::script::Call;
use crate::server::Server;
use crate::shard_error::{Replies, ShardError};

/// A shard as one worker thread sees it. Its number is in the ids of what it has; which server has it is no matter of its
/// callers.
pub struct Shard {
    number: u16,
    tag: Tag,
    idempotency_records_max: u64,
    server: Arc<Server>,
}

impl std::fmt::Debug for Shard {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Shard").field("number", &self.number).finish_non_exhaustive()
    }
}

impl Shard {
    /// The shard of this number and tag, with so many records of idempotency keys at most, on a server.
    pub(crate) fn new(number: u16, tag: Tag, idempotency_records_max: u64, server: Arc<Server>) -> Self {
        Shard { number, tag, idempotency_records_max, server }
    }

    /// The shard's number.
    pub fn number(&self) -> u16 {
        self.number
    }

    /// The hash tag of all its keys.
    pub fn tag(&self) -> Tag {
        self.tag
    }

    /// How many records of idempotency keys it has at most.
    pub fn idempotency_records_max(&self) -> u64 {
        self.idempotency_records_max
    }

    /// Runs one call and returns its reply. One that may be repeated is sent once more when its connection breaks.
    ///
    /// # Errors
    /// See [`ShardError`]; only `Unanswered` leaves open whether the call ran.
    pub async fn run(&self, call: &Call) -> Result<Value, ShardError> {
        let began = export::begin(trace::current);
        let reply = self.server.run(call).await;
        export::ended(began, call.name(), self.server.service(), self.number, reply.is_err());
        reply
    }

    /// Runs one call as [`Shard::run`] does, but never waits for replicas: for what tells of the server alone, such as
    /// whether it answers, its clock, and whose data it has.
    ///
    /// # Errors
    /// As [`Shard::run`].
    pub fn ask(&self, call: &Call) -> impl Future<Output = Result<Value, ShardError>> {
        self.server.ask(call)
    }

    /// Runs calls as one pipeline. Each has its own reply or failure; they neither wait for nor depend on one another.
    /// All of them must be repeatable: they are sent once more when their connection breaks.
    ///
    /// # Errors
    /// For all of them at once when there is no connection, or it breaks, or too few replicas have what they did.
    pub fn run_all(&self, calls: Vec<Call>) -> impl Future<Output = Replies> {
        self.server.run_all(calls)
    }

    /// Runs one large call over a connection of its own, with time for it: for bulk loads.
    ///
    /// # Errors
    /// As [`Shard::run`].
    pub fn run_bulk(&self, call: &Call) -> impl Future<Output = Result<Value, ShardError>> {
        self.server.run_bulk(call)
    }

    /// Runs one large call as [`Shard::run_bulk`] does, but never waits for replicas, as [`Shard::ask`].
    ///
    /// # Errors
    /// As [`Shard::run`].
    pub fn ask_bulk(&self, call: &Call) -> impl Future<Output = Result<Value, ShardError>> {
        self.server.ask_bulk(call)
    }

    /// Whether this shard gave no answer a moment ago. A caller that has a choice asks another first.
    pub fn is_silent(&self) -> bool {
        self.server.is_silent()
    }
}
