//! Items: price and stock, outside any checkout.

mod load;

use redis::FromRedisValue;
use shardcart_schema::key;
use shardcart_schema::record::{self, Found, field};
use shardcart_schema::reply::Reply;
use shardcart_store::idempotency::{Done, IdempotencyKey, KeyReused, TooManyKeys};
use shardcart_store::script::{Call, words};
use shardcart_store::shard::Shard;
use shardcart_store::shard_error::ShardError;
use shardcart_store::shards::Shards;
use shardcart_types::amount::{AMOUNT_MAX, Amount};
use shardcart_types::ids::ItemId;

use crate::error::{Result, StockError};
use crate::scripts::{ADD, CREATE, SUBTRACT};

pub use load::load;

/// An item as its buyers see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    /// Units that can be bought now.
    pub stock: u64,
    /// What one costs.
    pub price: u64,
}

fn item_key(shard: &Shard, item: &ItemId) -> String {
    key::item(shard.tag(), item).to_string()
}

/// The shard of an item.
///
/// # Errors
/// `UnknownItem`: nobody can have made it. `Shard`.
pub(crate) async fn home<'a>(shards: &'a Shards, item: &ItemId) -> Result<&'a Shard> {
    shards.home(item.as_str()).await?.ok_or_else(|| StockError::UnknownItem(item.clone()))
}

/// Creates an item without stock. A repeat creates another, unless it has the same key.
///
/// # Errors
/// - `KeyReused`, `TooManyKeys`: refused, nothing changed.
/// - `Shard`: no shard takes it.
pub async fn create(shards: &Shards, price: Amount, key: Option<&IdempotencyKey>) -> Result<Done<ItemId>> {
    let created = shards.mint_once(key, |shard, now_ms| {
        let item = ItemId::mint(shard.number(), now_ms);
        let once = key.map(|key| key.creation(shard, item.as_str(), format_args!("create {price}")));
        let call = CREATE.once(once, &[item_key(shard, &item)]).arg(price.get());
        (item, call)
    });
    Ok(created.await?)
}

/// Reads an item.
///
/// # Errors
/// - `UnknownItem`.
/// - `Newer`, `Shard`: no answer.
pub async fn find(shards: &Shards, item: &ItemId) -> Result<Item> {
    let shard = home(shards, item).await?;
    let bytes = shard.run(&Call::get(key::item(shard.tag(), item))).await?;
    let bytes =
        Option::<Vec<u8>>::from_redis_value(bytes).map_err(|error| unexpected(shard, "GET", &error.to_string()))?;
    match record::ITEM.read(bytes.as_deref()) {
        Found::Absent => Err(StockError::UnknownItem(item.clone())),
        Found::Newer => Err(StockError::Newer(item.clone())),
        Found::Unreadable => Err(unexpected(shard, "GET", "no item")),
        Found::Record(found) => match (found.amount(field::STOCK), found.amount(field::PRICE)) {
            (Some(stock), Some(price)) => Ok(Item { stock, price }),
            _ => Err(unexpected(shard, "GET", "no amounts")),
        },
    }
}

/// Adds units to an item's stock. Safe to repeat only with a key.
///
/// # Errors
/// - `UnknownItem`, `OutOfRange`, `KeyReused`, `TooManyKeys`: refused, nothing changed.
/// - `Newer`, `Shard`: see there.
pub async fn add(shards: &Shards, item: &ItemId, units: Amount, key: Option<&IdempotencyKey>) -> Result<Done> {
    let shard = home(shards, item).await?;
    let once = key.map(|key| key.change(shard, item.as_str(), format_args!("add {units}")));
    let call = ADD.once(once, &[item_key(shard, item)]).arg(units.get()).arg(AMOUNT_MAX);
    change(shard, item, call).await
}

/// Takes units out of an item's stock, outside any checkout. Safe to repeat only with a key.
///
/// # Errors
/// - `UnknownItem`, `InsufficientStock`, `KeyReused`, `TooManyKeys`: refused, nothing changed.
/// - `Newer`, `Shard`: see there.
pub async fn subtract(shards: &Shards, item: &ItemId, units: Amount, key: Option<&IdempotencyKey>) -> Result<Done> {
    let shard = home(shards, item).await?;
    let once = key.map(|key| key.change(shard, item.as_str(), format_args!("subtract {units}")));
    let call = SUBTRACT.once(once, &[item_key(shard, item)]).arg(units.get());
    change(shard, item, call).await
}

async fn change(shard: &Shard, item: &ItemId, call: Call) -> Result<Done> {
    let words = words(shard.run(&call).await?);
    let word = words.first().map_or("", String::as_str);
    match Reply::parse(word) {
        Some(Reply::Done) => Ok(Done::now(())),
        Some(Reply::Replayed) => Ok(Done::before(())),
        Some(Reply::Reused) => Err(KeyReused.into()),
        Some(Reply::TooManyKeys) => Err(TooManyKeys.into()),
        Some(Reply::Unknown) => Err(StockError::UnknownItem(item.clone())),
        Some(Reply::Insufficient) => Err(StockError::InsufficientStock(item.clone())),
        Some(Reply::OutOfRange) => Err(StockError::OutOfRange(item.clone())),
        Some(Reply::Newer) => Err(StockError::Newer(item.clone())),
        _ => Err(unexpected(shard, call.name(), word)),
    }
}

/// A reply that no script gives: it may have run.
fn unexpected(shard: &Shard, script: &str, reply: &str) -> StockError {
    ShardError::Unanswered { shard: shard.number(), cause: format!("{script} answered {reply:?}") }.into()
}
