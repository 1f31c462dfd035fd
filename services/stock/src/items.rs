//! Items: price and stock, outside any checkout.

use std::sync::Arc;

use redis::FromRedisValue;
use shardcart_store::bulk;
use shardcart_store::bulk::LoadError;
use shardcart_store::idempotency::{Done, IdempotencyKey, KeyReused};
use shardcart_store::record;
use shardcart_store::record::Found;
use shardcart_store::script::{Call, words};
use shardcart_store::settings::BatchInitSettings;
use shardcart_store::shard::Shard;
use shardcart_store::shard_error::ShardError;
use shardcart_store::shards::Shards;
use shardcart_types::amount::{AMOUNT_MAX, Amount};
use shardcart_types::ids::{ItemId, Partition};

use crate::error::{Result, StockError};

shardcart_store::scripts! {
    CREATE = "create.lua";
    ADD = "add.lua";
    SUBTRACT = "subtract.lua";
    LOAD = "load.lua";
}

/// An item as its buyers see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    /// Units that can be bought now.
    pub stock: u64,
    /// What one costs.
    pub price: u64,
}

/// Creates an item without stock. A repeat creates another, unless it has the same key.
///
/// # Errors
/// - `KeyReused`: refused, nothing changed.
/// - `Shard`: no shard takes it.
pub async fn create(shards: &Shards, price: Amount, key: Option<&IdempotencyKey>) -> Result<Done<ItemId>> {
    let created = shards.mint_once(key, |partition, now_ms| {
        let item = ItemId::mint(partition, now_ms);
        let once = key.map(|key| key.creation(partition, item.as_str(), format_args!("create {price}")));
        let call = CREATE.once(once, &[partition.key("item", item.as_str())]).arg(price.get());
        (item, call)
    });
    Ok(created.await??)
}

/// Reads an item.
///
/// # Errors
/// - `UnknownItem`.
/// - `Newer`, `Shard`: no answer.
pub async fn find(shards: &Shards, item: &ItemId) -> Result<Item> {
    let (shard, partition) = shards.route(item.as_str())?;
    let bytes = shard.run(&Call::get(partition.name("item", item.as_str()))).await?;
    let bytes =
        Option::<Vec<u8>>::from_redis_value(bytes).map_err(|error| unexpected(shard, "GET", &error.to_string()))?;
    match record::ITEM.read(bytes.as_deref()) {
        Found::Absent => Err(StockError::UnknownItem(item.clone())),
        Found::Newer => Err(StockError::Newer(item.clone())),
        Found::Unreadable => Err(unexpected(shard, "GET", "no item")),
        Found::Record(found) => match (found.amount("stock"), found.amount("price")) {
            (Some(stock), Some(price)) => Ok(Item { stock, price }),
            _ => Err(unexpected(shard, "GET", "no amounts")),
        },
    }
}

/// Adds units to an item's stock. Safe to repeat only with a key.
///
/// # Errors
/// - `UnknownItem`, `OutOfRange`, `KeyReused`: refused, nothing changed.
/// - `Newer`, `Shard`: see there.
pub async fn add(shards: &Shards, item: &ItemId, units: Amount, key: Option<&IdempotencyKey>) -> Result<Done> {
    let (shard, partition) = shards.route(item.as_str())?;
    let once = key.map(|key| key.change(partition, item.as_str(), format_args!("add {units}")));
    let call = ADD.once(once, &[partition.key("item", item.as_str())]).arg(units.get()).arg(AMOUNT_MAX);
    change(shard, item, call).await
}

/// Takes units out of an item's stock, outside any checkout. Safe to repeat only with a key.
///
/// # Errors
/// - `UnknownItem`, `InsufficientStock`, `KeyReused`: refused, nothing changed.
/// - `Newer`, `Shard`: see there.
pub async fn subtract(shards: &Shards, item: &ItemId, units: Amount, key: Option<&IdempotencyKey>) -> Result<Done> {
    let (shard, partition) = shards.route(item.as_str())?;
    let once = key.map(|key| key.change(partition, item.as_str(), format_args!("subtract {units}")));
    let call = SUBTRACT.once(once, &[partition.key("item", item.as_str())]).arg(units.get());
    change(shard, item, call).await
}

/// Overwrites items `0..count`. May be repeated.
///
/// # Errors
/// See [`LoadError`].
pub async fn load(
    shards: &Arc<Shards>,
    settings: &BatchInitSettings,
    count: u64,
    stock: Amount,
    price: Amount,
) -> std::result::Result<(), LoadError> {
    bulk::check(settings, count)?;
    bulk::load(shards, settings, count, |shard, chunk| {
        let held = [Partition::first_of(shard).own_key("held")].into_iter();
        let items = chunk.iter().map(|(partition, item)| partition.key("item", &item.to_string()));
        LOAD.keys(&held.chain(items).collect::<Vec<_>>()).arg(price.get()).arg(stock.get())
    })
    .await
}

async fn change(shard: &Shard, item: &ItemId, call: Call) -> Result<Done> {
    match words(shard.run(&call).await?).first().map_or("", String::as_str) {
        "DONE" => Ok(Done::now(())),
        "REPLAYED" => Ok(Done::before(())),
        "REUSED" => Err(KeyReused.into()),
        "UNKNOWN" => Err(StockError::UnknownItem(item.clone())),
        "INSUFFICIENT" => Err(StockError::InsufficientStock(item.clone())),
        "OUT_OF_RANGE" => Err(StockError::OutOfRange(item.clone())),
        "NEWER" => Err(StockError::Newer(item.clone())),
        other => Err(unexpected(shard, call.name(), other)),
    }
}

/// A reply that no script gives: it may have run.
fn unexpected(shard: &Shard, script: &str, reply: &str) -> StockError {
    ShardError::Unanswered { shard: shard.number(), cause: format!("{script} answered {reply:?}") }.into()
}
