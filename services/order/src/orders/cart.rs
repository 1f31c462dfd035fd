//! Carts: what an open order is filled with.

use shardcart_schema::limit::LINES_MAX;
use shardcart_schema::reply::Reply;
use shardcart_store::idempotency::{Done, IdempotencyKey, Once};
use shardcart_store::script::words;
use shardcart_store::shard::Shard;
use shardcart_store::shards::Shards;
use shardcart_types::amount::{AMOUNT_MAX, Quantity};
use shardcart_types::ids::{ItemId, OrderId};

use crate::error::{OrderError, Result};
use crate::orders::{changed, home, keys, only_word};
use crate::scripts::{ADD_ITEM, REMOVE_ITEM, REPLAY};

/// Adds units of an item to a cart at `price` each. Safe to repeat only with a key: then at the price of the first
/// time.
///
/// # Errors
/// - `UnknownOrder`, `Pending`, `Paid`, `TooLarge`, `OutOfRange`, `KeyReused`, `TooManyKeys`: refused, nothing changed.
/// - `Newer`, `Shard`: see there.
pub async fn add_item(
    shards: &Shards,
    order: &OrderId,
    item: &ItemId,
    units: Quantity,
    price: u64,
    key: Option<&IdempotencyKey>,
) -> Result<Done> {
    let shard = home(shards, order).await?;
    let [record, cart, _] = keys(shard, order.as_str());
    let once = key.map(|key| adding(key, shard, order, item, units));
    let call = ADD_ITEM.once(once, &[record, cart]).arg(item.as_str()).arg(units.get()).arg(price);
    let call = call.arg(LINES_MAX).arg(AMOUNT_MAX);
    let word = only_word(words(shard.run(&call).await?));
    match Reply::parse(&word) {
        Some(Reply::TooLarge) => Err(OrderError::TooLarge(format!("a cart has at most {LINES_MAX} lines"))),
        Some(Reply::OutOfRange) => Err(OrderError::OutOfRange),
        _ => changed(&word, order, shard.number(), ADD_ITEM.name()),
    }
}

/// Whether [`add_item`] was done before with this key, for when the price cannot be asked any more. Changes nothing.
///
/// # Errors
/// - `KeyReused`.
/// - `Newer`, `Shard`: no answer.
pub async fn was_added(
    shards: &Shards,
    order: &OrderId,
    item: &ItemId,
    units: Quantity,
    key: &IdempotencyKey,
) -> Result<bool> {
    let Some(shard) = shards.home(order.as_str()).await? else { return Ok(false) };
    let [record, _, _] = keys(shard, order.as_str());
    let call = REPLAY.once(Some(adding(key, shard, order, item, units).unbounded()), &[record]);
    let word = only_word(words(shard.run(&call).await?));
    match Reply::parse(&word) {
        Some(Reply::None) => Ok(false),
        _ => Ok(changed(&word, order, shard.number(), REPLAY.name())?.is_replay),
    }
}

fn adding(key: &IdempotencyKey, shard: &Shard, order: &OrderId, item: &ItemId, units: Quantity) -> Once {
    key.change(shard, order.as_str(), format_args!("addItem {item} {units}"))
}

/// Takes one unit of an item off a cart. Safe to repeat only with a key.
///
/// # Errors
/// - `UnknownOrder`, `UnknownItem`, `Pending`, `Paid`, `KeyReused`, `TooManyKeys`: refused, nothing changed.
/// - `Newer`, `Shard`: see there.
pub async fn remove_item(
    shards: &Shards,
    order: &OrderId,
    item: &ItemId,
    key: Option<&IdempotencyKey>,
) -> Result<Done> {
    let shard = home(shards, order).await?;
    let [record, cart, _] = keys(shard, order.as_str());
    let once = key.map(|key| key.change(shard, order.as_str(), format_args!("removeItem {item}")));
    let call = REMOVE_ITEM.once(once, &[record, cart]).arg(item.as_str());
    let word = only_word(words(shard.run(&call).await?));
    match Reply::parse(&word) {
        Some(Reply::NoLine) => Err(OrderError::UnknownItem(item.clone())),
        _ => changed(&word, order, shard.number(), REMOVE_ITEM.name()),
    }
}
