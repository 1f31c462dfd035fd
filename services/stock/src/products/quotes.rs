//! What a cart needs of many products at once: names, prices, what can be bought. One call a shard.

use redis::{FromRedisValue, Value};
use shardcart_schema::key;
use shardcart_schema::limit::QUOTES_MAX;
use shardcart_schema::product::Status;
use shardcart_schema::record::{self, Found, field};
use shardcart_store::shard_error::ShardError;
use shardcart_store::shards::Shards;
use shardcart_store::spread;
use shardcart_types::ids::ItemId;

use crate::products::error::{ProductError, Result};
use crate::scripts::PRODUCT_QUOTES;

/// What a cart needs of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    /// What one costs now.
    pub price: u64,
    /// Units that can be bought now.
    pub available: u64,
    /// What it is called, and whether it is listed; nothing of an item of the legacy API.
    pub product: Option<(String, Status)>,
}

/// Reads items and products; `None` for what is not there. At most [`QUOTES_MAX`] of them lie in one call.
pub async fn quotes(shards: &Shards, ids: &[ItemId]) -> Vec<Result<Option<Quote>>> {
    let places: Vec<u16> = ids.iter().map(|id| shards.shard_of(id.as_str())).collect();
    let replies = spread::find(shards, &places, QUOTES_MAX, |shard, chunk| {
        let mut call = PRODUCT_QUOTES.with_keys(2 * chunk.len());
        for place in chunk {
            call.key(key::item(shard.tag(), &ids[*place]));
            call.key(key::product(shard.tag(), &ids[*place]));
        }
        call
    });
    let replies = replies.await.into_iter().zip(ids.iter().zip(places));
    replies.map(|(reply, (id, shard))| reply?.map_or(Ok(None), |reply| quote(id, shard, reply))).collect()
}

fn quote(id: &ItemId, shard: u16, reply: Value) -> Result<Option<Quote>> {
    let (item, status, name) = <(Option<Vec<u8>>, String, String)>::from_redis_value(reply)
        .map_err(|error| ShardError::Unanswered { shard, cause: error.to_string() })?;
    let odd = || ProductError::NotUnderstood(id.to_string());
    let (price, available) = match record::ITEM.read(item.as_deref()) {
        Found::Absent => return Ok(None),
        Found::Record(item) => item.amount(field::PRICE).zip(item.amount(field::STOCK)).ok_or_else(odd)?,
        Found::Newer | Found::Unreadable => return Err(odd()),
    };
    let product = match status.as_bytes() {
        [] => None,
        [byte] => Some((name, Status::read(*byte).ok_or_else(odd)?)),
        _ => return Err(odd()),
    };
    Ok(Some(Quote { price, available, product }))
}
