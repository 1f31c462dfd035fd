//! What lies on a shard for attempts: what is held, and tombstones.

use std::collections::BTreeMap;

use shardcart_protocol::participant::{Operation, Step};
use shardcart_schema::key;
use shardcart_schema::reservation_record::{self, Reservation};
use shardcart_schema::tag::Tag;
use shardcart_types::ids::{OrderId, TxId};

use crate::shards::TestShards;

/// How long tombstones outlive the second in which the deadlines of their attempts are, in milliseconds.
const TOMBSTONE_MS: u64 = 70_000;

/// What a later release may have left where it is told what is held for an attempt.
pub const NEWER_HELD: [&[u8]; 5] = [b"\x02u of another form", b"\x0c", b"2 HELD", b"later", b""];
/// What a later release may have left as a tombstone.
pub const NEWER_TOMBSTONES: [&str; 4] = ["2 HELD of another form", "2 CANCELLED", "12 CONFIRMED", "1"];

/// What lies on the shard for an attempt.
#[derive(Debug, Clone, PartialEq)]
pub enum Lies {
    /// Nothing at all.
    Nothing,
    /// These bytes, as what is held.
    Held(Vec<u8>),
    /// These words, as a tombstone.
    Tombstone(String),
}

/// One attempt, as its coordinator names it in every message.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The tag of the shard that its operations are for.
    pub tag: Tag,
    /// Its transaction.
    pub tx: TxId,
    /// Its deadline, Unix milliseconds.
    pub deadline_ms: u64,
    /// The order that it is to pay.
    pub order: OrderId,
}

impl Attempt {
    /// Its confirm.
    pub fn confirm(&self) -> Operation {
        self.operation(Step::Confirm)
    }

    /// Its cancel.
    pub fn cancel(&self) -> Operation {
        self.operation(Step::Cancel)
    }

    /// Any step of it.
    pub fn operation(&self, step: Step) -> Operation {
        Operation { tx: self.tx.clone(), deadline_ms: self.deadline_ms, trace: None, step }
    }

    /// The hash in which its tombstone lies.
    pub fn ended(&self) -> String {
        key::ended(self.tag, self.second()).to_string()
    }

    /// When that hash goes, Unix milliseconds.
    pub fn ends_ms(&self) -> u64 {
        (self.second() + 1) * 1000 + TOMBSTONE_MS
    }

    fn second(&self) -> u64 {
        self.deadline_ms / 1000
    }
}

impl TestShards {
    /// The key of the hash of what shard 0 holds.
    pub fn held_key(&self) -> String {
        key::held(self.tag()).to_string()
    }

    /// What the shard says it holds: tx -> deadline.
    pub async fn held(&self) -> Vec<(String, u64)> {
        let held: BTreeMap<String, Vec<u8>> = self.raw.ask(&["HGETALL", &self.held_key()]).await;
        let read = |bytes: &[u8]| Reservation::read(bytes).expect("what is held can be read").deadline_ms;
        held.iter().map(|(tx, bytes)| (tx.clone(), read(bytes))).collect()
    }

    /// What is held for an attempt, byte by byte.
    pub async fn held_for(&self, attempt: &Attempt) -> Option<Vec<u8>> {
        self.raw.bytes(&self.held_key(), attempt.tx.as_str()).await
    }

    /// What an attempt's tombstone says.
    pub async fn tombstone(&self, attempt: &Attempt) -> Option<String> {
        self.raw.ask(&["HGET", &attempt.ended(), attempt.tx.as_str()]).await
    }

    /// Has something lie where it is told what is held for an attempt.
    pub async fn hold(&self, attempt: &Attempt, bytes: &[u8]) {
        let mut put = redis::cmd("HSET");
        put.arg(self.held_key()).arg(attempt.tx.as_str()).arg(bytes);
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
        for hash in [&self.held_key(), &attempt.ended()] {
            self.raw.tell(&["HDEL", hash, attempt.tx.as_str()]).await;
        }
    }

    /// Has the deadline of an attempt for which something is held lie at another moment.
    pub async fn move_deadline(&self, attempt: &mut Attempt, deadline_ms: u64) {
        let mut bytes = self.held_for(attempt).await.expect("something is held");
        bytes[2..10].copy_from_slice(&reservation_record::double(deadline_ms));
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
        let held = Reservation::read(&bytes).unwrap_or_else(|| panic!("held for {} is {bytes:?}", attempt.tx));
        assert_eq!((held.order, held.deadline_ms), (attempt.order.as_str(), attempt.deadline_ms));
        assert_eq!(self.raw.expires_ms(&self.held_key()).await, None, "what is held never goes");
        assert_eq!(self.tombstone(attempt).await, None);
    }

    /// Checks that nothing is known of an attempt: nothing is held for it, and it has no tombstone.
    pub async fn assert_unknown(&self, attempt: &Attempt) {
        assert_eq!((self.held_for(attempt).await, self.tombstone(attempt).await), (None, None));
    }

    /// Checks that just this lies there for an attempt: held for ever, or as a tombstone that goes in time.
    pub async fn assert_lies(&self, attempt: &Attempt, expected: &Lies, told: &str) {
        let found = match (self.held_for(attempt).await, self.tombstone(attempt).await) {
            (None, None) => Lies::Nothing,
            (Some(bytes), None) => Lies::Held(bytes),
            (None, Some(words)) => Lies::Tombstone(words),
            both => panic!("{told}: {both:?}"),
        };
        assert_eq!(found, *expected, "{told}");
        match found {
            Lies::Nothing => {}
            Lies::Held(_) => assert_eq!(self.raw.expires_ms(&self.held_key()).await, None, "{told}"),
            Lies::Tombstone(_) => {
                assert_eq!(self.raw.expires_ms(&attempt.ended()).await, Some(attempt.ends_ms()), "{told}");
            }
        }
    }
}
