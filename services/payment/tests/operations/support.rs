//! Payment on a Redis of its own: what its callers do, and what then lies on its shard.

use std::ops::{Deref, DerefMut};
use std::rc::Rc;
use std::sync::Arc;

use shardcart_payment::error::Result;
use shardcart_payment::incarnations::Incarnations;
use shardcart_payment::payments;
use shardcart_payment::reservation::LocalPayment;
use shardcart_payment::users;
use shardcart_protocol::orders::Orders;
use shardcart_protocol::participant::{Answer, Batch, Operation, Participant, ParticipantError, Step};
use shardcart_schema::tag::Tag;
use shardcart_store::settings::BatchInitSettings;
use shardcart_types::amount::Amount;
use shardcart_types::ids::{OrderId, TxId, UserId, now_ms};

pub use shardcart_harness_shards::{
    KnownOrders, Lies, NEWER_HELD, NEWER_TOMBSTONES, PATIENCE, TestShards, assert_alike, some_deadline_ms,
};

/// The payment service with one shard; its Redis ends with the test.
pub struct TestPayment {
    on: TestShards,
    pub participant: LocalPayment,
    /// The order service that it asks.
    pub orders: Rc<KnownOrders>,
    incarnations: Incarnations,
}

/// All credit of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purse {
    pub credit: u64,
    pub held: u64,
    pub net: u64,
}

impl Purse {
    /// What checkouts have charged: everything that was ever funded and not paid directly, and is no longer here.
    pub fn charged(self) -> u64 {
        let here = self.credit + self.held;
        assert!(here <= self.net, "{self:?}: more than was ever funded");
        self.net - here
    }
}

/// One attempt of a user to pay an order, in one incarnation of the order's id.
#[derive(Debug, Clone)]
pub struct Attempt {
    named: shardcart_harness_shards::Attempt,
    pub user: UserId,
    pub incarnation: String,
}

impl Deref for Attempt {
    type Target = shardcart_harness_shards::Attempt;

    fn deref(&self) -> &Self::Target {
        &self.named
    }
}

impl DerefMut for Attempt {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.named
    }
}

impl Attempt {
    /// A new attempt, of which a deadline is given.
    pub fn new(user: UserId, tag: Tag, order: OrderId, incarnation: &str, deadline_ms: u64) -> Self {
        let named = shardcart_harness_shards::Attempt { tag, tx: TxId::mint(0, now_ms()), deadline_ms, order };
        Attempt { named, user, incarnation: incarnation.to_owned() }
    }

    /// The same with another deadline.
    pub fn until(mut self, deadline_ms: u64) -> Self {
        self.deadline_ms = deadline_ms;
        self
    }

    pub fn reserve(&self, amount: u64) -> Operation {
        self.operation(Step::ReserveCredit {
            order: self.order.clone(),
            incarnation: self.incarnation.clone(),
            user: self.user.clone(),
            amount,
        })
    }

    /// A later attempt to pay the same order.
    pub fn next(&self) -> Self {
        Attempt::new(self.user.clone(), self.tag, self.order.clone(), &self.incarnation, self.deadline_ms)
    }
}

impl Deref for TestPayment {
    type Target = TestShards;

    fn deref(&self) -> &TestShards {
        &self.on
    }
}

impl TestPayment {
    pub async fn start() -> Self {
        let on = TestShards::start("payment").await;
        let orders = Rc::new(KnownOrders::default());
        let asked: Rc<dyn Orders> = Rc::<KnownOrders>::clone(&orders);
        TestPayment {
            participant: LocalPayment::new(Arc::clone(&on.shards)),
            orders,
            incarnations: Incarnations::new(asked),
            on,
        }
    }

    /// The order service, as payments ask it.
    pub fn incarnations(&self) -> &Incarnations {
        &self.incarnations
    }

    /// A new user with so much credit.
    pub async fn user_with(&self, credit: u64) -> UserId {
        let user = users::create(&self.shards, None).await.expect("a user is made").value;
        self.add_funds(&user, credit).await.expect("the user is funded");
        user
    }

    pub async fn add_funds(&self, user: &UserId, sum: u64) -> Result<()> {
        users::add_funds(&self.shards, user, amount(sum), None).await.map(|done| done.value)
    }

    /// Overwrites users `0..count`.
    pub async fn load(&self, count: u64, credit: u64) {
        users::load(&self.shards, &loads(), count, amount(credit)).await.expect("nothing is held");
    }

    pub async fn pay(&self, user: &UserId, order: &OrderId, sum: u64) -> Result<()> {
        payments::pay_order(&self.shards, &self.incarnations, user, order, amount(sum), None)
            .await
            .map(|done| done.value)
    }

    pub async fn cancel_payment(&self, user: &UserId, order: &OrderId) -> Result<()> {
        payments::cancel_payment(&self.shards, &self.incarnations, user, order, None).await.map(|done| done.value)
    }

    pub async fn has_paid(&self, user: &UserId, order: &OrderId) -> Result<bool> {
        payments::has_paid(&self.shards, &self.incarnations, user, order).await
    }

    /// The key of a user's record.
    pub fn key(&self, user: &UserId) -> String {
        self.key_of("user", user.as_str())
    }

    /// The key of a user's payment for an order.
    pub fn payment_key(&self, user: &UserId, order: &OrderId) -> String {
        self.key_of("payment", &format!("{user}:{order}"))
    }

    pub async fn purse(&self, user: &UserId) -> Purse {
        let key = self.key(user);
        Purse {
            credit: self.raw.number(&key, "credit").await,
            held: self.raw.number(&key, "held").await,
            net: self.raw.number(&key, "net").await,
        }
    }

    /// Credit and held of a user.
    pub async fn credit_and_held(&self, user: &UserId) -> [u64; 2] {
        let purse = self.purse(user).await;
        [purse.credit, purse.held]
    }

    /// A user's payment for an order, in words: `reserved by checkout 5/0` (charged/refunded). Empty if there is none.
    pub async fn payment(&self, user: &UserId, order: &OrderId) -> String {
        let payment = self.raw.record(&self.payment_key(user, order)).await;
        if payment.is_empty() {
            return String::new();
        }
        let field = |name: &str| payment.get(name).map_or("?", String::as_str);
        let [state, by, charged, refunded] = ["state", "by", "charged", "refunded"].map(field);
        format!("{state} by {by} {charged}/{refunded}")
    }

    /// Makes a record that was made one of a later release one of this release again.
    pub async fn make_ours(&self, key: &str) {
        self.raw.tell(&["SETRANGE", key, "0", "\u{1}"]).await;
    }

    /// An attempt of a user, with much time left, to pay a new order.
    pub async fn attempt(&self, user: &UserId) -> Attempt {
        let order = OrderId::mint(0, now_ms());
        self.attempt_for(user, &order, "").await
    }

    /// An attempt of a user, with much time left, to pay this order in this incarnation of its id.
    pub async fn attempt_for(&self, user: &UserId, order: &OrderId, incarnation: &str) -> Attempt {
        let deadline_ms = self.raw.now_ms().await + 60_000;
        Attempt::new(user.clone(), self.tag(), order.clone(), incarnation, deadline_ms)
    }

    /// An attempt of a user whose deadline passed so many milliseconds ago.
    pub async fn late_attempt(&self, user: &UserId, ago_ms: u64) -> Attempt {
        self.attempt(user).await.until(self.raw.now_ms().await - ago_ms)
    }

    pub async fn reserve(&self, attempt: &Attempt, amount: u64) -> Answer {
        self.run(attempt.reserve(amount)).await
    }

    pub async fn confirm(&self, attempt: &Attempt) -> Answer {
        self.run(attempt.confirm()).await
    }

    pub async fn cancel(&self, attempt: &Attempt) -> Answer {
        self.run(attempt.cancel()).await
    }

    async fn run(&self, operation: Operation) -> Answer {
        let answers = self.run_all(vec![operation]).await.expect("the shard answers");
        answers.into_iter().next().expect("one answer to one operation")
    }

    /// Sends operations in one batch.
    pub async fn run_all(&self, operations: Vec<Operation>) -> std::result::Result<Vec<Answer>, ParticipantError> {
        let batch = Batch { founding: 1, shard: 0, operations };
        self.participant.run(batch).await
    }
}

/// Bulk loads are allowed, and wait for nothing.
pub fn loads() -> BatchInitSettings {
    BatchInitSettings { allow_batch_init: true, batch_init_wait_ms: std::time::Duration::ZERO }
}

pub fn amount(sum: u64) -> Amount {
    Amount::parse(&sum.to_string()).expect("within the range of amounts")
}

pub fn user(id: &str) -> UserId {
    UserId::parse(id).expect("a well-formed id")
}

pub fn order(id: &str) -> OrderId {
    OrderId::parse(id).expect("a well-formed id")
}

/// A new order, minted here.
pub fn new_order() -> OrderId {
    OrderId::mint(0, now_ms())
}
