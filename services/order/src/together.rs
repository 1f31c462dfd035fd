//! What concurrent checkouts of one thread ask of an order shard at the same time, in one call: begin, decide and refuse.

use std::rc::Rc;
use std::sync::Arc;

use shardcart_common::collector::{Collector, Together};
use shardcart_common::flow::{Flow, Stage};
use shardcart_common::participant::Refusal;
use shardcart_common::shard::ShardError;
use shardcart_common::shards::Shards;
use shardcart_common::trace::{self, export};

use crate::attempt::{self, Begun, Named, Truth};
use crate::config::CheckoutSettings;

/// Attempts in one script call at most: while it runs, its shard does nothing else.
pub const TOGETHER_MAX: usize = 128;

type Answer<T> = Result<T, ShardError>;

/// Begins, decides and refuses attempts, many together.
pub struct Attempts {
    begins: Rc<Collector<Begins>>,
    decides: Rc<Collector<Decides>>,
    refuses: Rc<Collector<Refuses>>,
}

impl Attempts {
    /// On these shards, with the lease and deadline of these settings.
    pub fn new(shards: &Arc<Shards>, settings: &CheckoutSettings, flow: &Rc<Flow>) -> Self {
        let begins = Begins { shards: Arc::clone(shards), settings: settings.clone() };
        let decides = Decides(Arc::clone(shards));
        Attempts {
            begins: Collector::new(begins, flow, Stage::Begin),
            decides: Collector::new(decides, flow, Stage::Decide),
            refuses: Collector::new(Refuses(Arc::clone(shards)), flow, Stage::Decide),
        }
    }

    /// Begins an attempt. May be repeated: a tx begins at most once.
    ///
    /// # Errors
    /// See [`ShardError`].
    pub async fn begin(&self, named: Named) -> Answer<Begun> {
        let shard = named.partition.shard();
        let began = export::begin(trace::current);
        let answer = self.begins.submit(shard, named).await.unwrap_or_else(|| Err(too_much(shard)));
        export::ended(began, "begin.lua", "order", shard, answer.is_err());
        answer
    }

    /// Commits an attempt if it is still pending. May be repeated.
    ///
    /// # Errors
    /// `Unanswered`: it may be paid now; only asking again tells.
    pub async fn decide(&self, named: Named) -> Answer<Truth> {
        let shard = named.partition.shard();
        let began = export::begin(trace::current);
        let answer = self.decides.submit(shard, named).await.unwrap_or_else(|| Err(too_much(shard)));
        export::ended(began, "decide.lua", "order", shard, answer.is_err());
        answer
    }

    /// Gives an attempt up in one step: only where nobody holds anything for it, now or ever. May be repeated.
    ///
    /// # Errors
    /// See [`ShardError`].
    pub async fn refuse(&self, named: Named, refusal: Refusal) -> Answer<Truth> {
        let shard = named.partition.shard();
        let began = export::begin(trace::current);
        let answer = self.refuses.submit(shard, (named, refusal)).await.unwrap_or_else(|| Err(too_much(shard)));
        export::ended(began, "refuse.lua", "order", shard, answer.is_err());
        answer
    }
}

fn too_much(shard: u16) -> ShardError {
    ShardError::Unanswered { shard, cause: "too much waits for it".to_owned() }
}

struct Begins {
    shards: Arc<Shards>,
    settings: CheckoutSettings,
}

impl Together for Begins {
    type Asked = Named;
    type Answer = Answer<Begun>;
    const MOST: usize = TOGETHER_MAX;

    async fn ask(&self, shard: u16, named: Vec<Named>) -> Vec<Answer<Begun>> {
        let (lease, deadline) = (self.settings.checkout_lease_ms, self.settings.checkout_deadline_ms);
        let answers = match self.shards.shard(shard) {
            Ok(shard) => attempt::begin(shard, &named, lease, deadline).await,
            Err(error) => Err(error),
        };
        spread(answers, named.len())
    }
}

struct Decides(Arc<Shards>);

impl Together for Decides {
    type Asked = Named;
    type Answer = Answer<Truth>;
    const MOST: usize = TOGETHER_MAX;

    async fn ask(&self, shard: u16, named: Vec<Named>) -> Vec<Answer<Truth>> {
        let answers = match self.0.shard(shard) {
            Ok(shard) => attempt::decide(shard, &named).await,
            Err(error) => Err(error),
        };
        spread(answers, named.len())
    }
}

struct Refuses(Arc<Shards>);

impl Together for Refuses {
    type Asked = (Named, Refusal);
    type Answer = Answer<Truth>;
    const MOST: usize = TOGETHER_MAX;

    async fn ask(&self, shard: u16, refused: Vec<(Named, Refusal)>) -> Vec<Answer<Truth>> {
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
