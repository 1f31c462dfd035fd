//! Stock on a Redis of its own: what its callers do, and what then lies on its shard.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use shardcart_protocol::participant::{Answer, Batch, Operation, Participant, ParticipantError, Step};
use shardcart_schema::tag::Tag;
use shardcart_stock::items;
use shardcart_stock::reservation::LocalStock;
use shardcart_store::settings::{BatchInitSettings, RedisSettings};
use shardcart_types::amount::Amount;
use shardcart_types::ids::{ItemId, OrderId, TxId, now_ms};

pub use shardcart_harness_shards::shards::{server, settings};
pub use shardcart_harness_shards::{
    KnownOrders, Lies, NEWER_HELD, NEWER_TOMBSTONES, PATIENCE, Raw, TestShards, assert_alike, some_deadline_ms,
};

/// The stock service with one shard; its Redis ends with the test.
pub struct TestStock {
    on: TestShards,
    pub participant: LocalStock,
}

/// All units of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Units {
    pub stock: u64,
    pub held: u64,
    pub net: u64,
}

impl Units {
    /// What was sold: everything that was ever added and is no longer here.
    pub fn sold(self) -> u64 {
        let here = self.stock + self.held;
        assert!(here <= self.net, "{self:?}: more than was ever added");
        self.net - here
    }
}

/// One attempt to take items out of stock.
#[derive(Debug, Clone)]
pub struct Attempt(shardcart_harness_shards::Attempt);

impl Deref for Attempt {
    type Target = shardcart_harness_shards::Attempt;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Attempt {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl Attempt {
    /// An attempt for the shard with this tag.
    pub fn new(tag: Tag, deadline_ms: u64) -> Self {
        let (tx, order) = (TxId::mint(0, now_ms()), OrderId::mint(0, now_ms()));
        Attempt(shardcart_harness_shards::Attempt { tag, tx, deadline_ms, order })
    }

    pub fn reserve(&self, lines: &[(&ItemId, u64)]) -> Operation {
        let lines = lines.iter().map(|(item, units)| ((*item).clone(), *units));
        self.operation(Step::ReserveStock { order: self.order.clone(), lines: lines.collect() })
    }
}

impl Deref for TestStock {
    type Target = TestShards;

    fn deref(&self) -> &TestShards {
        &self.on
    }
}

impl TestStock {
    pub async fn start() -> Self {
        TestStock::start_with(&settings()).await
    }

    pub async fn start_with(settings: &RedisSettings) -> Self {
        let on = TestShards::on("stock", vec![server().await], settings).await;
        let participant = LocalStock::new(Arc::clone(&on.shards));
        TestStock { on, participant }
    }

    /// A new item of which so much can be bought.
    pub async fn item_with(&self, stock: u64) -> ItemId {
        let item = items::create(&self.shards, amount(1), None).await.expect("an item is made").value;
        self.add(&item, stock).await;
        item
    }

    /// Items on the same shard of which so much can be bought.
    pub async fn items_with<const N: usize>(&self, stock: [u64; N]) -> [ItemId; N] {
        let items = futures_util::future::join_all(stock.map(|stock| self.item_with(stock))).await;
        items.try_into().expect("as many items as numbers")
    }

    pub async fn add(&self, item: &ItemId, units: u64) {
        items::add(&self.shards, item, amount(units), None).await.expect("units are added");
    }

    /// The key of an item's record.
    pub fn key(&self, item: &ItemId) -> String {
        self.key_of("item", item.as_str())
    }

    /// The tag of the shard on which an item lies.
    fn home(&self, item: &ItemId) -> Tag {
        self.shards.route(item.as_str()).expect("the shard is known").tag()
    }

    pub async fn units(&self, item: &ItemId) -> Units {
        let key = self.key(item);
        Units {
            stock: self.raw.number(&key, "stock").await,
            held: self.raw.number(&key, "held").await,
            net: self.raw.number(&key, "net").await,
        }
    }

    /// Stock and held of an item.
    pub async fn stock_and_held(&self, item: &ItemId) -> [u64; 2] {
        let units = self.units(item).await;
        [units.stock, units.held]
    }

    /// Makes an item's record one that a later release wrote.
    pub async fn make_newer(&self, item: &ItemId) {
        self.raw.make_newer(&self.key(item)).await;
    }

    /// An attempt with much time left, for this item and maybe others.
    pub async fn attempt(&self, item: &ItemId) -> Attempt {
        Attempt::new(self.home(item), self.raw.now_ms().await + 60_000)
    }

    /// An attempt with so many milliseconds left.
    pub async fn attempt_for(&self, item: &ItemId, left_ms: u64) -> Attempt {
        Attempt::new(self.home(item), self.raw.now_ms().await + left_ms)
    }

    /// An attempt whose deadline passed so many milliseconds ago.
    pub async fn late_attempt(&self, item: &ItemId, ago_ms: u64) -> Attempt {
        Attempt::new(self.home(item), self.raw.now_ms().await - ago_ms)
    }

    pub async fn reserve(&self, attempt: &Attempt, lines: &[(&ItemId, u64)]) -> Answer {
        self.run(attempt.reserve(lines)).await
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
    pub async fn run_all(&self, operations: Vec<Operation>) -> Result<Vec<Answer>, ParticipantError> {
        let batch = Batch { founding: 1, shard: 0, operations };
        self.participant.run(batch).await
    }

    /// The bytes that the server uses.
    pub async fn used_memory(&self) -> u64 {
        let info: String = self.raw.ask(&["INFO", "memory"]).await;
        let used = info.lines().find_map(|line| line.strip_prefix("used_memory:"));
        used.and_then(|bytes| bytes.parse().ok()).expect("a server tells what it uses")
    }

    /// Kills the server; its data stays on disk.
    pub fn kill_server(&mut self) {
        self.on.servers[0].kill9();
    }

    /// Starts the killed server again, on the same address and with its data.
    pub async fn restart_server(&mut self) {
        self.on.servers[0].restart().await;
        self.on.raw = Raw::of(&self.on.servers[0]).await;
    }
}

/// Bulk loads are allowed, and wait for nothing.
pub fn loads() -> BatchInitSettings {
    BatchInitSettings { allow_batch_init: true, batch_init_wait_ms: std::time::Duration::ZERO }
}

pub fn amount(units: u64) -> Amount {
    Amount::parse(&units.to_string()).expect("within the range of amounts")
}

pub fn item(id: &str) -> ItemId {
    ItemId::parse(id).expect("a well-formed id")
}
