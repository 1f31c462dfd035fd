//! What the audit reads of products: documents with their entries in the indexes, entries without a document, and whose
//! handles are. Nothing here writes.

use std::future::Future;

use redis::{FromRedisValue, Value};
use shardcart_schema::key::{self, Kind};
use shardcart_schema::limit::INDEX_STEP;
use shardcart_schema::reply::Reply;
use shardcart_schema::unique::Hint;
use shardcart_store::scan::{self, unexpected_reply};
use shardcart_store::script::words;
use shardcart_store::shard::Shard;
use shardcart_store::shard_error::ShardError;
use shardcart_store::shards::Shards;

use crate::products::handles::HANDLES;
use crate::scripts::{PRODUCT_AUDIT, PRODUCT_STRAYS};

/// What was found where a document should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Absent,
    /// A document of another version.
    Newer,
    /// A document that this release never writes.
    Unreadable,
    /// A document.
    Product(Described),
}

/// A document, and what there is of it elsewhere on its shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// How often it was written.
    pub revision: u64,
    /// Its handle; empty if it has none.
    pub handle: String,
    /// Whether its item is there.
    pub has_item: bool,
    /// How many entries in the indexes it has to have.
    pub entries: u64,
    /// How many of them are there.
    pub listed: u64,
}

/// Goes through the keys of all documents of a shard: see [`scan::scan`].
///
/// # Errors
/// The shard's, or the first of `read`.
pub async fn scan<R>(shard: &Shard, read: impl Fn(Vec<String>) -> R) -> Result<(), ShardError>
where
    R: Future<Output = Result<(), ShardError>>,
{
    scan::scan(shard, &key::product("*", "*").to_string(), read).await
}

/// The keys of the indexes of a shard, as scripts take them.
fn indexes(shard: &Shard) -> [String; 4] {
    let tag = shard.tag();
    [
        key::products(tag).to_string(),
        key::products_by_creation(tag).to_string(),
        key::words_of_products(tag).to_string(),
        key::own(tag, Kind::Tag).to_string(),
    ]
}

/// Reads documents by their ids, in their order, each at one moment with what is on its shard.
///
/// # Errors
/// The shard's.
pub async fn read(shard: &Shard, ids: &[&str]) -> Result<Vec<Found>, ShardError> {
    let tag = shard.tag();
    let of_each = ids.iter().flat_map(|id| [key::item(tag, id).to_string(), key::product(tag, id).to_string()]);
    let keys: Vec<String> = of_each.chain(indexes(shard)).collect();
    let reply = shard.ask_bulk(&PRODUCT_AUDIT.keys(&keys)).await?;
    let Value::Array(rows) = reply else { return Err(unexpected_reply(shard, PRODUCT_AUDIT.name(), "no list")) };
    let found = |row| found(&words(row)).ok_or_else(|| unexpected_reply(shard, PRODUCT_AUDIT.name(), "no product"));
    rows.into_iter().map(found).collect()
}

fn found(row: &[String]) -> Option<Found> {
    let Some(word) = row.first() else { return Some(Found::Absent) };
    Some(match (Reply::parse(word)?, row) {
        (Reply::Newer, _) => Found::Newer,
        (Reply::Unknown, _) => Found::Unreadable,
        (Reply::Done, [_, revision, handle, item, entries, listed]) => Found::Product(Described {
            revision: revision.parse().ok()?,
            handle: handle.clone(),
            has_item: item == "1",
            entries: entries.parse().ok()?,
            listed: listed.parse().ok()?,
        }),
        _ => return None,
    })
}

/// All entries of the indexes of a shard that no document has: the key of the index, and the id that the entry names.
///
/// # Errors
/// The shard's.
pub async fn strays(shard: &Shard) -> Result<Vec<(String, String)>, ShardError> {
    let mut strays = Vec::new();
    for index in all_indexes(shard).await? {
        let mut from = b"-".to_vec();
        loop {
            let base = key::own(shard.tag(), Kind::Product).to_string();
            let keys: Vec<String> = [index.clone(), base].into_iter().chain(indexes(shard)).collect();
            let reply = shard.ask_bulk(&PRODUCT_STRAYS.keys(&keys).arg(from.as_slice()).arg(INDEX_STEP)).await?;
            let values = Vec::<Vec<u8>>::from_redis_value(reply)
                .map_err(|error| unexpected_reply(shard, PRODUCT_STRAYS.name(), &error.to_string()))?;
            let [last, ids @ ..] = values.as_slice() else {
                return Err(unexpected_reply(shard, PRODUCT_STRAYS.name(), "an empty list"));
            };
            strays.extend(ids.iter().map(|id| (index.clone(), String::from_utf8_lossy(id).into_owned())));
            if last.is_empty() {
                break;
            }
            from = [b"(", last.as_slice()].concat();
        }
    }
    Ok(strays)
}

/// The keys of all indexes that a shard has.
async fn all_indexes(shard: &Shard) -> Result<Vec<String>, ShardError> {
    let [names, creation, words, _] = indexes(shard);
    let found = std::cell::RefCell::new(vec![names, creation, words]);
    let pattern = key::products_with_tag(shard.tag(), "*").to_string();
    scan::scan(shard, &pattern, async |keys| {
        found.borrow_mut().extend(keys);
        Ok(())
    })
    .await?;
    let mut found = found.into_inner();
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// Whose handles are, by their hints; `None` for one that has none.
///
/// # Errors
/// A shard's.
pub async fn owners(shards: &Shards, handles: &[&str]) -> Result<Vec<Option<String>>, ShardError> {
    let hints = HANDLES.read(shards, handles).await.into_iter();
    let owner =
        |hint: Option<String>| hint.map(|hint| Hint::read(&hint).map_or(hint.clone(), |hint| hint.id.to_owned()));
    hints.map(|hint| hint.map(owner)).collect()
}
