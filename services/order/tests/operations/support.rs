//! Orders on a Redis of their own: what is done with them, and what then lies on their shard.

use std::cell::{Cell, RefCell};
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use shardcart_order::attempt::{self, Attempt, AttemptRef, Begun, OrderState, TakenOver};
use shardcart_order::orders;
use shardcart_order::participants::Participants;
use shardcart_protocol::participant::{
    Answer, Batch, Operation, Participant, ParticipantError, Refusal, Step, Topology,
};
use shardcart_schema::key;
use shardcart_schema::tag::{Owner, Tag};
use shardcart_store::settings::BatchInitSettings;
use shardcart_store::shard::Shard;
use shardcart_store::shard_error::ShardError;
use shardcart_types::amount::Quantity;
use shardcart_types::ids::{ItemId, OrderId, TxId, UserId, now_ms};

pub use shardcart_harness_shards::{PATIENCE, Raw, TestShards};

/// A lease and a deadline that do not end while a test runs.
pub const LEASE: Duration = Duration::from_secs(200);
pub const DEADLINE: Duration = Duration::from_secs(250);

/// The order service's shard; its Redis ends with the test.
pub struct TestOrders {
    on: TestShards,
}

impl Deref for TestOrders {
    type Target = TestShards;

    fn deref(&self) -> &TestShards {
        &self.on
    }
}

impl TestOrders {
    pub async fn start() -> Self {
        TestOrders::start_many(1).await
    }

    /// Orders on several shards; what is asked of one alone is asked of shard 0.
    pub async fn start_many(count: usize) -> Self {
        TestOrders { on: TestShards::start_many("order", count).await }
    }

    pub fn shard(&self) -> &Shard {
        self.shards.shard(0).expect("there is a shard 0")
    }

    pub fn shard_of(&self, order: &OrderId) -> u16 {
        self.shards.shard_of(order.as_str())
    }

    /// A new order with an empty cart.
    pub async fn order(&self) -> OrderId {
        orders::create(&self.shards, &user("u"), None).await.expect("an order is made").value
    }

    /// A new order with two lines: 2 of `a` at 5 each, 1 of `b` at 7.
    pub async fn filled_order(&self) -> OrderId {
        let order = self.order().await;
        self.add(&order, "a", 2, 5).await;
        self.add(&order, "b", 1, 7).await;
        order
    }

    pub async fn add(&self, order: &OrderId, line: &str, units: u64, price: u64) {
        orders::add_item(&self.shards, order, &item(line), quantity(units), price, None)
            .await
            .expect("the order is open");
    }

    /// The key of an order's record.
    pub fn key(&self, order: &OrderId) -> String {
        self.key_of("order", order.as_str())
    }

    /// The key of an order's cart.
    pub fn cart_key(&self, order: &OrderId) -> String {
        self.key_of("cart", order.as_str())
    }

    /// The key of what is in flight on an order's shard.
    pub fn inflight_key(&self, order: &OrderId) -> String {
        inflight_key(self.shard_of(order))
    }

    /// An order's record byte by byte; `None` if there is none.
    pub async fn bytes(&self, order: &OrderId) -> Option<Vec<u8>> {
        self.raw.ask(&["GET", &self.key(order)]).await
    }

    /// A field of an order's record; empty if there is none.
    pub async fn field(&self, order: &OrderId, field: &str) -> String {
        self.raw.record(&self.key(order)).await.remove(field).unwrap_or_default()
    }

    /// Writes fields of an order's record; an empty text takes a field out.
    pub async fn set(&self, order: &OrderId, fields: &[(&str, &str)]) {
        self.raw.set(&self.key(order), fields).await;
    }

    pub async fn status(&self, order: &OrderId) -> String {
        self.field(order, "status").await
    }

    /// When recovery looks at an order; `None` when it is not in flight.
    pub async fn due_ms(&self, order: &OrderId) -> Option<u64> {
        let inflight = self.raw.moments(&self.inflight_key(order)).await;
        inflight.get(&self.key(order)).copied()
    }

    /// Has recovery look at an order at this moment, or lose sight of it.
    pub async fn set_due(&self, order: &OrderId, due_ms: Option<u64>) {
        let (inflight, member) = (self.inflight_key(order), self.key(order));
        match due_ms {
            Some(due_ms) => {
                self.raw.tell(&["ZADD", &inflight, &due_ms.to_string(), &member]).await;
            }
            None => self.raw.tell(&["ZREM", &inflight, &member]).await,
        }
    }

    /// Makes an order's record one that a later release wrote.
    pub async fn make_newer(&self, order: &OrderId) {
        self.raw.make_newer(&self.key(order)).await;
    }

    /// A tx that is later than all that an order has had.
    pub async fn later_tx(&self, order: &OrderId) -> TxId {
        let last = TxId::parse(&self.field(order, "tx").await).map_or(0, |last| last.minted_ms());
        TxId::mint(self.shard_of(order), now_ms().max(last + 1))
    }

    pub async fn begin(&self, order: &OrderId, tx: &TxId) -> Result<Begun, ShardError> {
        self.begin_for(order, tx, LEASE, DEADLINE).await
    }

    async fn begin_for(
        &self,
        order: &OrderId,
        tx: &TxId,
        lease: Duration,
        deadline: Duration,
    ) -> Result<Begun, ShardError> {
        let named = AttemptRef { order: order.clone(), shard: self.shard_of(order), tx: tx.clone() };
        only(attempt::begin(self.shard(), &[named], lease, deadline).await)
    }

    /// Begins an attempt of an order that is open.
    pub async fn begun(&self, order: &OrderId) -> Attempt {
        let tx = self.later_tx(order).await;
        expect_attempt(self.begin(order, &tx).await.expect("the shard answers"))
    }

    /// Begins an attempt whose lease and deadline are over at once.
    pub async fn begun_late(&self, order: &OrderId) -> Attempt {
        let (tx, none) = (self.later_tx(order).await, Duration::ZERO);
        let begun = self.begin_for(order, &tx, none, none).await;
        expect_attempt(begun.expect("the shard answers"))
    }

    pub async fn decide(&self, attempt: &Attempt) -> OrderState {
        let told = only(attempt::decide(self.shard(), &[attempt.reference()]).await);
        told.expect("the shard answers")
    }

    pub async fn abort(&self, attempt: &Attempt, refusal: &Refusal) -> OrderState {
        let told = attempt::abort(self.shard(), attempt, refusal).await;
        told.expect("the shard answers")
    }

    pub async fn refuse(&self, attempt: &Attempt, refusal: &Refusal) -> OrderState {
        let told = only(attempt::refuse(self.shard(), &[(attempt.reference(), refusal.clone())]).await);
        told.expect("the shard answers")
    }

    pub async fn finish(&self, attempt: &Attempt) -> OrderState {
        let told = only(attempt::finish(self.shard(), &[attempt.reference()]).await);
        told.expect("the shard answers")
    }

    pub async fn claim(&self, hold: Duration, most: usize) -> Vec<OrderId> {
        self.claim_on(self.shard(), hold, most).await
    }

    pub async fn claim_on(&self, shard: &Shard, hold: Duration, most: usize) -> Vec<OrderId> {
        let claimed = attempt::claim(shard, hold, most).await.expect("the shard answers");
        assert!(claimed.iter().all(|order| self.shard_of(order) == shard.number()), "{claimed:?}");
        claimed
    }

    pub async fn take_over(&self, order: &OrderId) -> TakenOver {
        let call = attempt::take_over(self.shard(), order);
        let reply = self.shard().run(&call).await.expect("the shard answers");
        attempt::taken_over(self.shard(), order, reply).expect("a reply of the script")
    }

    pub async fn order_status(&self, order: &OrderId, held: Option<&TxId>) -> (OrderState, String) {
        let call = attempt::order_status(self.shard(), order, held);
        let reply = self.shard().run(&call).await.expect("the shard answers");
        attempt::read_order_status(self.shard(), reply).expect("a reply of the script")
    }

    /// Participants with these participants.
    pub fn settling(&self, stock: &Rc<Scripted>, payment: &Rc<Scripted>) -> Rc<Participants> {
        Participants::new(Arc::clone(&self.shards), Rc::<Scripted>::clone(stock), Rc::<Scripted>::clone(payment))
    }
}

/// What a participant answers to an operation.
type Answers = dyn Fn(u16, &Operation) -> Answer;

/// A participant that answers as a test tells it, and notes what it is asked.
pub struct Scripted {
    founding: u16,
    /// How many shards it has, and whether there may be more.
    shards: Cell<(u16, bool)>,
    answers: RefCell<Box<Answers>>,
    asked: RefCell<Vec<(u16, Operation)>>,
    batches: Cell<usize>,
}

impl Scripted {
    /// One with so many shards.
    pub fn with_shards(founding: u16, answers: impl Fn(u16, &Operation) -> Answer + 'static) -> Rc<Self> {
        Rc::new(Scripted {
            founding,
            shards: Cell::new((u16::MAX, true)),
            answers: RefCell::new(Box::new(answers)),
            asked: RefCell::default(),
            batches: Cell::default(),
        })
    }

    /// One with a single shard.
    pub fn new(answers: impl Fn(&Operation) -> Answer + 'static) -> Rc<Self> {
        Scripted::with_shards(1, move |_, operation| answers(operation))
    }

    /// One with a single shard that has enough of everything.
    pub fn willing() -> Rc<Self> {
        Scripted::new(willing)
    }

    /// It knows so many shards only; there may be more.
    pub fn knows(&self, shards: u16, may_have_more: bool) {
        self.shards.set((shards, may_have_more));
    }

    /// From now on it answers so.
    pub fn answer(&self, answers: impl Fn(&Operation) -> Answer + 'static) {
        *self.answers.borrow_mut() = Box::new(move |_, operation| answers(operation));
    }

    /// What it was asked, in words, with the tx: `reserve`, `confirm`, `cancel`.
    pub fn asked(&self) -> Vec<(&'static str, TxId)> {
        let asked = self.asked.borrow();
        asked.iter().map(|(_, operation)| (word(&operation.step), operation.tx.clone())).collect()
    }

    /// What it was asked for an attempt, in words.
    pub fn asked_for(&self, tx: &TxId) -> Vec<&'static str> {
        let asked = self.asked().into_iter().filter(|(_, asked)| asked == tx);
        asked.map(|(word, _)| word).collect()
    }

    /// In how many batches it was asked.
    pub fn batches(&self) -> usize {
        self.batches.get()
    }

    /// The operations it was asked for.
    pub fn operations(&self) -> Vec<Operation> {
        self.asked.borrow().iter().map(|(_, operation)| operation.clone()).collect()
    }

    /// The shards that were asked to cancel.
    pub fn cancelled_on(&self) -> Vec<u16> {
        let asked = self.asked.borrow();
        let cancels = asked.iter().filter(|(_, operation)| matches!(operation.step, Step::Cancel));
        cancels.map(|(shard, _)| *shard).collect()
    }
}

/// The answers of a participant that has enough of everything.
pub fn willing(operation: &Operation) -> Answer {
    match operation.step {
        Step::ReserveStock { .. } | Step::ReserveCredit { .. } => Answer::Held,
        Step::Confirm => Answer::Confirmed,
        Step::Cancel => Answer::Cancelled,
    }
}

fn word(step: &Step) -> &'static str {
    match step {
        Step::ReserveStock { .. } | Step::ReserveCredit { .. } => "reserve",
        Step::Confirm => "confirm",
        Step::Cancel => "cancel",
    }
}

impl Participant for Scripted {
    fn run(&self, batch: Batch) -> LocalBoxFuture<'_, Result<Vec<Answer>, ParticipantError>> {
        assert_eq!(batch.founding, self.founding);
        self.batches.set(self.batches.get() + 1);
        let answers = batch.operations.iter().map(|operation| {
            self.asked.borrow_mut().push((batch.shard, operation.clone()));
            (self.answers.borrow())(batch.shard, operation)
        });
        let answers = answers.collect();
        async move { Ok(answers) }.boxed_local()
    }

    fn topology(&self) -> LocalBoxFuture<'_, Result<Topology, ParticipantError>> {
        async { Ok(Topology { founding: self.founding, shards: self.shards.get().0 }) }.boxed_local()
    }

    fn may_have(&self, _: u16) -> LocalBoxFuture<'_, Result<bool, ParticipantError>> {
        async { Ok(self.shards.get().1) }.boxed_local()
    }
}

pub fn expect_attempt(begun: Begun) -> Attempt {
    match begun {
        Begun::Attempt(attempt) => attempt,
        other => panic!("not begun: {other:?}"),
    }
}

pub fn expect_standing(begun: Begun) -> OrderState {
    match begun {
        Begun::NotBegun(truth) => truth,
        other => panic!("not begun: {other:?}"),
    }
}

/// The key of what is in flight on a shard.
pub fn inflight_key(shard: u16) -> String {
    key::inflight(Tag::of(Owner::Order, shard)).to_string()
}

/// An attempt of which only its name is known.
pub fn only_named(named: &AttemptRef) -> Attempt {
    let AttemptRef { order, shard, tx } = named.clone();
    Attempt {
        order,
        shard,
        tx,
        deadline_ms: 0,
        user: user("u"),
        total: 0,
        incarnation: String::new(),
        lines: Vec::new(),
    }
}

/// The same attempt under another tx.
pub fn under(attempt: &Attempt, tx: &TxId) -> Attempt {
    Attempt { tx: tx.clone(), ..attempt.clone() }
}

/// Bulk loads are allowed, and wait for nothing.
pub fn loads() -> BatchInitSettings {
    BatchInitSettings { allow_batch_init: true, batch_init_wait_ms: Duration::ZERO }
}

pub fn quantity(units: u64) -> Quantity {
    Quantity::parse(&units.to_string()).expect("within the range of quantities")
}

pub fn user(id: &str) -> UserId {
    UserId::parse(id).expect("a well-formed id")
}

pub fn item(id: &str) -> ItemId {
    ItemId::parse(id).expect("a well-formed id")
}

pub fn order(id: &str) -> OrderId {
    OrderId::parse(id).expect("a well-formed id")
}

/// The answer to a call that asked one thing.
fn only<T>(answers: Result<Vec<Result<T, ShardError>>, ShardError>) -> Result<T, ShardError> {
    let [answer] = <[_; 1]>::try_from(answers?).unwrap_or_else(|_| panic!("one answer to one question"));
    answer
}
