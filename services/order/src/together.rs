//! What concurrent checkouts of one thread ask of an order shard at the same time, in one call: begin, decide and refuse.

use std::rc::Rc;
use std::sync::Arc;

use shardcart_protocol::batch_pacer::{BatchPacer, Stage};
use shardcart_protocol::coalescer::{BatchRequest, Coalescer};
use shardcart_protocol::participant::Refusal;
use shardcart_store::shard_error::ShardError;
use shardcart_store::shards::Shards;
use shardcart_telemetry::trace;
use shardcart_telemetry::trace::export;

use crate::attempt::{self, Begun, Named, Truth};
use crate::config::CheckoutSettings;

/// Attempts in one script call at most: while it runs, its shard does nothing else.
pub const TOGETHER_MAX: usize = 128;

type Answer<T> = Result<T, ShardError>;

/// Begins, decides and refuses attempts, many together.
pub struct Attempts {
    begins: Rc<Coalescer<Begins>>,
    decides: Rc<Coalescer<Decides>>,
    refuses: Rc<Coalescer<Refuses>>,
}

impl Attempts {
    /// On these shards, with the lease and deadline of these settings.
    pub fn new(shards: &Arc<Shards>, settings: &CheckoutSettings, pacer: &Rc<BatchPacer>) -> Self {
        let begins = Begins { shards: Arc::clone(shards), settings: settings.clone() };
        let decides = Decides(Arc::clone(shards));
        Attempts {
            begins: Coalescer::new(begins, pacer, Stage::Begin),
            decides: Coalescer::new(decides, pacer, Stage::Decide),
            refuses: Coalescer::new(Refuses(Arc::clone(shards)), pacer, Stage::Decide),
        }
    }

    /// Begins an attempt. May be repeated: a tx begins at most once.
    ///
    /// # Errors
    /// See [`ShardError`].
    pub async fn begin(&self, named: Named) -> Answer<Begun> {
        ask(&self.begins, "begin.lua", named.partition.shard(), named).await
    }

    /// Commits an attempt if it is still pending. May be repeated.
    ///
    /// # Errors
    /// `Unanswered`: it may be paid now; only asking again tells.
    pub async fn decide(&self, named: Named) -> Answer<Truth> {
        ask(&self.decides, "decide.lua", named.partition.shard(), named).await
    }

    /// Gives an attempt up in one step: only where nobody holds anything for it, now or ever. May be repeated.
    ///
    /// # Errors
    /// See [`ShardError`].
    pub async fn refuse(&self, named: Named, refusal: Refusal) -> Answer<Truth> {
        ask(&self.refuses, "refuse.lua", named.partition.shard(), (named, refusal)).await
    }
}

/// Asks together with others; the script's span is told in the trace of the one who asks.
async fn ask<T, A: BatchRequest<Answer = Answer<T>>>(
    coalescer: &Rc<Coalescer<A>>,
    script: &'static str,
    shard: u16,
    asked: A::Item,
) -> Answer<T> {
    let began = export::begin(trace::current);
    let too_much = || Err(ShardError::Unanswered { shard, cause: "too much waits for it".to_owned() });
    let answer = coalescer.submit(shard, asked).await.unwrap_or_else(too_much);
    export::ended(began, script, "order", shard, answer.is_err());
    answer
}

struct Begins {
    shards: Arc<Shards>,
    settings: CheckoutSettings,
}

impl BatchRequest for Begins {
    type Item = Named;
    type Answer = Answer<Begun>;
    const ITEMS_MAX: usize = TOGETHER_MAX;

    async fn send(&self, shard: u16, named: Vec<Named>) -> Vec<Answer<Begun>> {
        let (lease, deadline) = (self.settings.checkout_lease_ms, self.settings.checkout_deadline_ms);
        let answers = match self.shards.shard(shard) {
            Ok(shard) => attempt::begin(shard, &named, lease, deadline).await,
            Err(error) => Err(error),
        };
        spread(answers, named.len())
    }
}

struct Decides(Arc<Shards>);

impl BatchRequest for Decides {
    type Item = Named;
    type Answer = Answer<Truth>;
    const ITEMS_MAX: usize = TOGETHER_MAX;

    async fn send(&self, shard: u16, named: Vec<Named>) -> Vec<Answer<Truth>> {
        let answers = match self.0.shard(shard) {
            Ok(shard) => attempt::decide(shard, &named).await,
            Err(error) => Err(error),
        };
        spread(answers, named.len())
    }
}

struct Refuses(Arc<Shards>);

impl BatchRequest for Refuses {
    type Item = (Named, Refusal);
    type Answer = Answer<Truth>;
    const ITEMS_MAX: usize = TOGETHER_MAX;

    async fn send(&self, shard: u16, refused: Vec<(Named, Refusal)>) -> Vec<Answer<Truth>> {
        let answers = match self.0.shard(shard) {
            Ok(shard) => attempt::refuse(shard, &refused).await,
            Err(error) => Err(error),
        };
        spread(answers, refused.len())
    }
}

/// What befell the call befell each of them.
fn spread<T>(answers: Answer<Vec<Answer<T>>>, count: usize) -> Vec<Answer<T>> {
    answers.unwrap_or_else(|error| (0..count).map(|_| Err(error.clone())).collect())
}
