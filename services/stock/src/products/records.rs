//! Documents and items of products on their shards: reading and writing many at once.

use redis::{FromRedisValue, Value};
use shardcart_schema::key;
use shardcart_schema::limit::PRODUCTS_A_CALL;
use shardcart_schema::product::{self, Document};
use shardcart_schema::record::{self, field};
use shardcart_schema::reply::Reply;
use shardcart_store::idempotency::Once;
use shardcart_store::script::{Call, words};
use shardcart_store::shard::Shard;
use shardcart_store::shard_error::ShardError;
use shardcart_store::shards::Shards;
use shardcart_store::spread;
use shardcart_types::ids::ItemId;

use crate::items::Item;
use crate::products::error::{ProductError, Result};
use crate::scripts::PRODUCT_PUT;

/// What lies there for a product.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stored {
    /// What describes it; none of an item of the legacy API.
    pub document: Option<Document>,
    /// Its item.
    pub item: Option<Item>,
}

impl Stored {
    /// Its revision; 0 if there is no document.
    pub(crate) fn revision(&self) -> u64 {
        self.document.as_ref().map_or(0, |document| document.revision)
    }

    /// The handle that the document carries; empty if there is none.
    pub(crate) fn handle(&self) -> &str {
        self.document.as_ref().map_or("", |document| &document.body.handle)
    }

    /// Whether the document carries a handle.
    pub(crate) fn carries(&self, handle: &str) -> bool {
        !handle.is_empty() && self.handle() == handle
    }
}

/// Reads the document and the item of each at one moment.
pub(crate) async fn read(shards: &Shards, ids: &[&ItemId]) -> Vec<Result<Stored>> {
    let places: Vec<u16> = ids.iter().map(|id| shards.shard_of(id.as_str())).collect();
    let replies = spread::find(shards, &places, PRODUCTS_A_CALL, |shard, chunk| {
        // As many replies as things: a document and an item are asked for together.
        let mut call = crate::scripts::PRODUCT_READ.with_keys(2 * chunk.len());
        for place in chunk {
            call.key(key::item(shard.tag(), ids[*place]));
            call.key(key::product(shard.tag(), ids[*place]));
        }
        call
    });
    replies
        .await
        .into_iter()
        .zip(ids.iter().zip(places))
        .map(|(reply, (id, shard))| {
            reply?.map_or_else(|| Ok(Stored::default()), |reply| stored(id.as_str(), shard, reply))
        })
        .collect()
}

/// Reads one: see [`read`].
///
/// # Errors
/// `NotUnderstood`, `Shard`.
pub(crate) async fn read_one(shards: &Shards, id: &ItemId) -> Result<Stored> {
    read(shards, &[id]).await.pop().unwrap_or_else(|| Ok(Stored::default()))
}

fn stored(id: &str, shard: u16, reply: Value) -> Result<Stored> {
    let (item, document) = <(Option<Vec<u8>>, Option<Vec<u8>>)>::from_redis_value(reply)
        .map_err(|error| ShardError::Unanswered { shard, cause: error.to_string() })?;
    parse(id, document.as_deref(), item.as_deref())
}

/// Takes a document and an item for what they are.
///
/// # Errors
/// `NotUnderstood`.
pub(crate) fn parse(id: &str, document: Option<&[u8]>, item: Option<&[u8]>) -> Result<Stored> {
    let odd = || ProductError::NotUnderstood(id.to_owned());
    let document = match Document::read(document) {
        product::Found::Absent => None,
        product::Found::Document(document) => Some(document),
        product::Found::Newer | product::Found::Unreadable => return Err(odd()),
    };
    let item = match record::ITEM.read(item) {
        record::Found::Absent => None,
        record::Found::Record(found) => {
            let (stock, price) = found.amount(field::STOCK).zip(found.amount(field::PRICE)).ok_or_else(odd)?;
            Some(Item { stock, price })
        }
        record::Found::Newer | record::Found::Unreadable => return Err(odd()),
    };
    Ok(Stored { document, item })
}

/// A product to be written.
#[derive(Debug, Clone)]
pub(crate) struct Put {
    pub id: ItemId,
    /// The revision that it has; 0: there is no document.
    pub revision: u64,
    /// Until when it may be written (Unix ms): the deadline of a claim.
    pub deadline_ms: Option<u64>,
    /// What it costs from now on; `None`: as before.
    pub price: Option<u64>,
    /// When it was created (Unix ms); `None`: now, by the clock of its shard.
    pub created_ms: Option<u64>,
    pub body: Vec<u8>,
}

impl Put {
    fn keys(&self, shard: &Shard) -> [String; 2] {
        [key::item(shard.tag(), &self.id).to_string(), key::product(shard.tag(), &self.id).to_string()]
    }

    fn numbers(&self) -> [u8; 32] {
        // Revisions and moments are within the range of amounts, and so are prices: doubles count to them exactly.
        let moment = |ms: Option<u64>| ms.map_or(0.0, |ms| ms as f64);
        let price = self.price.map_or(f64::NAN, |price| price as f64);
        let numbers = [self.revision as f64, moment(self.deadline_ms), price, moment(self.created_ms)];
        let mut bytes = [0; 32];
        bytes.chunks_exact_mut(8).zip(numbers).for_each(|(bytes, number)| bytes.copy_from_slice(&number.to_le_bytes()));
        bytes
    }
}

/// The keys of the indexes of a shard, as the script takes them.
fn indexes(shard: &Shard) -> [String; 4] {
    let tag = shard.tag();
    [
        key::products(tag).to_string(),
        key::products_by_creation(tag).to_string(),
        key::words_of_products(tag).to_string(),
        key::own(tag, key::Kind::Tag).to_string(),
    ]
}

/// Writes products, each id once. A write whose answer is lost may have happened.
pub(crate) async fn put(shards: &Shards, puts: &[Put]) -> Vec<Result<Reply>> {
    let places: Vec<u16> = puts.iter().map(|put| shards.shard_of(put.id.as_str())).collect();
    let replies = spread::ask(shards, &places, PRODUCTS_A_CALL, |shard, chunk| {
        let keys: Vec<String> = chunk.iter().flat_map(|place| puts[*place].keys(shard)).chain(indexes(shard)).collect();
        let numbers: Vec<u8> = chunk.iter().flat_map(|place| puts[*place].numbers()).collect();
        let mut call = PRODUCT_PUT.keys(&keys).arg(numbers);
        chunk.iter().for_each(|place| call.push(puts[*place].body.as_slice()));
        call
    });
    let replies = replies.await.into_iter().zip(places);
    replies.map(|(reply, shard)| understood(shard, words(reply?).first().map_or("", String::as_str))).collect()
}

/// Writes one product, with a key only once.
///
/// # Errors
/// `KeyReused`, `Shard`.
pub(crate) async fn put_once(shards: &Shards, put: &Put, once: Once) -> Result<Vec<String>> {
    let shard = shards.route(put.id.as_str())?;
    let keys: Vec<String> = put.keys(shard).into_iter().chain(indexes(shard)).collect();
    let call = PRODUCT_PUT.once(Some(once), &keys).arg(put.numbers().as_slice()).arg(put.body.as_slice());
    Ok(words(shard.run(&call).await?))
}

fn understood(shard: u16, word: &str) -> Result<Reply> {
    Reply::parse(word).ok_or_else(|| unexpected(shard, &PRODUCT_PUT.keys::<&str>(&[]), word))
}

/// A reply that no script gives: it may have run.
pub(crate) fn unexpected(shard: u16, call: &Call, reply: &str) -> ProductError {
    ShardError::Unanswered { shard, cause: format!("{} answered {reply:?}", call.name()) }.into()
}
