//! Stock on a Redis of its own: what its callers do, and what then lies on its shard.

#[path = "../../../../common/tests/support/alike.rs"]
mod alike;
#[path = "../../../../common/tests/support/orders.rs"]
mod orders;
#[path = "../../../../common/tests/support/shards.rs"]
mod shards;

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use shardcart_common::amount::Amount;
use shardcart_common::held::{self, Held};
use shardcart_common::ids::{ItemId, OrderId, Partition, TxId, now_ms};
use shardcart_common::participant::{Answer, Batch, Operation, Participant, ParticipantError, Step};
use shardcart_common::settings::BatchInitSettings;
use shardcart_stock::items;
use shardcart_stock::reservation::LocalStock;

pub use alike::{assert_alike, some_deadline_ms};
pub use orders::KnownOrders;
pub use shards::{PATIENCE, Raw, TestShards};

/// How long tombstones outlive the second in which the deadlines of their attempts are, in milliseconds.
const TOMBSTONE_MS: u64 = 70_000;

/// The hash of what the shard holds.
pub const HELD: &str = "{0}:held";

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

/// One attempt, as its coordinator names it in every message.
#[derive(Debug, Clone)]
pub struct Attempt {
    pub at: Partition,
    pub tx: TxId,
    pub deadline_ms: u64,
    pub order: OrderId,
}

impl Attempt {
    /// An attempt whose operations name this partition.
    pub fn new(at: Partition, deadline_ms: u64) -> Self {
        Attempt { at, tx: TxId::mint(at, now_ms()), deadline_ms, order: OrderId::mint(at, now_ms()) }
    }

    pub fn reserve(&self, lines: &[(&ItemId, u64)]) -> Operation {
        let lines = lines.iter().map(|(item, units)| ((*item).clone(), *units));
        self.operation(Step::ReserveStock { order: self.order.clone(), lines: lines.collect() })
    }

    pub fn confirm(&self) -> Operation {
        self.operation(Step::Confirm)
    }

    pub fn cancel(&self) -> Operation {
        self.operation(Step::Cancel)
    }

    fn operation(&self, step: Step) -> Operation {
        Operation { at: self.at, tx: self.tx.clone(), deadline_ms: self.deadline_ms, trace: None, step }
    }

    /// The hash in which its tombstone lies.
    pub fn ended(&self) -> String {
        Partition(0).key("ended", &self.second().to_string())
    }

    /// When that hash goes, Unix milliseconds.
    pub fn ends_ms(&self) -> u64 {
        (self.second() + 1) * 1000 + TOMBSTONE_MS
    }

    fn second(&self) -> u64 {
        self.deadline_ms / 1000
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
        let on = TestShards::start("stock").await;
        let participant = LocalStock::new(Arc::clone(&on.shards));
        TestStock { on, participant }
    }

    /// A new item of which so much can be bought.
    pub async fn item_with(&self, stock: u64) -> ItemId {
        let item = items::create(&self.shards, amount(1), None).await.expect("an item is made").value;
        self.add(&item, stock).await;
        item
    }

    /// Items on the same shard, in partitions of their own, of which so much can be bought.
    pub async fn items_with<const N: usize>(&self, stock: [u64; N]) -> [ItemId; N] {
        let items = futures_util::future::join_all(stock.map(|stock| self.item_with(stock))).await;
        items.try_into().expect("as many items as numbers")
    }

    pub async fn add(&self, item: &ItemId, units: u64) {
        items::add(&self.shards, item, amount(units), None).await.expect("units are added");
    }

    /// The key of an item's record.
    pub fn key(&self, item: &ItemId) -> String {
        self.partition(item).key("item", item.as_str())
    }

    pub fn partition(&self, item: &ItemId) -> Partition {
        self.shards.partition(item.as_str())
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
        Attempt::new(self.partition(item), self.raw.now_ms().await + 60_000)
    }

    /// An attempt with so many milliseconds left.
    pub async fn attempt_for(&self, item: &ItemId, left_ms: u64) -> Attempt {
        Attempt::new(self.partition(item), self.raw.now_ms().await + left_ms)
    }

    /// An attempt whose deadline passed so many milliseconds ago.
    pub async fn late_attempt(&self, item: &ItemId, ago_ms: u64) -> Attempt {
        Attempt::new(self.partition(item), self.raw.now_ms().await - ago_ms)
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

    /// Kills the server; its data stays on disk.
    pub fn kill_server(&mut self) {
        self.on.servers[0].kill9();
    }

    /// Starts the killed server again, on the same address and with its data.
    pub async fn restart_server(&mut self) {
        self.on.servers[0].restart().await;
        self.on.raw = Raw::of(&self.on.servers[0]).await;
    }

    /// What the shard says it holds: tx -> deadline.
    pub async fn held(&self) -> Vec<(String, u64)> {
        let held: BTreeMap<String, Vec<u8>> = self.raw.ask(&["HGETALL", HELD]).await;
        let read = |bytes: &[u8]| Held::read(bytes).expect("what is held can be read").deadline_ms;
        held.iter().map(|(tx, bytes)| (tx.clone(), read(bytes))).collect()
    }

    /// What is held for an attempt, byte by byte.
    pub async fn held_for(&self, attempt: &Attempt) -> Option<Vec<u8>> {
        self.raw.bytes(HELD, attempt.tx.as_str()).await
    }

    /// What an attempt's tombstone says.
    pub async fn tombstone(&self, attempt: &Attempt) -> Option<String> {
        self.raw.ask(&["HGET", &attempt.ended(), attempt.tx.as_str()]).await
    }

    /// Has something lie where it is told what is held for an attempt.
    pub async fn hold(&self, attempt: &Attempt, bytes: &[u8]) {
        let mut put = redis::cmd("HSET");
        put.arg(HELD).arg(attempt.tx.as_str()).arg(bytes);
        let put = put.exec_async(&mut self.servers[0].connection().await).await;
        put.expect("the server takes it");
    }

    /// Leaves a tombstone, as the scripts do.
    pub async fn bury(&self, attempt: &Attempt, words: &str) {
        self.raw.tell(&["HSET", &attempt.ended(), attempt.tx.as_str(), words]).await;
        self.raw.tell(&["PEXPIREAT", &attempt.ended(), &attempt.ends_ms().to_string()]).await;
    }

    /// Takes away whatever is known of an attempt.
    pub async fn forget(&self, attempt: &Attempt) {
        for hash in [HELD, &attempt.ended()] {
            self.raw.tell(&["HDEL", hash, attempt.tx.as_str()]).await;
        }
    }

    /// Has the deadline of an attempt for which something is held lie at another moment.
    pub async fn move_deadline(&self, attempt: &mut Attempt, deadline_ms: u64) {
        let mut bytes = self.held_for(attempt).await.expect("something is held");
        bytes[2..10].copy_from_slice(&held::double(deadline_ms));
        self.hold(attempt, &bytes).await;
        attempt.deadline_ms = deadline_ms;
    }

    /// Checks that an attempt has a tombstone with these words that goes in time, and that nothing is held for it.
    pub async fn assert_tombstone(&self, attempt: &Attempt, words: &str) {
        assert_eq!(self.tombstone(attempt).await.as_deref(), Some(words));
        let end = Some(attempt.ends_ms());
        let told = "tombstones go 70 s after the second of their deadlines";
        assert_eq!(self.raw.expires_ms(&attempt.ended()).await, end, "{told}");
        assert_eq!(self.held_for(attempt).await, None, "something is held for {}", attempt.tx);
    }

    /// Checks that something is held for an attempt, with its order and deadline, and that this stays.
    pub async fn assert_held(&self, attempt: &Attempt) {
        let bytes = self.held_for(attempt).await.unwrap_or_default();
        let held = Held::read(&bytes).unwrap_or_else(|| panic!("held for {} is {bytes:?}", attempt.tx));
        assert_eq!((held.order, held.deadline_ms), (attempt.order.as_str(), attempt.deadline_ms));
        assert_eq!(self.raw.expires_ms(HELD).await, None, "what is held never goes");
        assert_eq!(self.tombstone(attempt).await, None);
    }

    /// Checks that nothing is known of an attempt: nothing is held for it, and it has no tombstone.
    pub async fn assert_unknown(&self, attempt: &Attempt) {
        assert_eq!((self.held_for(attempt).await, self.tombstone(attempt).await), (None, None));
    }
}

/// What a later release may have left where it is told what is held for an attempt.
pub const NEWER_HELD: [&[u8]; 5] = [b"\x02u of another form", b"\x0c", b"2 HELD", b"later", b""];
/// What a later release may have left as a tombstone.
pub const NEWER_TOMBSTONES: [&str; 4] = ["2 HELD of another form", "2 CANCELLED", "12 CONFIRMED", "1"];

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
