//! Begin, decide and refuse of concurrent checkouts, coalesced: what a thread asks of one order shard at the same time
//! goes there in one script call.

use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use shardcart_protocol::batch_pacer::{BatchPacer, Stage};
use shardcart_protocol::coalescer::{BatchRequest, Coalescer};
use shardcart_protocol::participant::Refusal;
use shardcart_schema::limit::CALL_MAX;
use shardcart_store::shard::Shard;
use shardcart_store::shard_error::ShardError;
use shardcart_store::shards::Shards;
use shardcart_telemetry::trace::{self, export};

use crate::attempt::{self, AttemptRef, Begun, OrderState};
use crate::config::CheckoutSettings;

type Answer<T> = Result<T, ShardError>;

/// Begins, decides and refuses attempts, many in one call.
pub struct Attempts {
    begin: Coalesced<Begin>,
    decide: Coalesced<Decide>,
    refuse: Coalesced<Refuse>,
}

impl Attempts {
    /// On these shards, with the lease and deadline of these settings.
    pub fn new(shards: &Arc<Shards>, settings: &CheckoutSettings, pacer: &Rc<BatchPacer>) -> Self {
        let begin = Begin { lease: settings.checkout_lease_ms, deadline: settings.checkout_deadline_ms };
        Attempts {
            begin: Coalesced::new(begin, shards, pacer),
            decide: Coalesced::new(Decide, shards, pacer),
            refuse: Coalesced::new(Refuse, shards, pacer),
        }
    }

    /// Begins an attempt. May be repeated: a tx begins at most once.
    ///
    /// # Errors
    /// See [`ShardError`].
    pub async fn begin(&self, attempt: AttemptRef) -> Answer<Begun> {
        self.begin.ask(attempt.shard, attempt).await
    }

    /// Commits an attempt if it is still pending. May be repeated.
    ///
    /// # Errors
    /// `Unanswered`: it may be paid now; only asking again tells.
    pub async fn decide(&self, attempt: AttemptRef) -> Answer<OrderState> {
        self.decide.ask(attempt.shard, attempt).await
    }

    /// Gives an attempt up in one step: only where nobody holds anything for it, now or ever. May be repeated.
    ///
    /// # Errors
    /// See [`ShardError`].
    pub async fn refuse(&self, attempt: AttemptRef, refusal: Refusal) -> Answer<OrderState> {
        self.refuse.ask(attempt.shard, (attempt, refusal)).await
    }
}

/// An operation on attempts of one order shard, many of them in one script call.
trait Operation: 'static {
    /// What one checkout asks.
    type Asked: 'static;
    /// What it is answered.
    type Answered: 'static;
    /// The script's file.
    const SCRIPT: &'static str;
    /// The stage of a checkout in which it is asked.
    const STAGE: Stage;

    /// Runs the script: one answer each, in order, or an error that is everyone's.
    fn run(&self, shard: &Shard, asked: &[Self::Asked]) -> impl Future<Output = Answer<Vec<Answer<Self::Answered>>>>;
}

struct Begin {
    lease: Duration,
    deadline: Duration,
}

impl Operation for Begin {
    type Asked = AttemptRef;
    type Answered = Begun;
    const SCRIPT: &'static str = "begin.lua";
    const STAGE: Stage = Stage::Begin;

    async fn run(&self, shard: &Shard, attempts: &[AttemptRef]) -> Answer<Vec<Answer<Begun>>> {
        attempt::begin(shard, attempts, self.lease, self.deadline).await
    }
}

struct Decide;

impl Operation for Decide {
    type Asked = AttemptRef;
    type Answered = OrderState;
    const SCRIPT: &'static str = "decide.lua";
    const STAGE: Stage = Stage::Decide;

    async fn run(&self, shard: &Shard, attempts: &[AttemptRef]) -> Answer<Vec<Answer<OrderState>>> {
        attempt::decide(shard, attempts).await
    }
}

struct Refuse;

impl Operation for Refuse {
    type Asked = (AttemptRef, Refusal);
    type Answered = OrderState;
    const SCRIPT: &'static str = "refuse.lua";
    const STAGE: Stage = Stage::Decide;

    async fn run(&self, shard: &Shard, refused: &[(AttemptRef, Refusal)]) -> Answer<Vec<Answer<OrderState>>> {
        attempt::refuse(shard, refused).await
    }
}

/// An operation whose calls many checkouts share.
struct Coalesced<O: Operation>(Rc<Coalescer<Calls<O>>>);

impl<O: Operation> Coalesced<O> {
    fn new(operation: O, shards: &Arc<Shards>, pacer: &Rc<BatchPacer>) -> Self {
        Coalesced(Coalescer::new(Calls { operation, shards: Arc::clone(shards) }, pacer, O::STAGE))
    }

    /// Asks together with others. The script's span is in the trace of each checkout that asks.
    async fn ask(&self, shard: u16, asked: O::Asked) -> Answer<O::Answered> {
        let began = export::begin(trace::current);
        let too_much = || Err(ShardError::Unanswered { shard, cause: "too much waits for it".to_owned() });
        let answer = self.0.submit(shard, asked).await.unwrap_or_else(too_much);
        export::ended(began, O::SCRIPT, "order", shard, answer.is_err());
        answer
    }
}

/// The calls of one operation.
struct Calls<O> {
    operation: O,
    shards: Arc<Shards>,
}

impl<O: Operation> BatchRequest for Calls<O> {
    type Item = O::Asked;
    type Answer = Answer<O::Answered>;
    const ITEMS_MAX: usize = CALL_MAX;

    async fn send(&self, shard: u16, asked: Vec<O::Asked>) -> Vec<Answer<O::Answered>> {
        let answers = match self.shards.shard(shard) {
            Ok(shard) => self.operation.run(shard, &asked).await,
            Err(error) => Err(error),
        };
        // Every checkout receives the error of the call.
        answers.unwrap_or_else(|error| asked.iter().map(|_| Err(error.clone())).collect())
    }
}
