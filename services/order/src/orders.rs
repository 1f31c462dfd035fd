//! Orders and their carts: everything but checkout.

use std::str::FromStr;

use shardcart_store::bulk;
use shardcart_store::bulk::LoadError;
use shardcart_store::idempotency::{Done, IdempotencyKey, KeyReused, Once};
use shardcart_store::script::words;
use shardcart_store::settings::BatchInitSettings;
use shardcart_store::shard_error::ShardError;
use shardcart_store::shards::Shards;
use shardcart_types::amount::{AMOUNT_MAX, Quantity};
use shardcart_types::ids::{ItemId, OrderId, Partition, TxId, UserId, now_ms};
use std::sync::Arc;

use crate::error::{OrderError, Result};

shardcart_store::scripts! {
    CREATE = "create.lua";
    ADD_ITEM = "add_item.lua";
    REMOVE_ITEM = "remove_item.lua";
    REMOVE = "remove.lua";
    REPLAY = "replay.lua";
    FIND = "find.lua";
    LOAD = "load.lua";
}

/// The most lines that a cart has.
pub const LINES_MAX: usize = 1000;

/// An order as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Whether it is paid.
    pub paid: bool,
    /// Whose it is.
    pub user: UserId,
    /// The sum quoted for everything in the cart.
    pub total: u64,
    /// Items and units.
    pub items: Vec<(ItemId, u64)>,
}

/// The keys of an order: its record, its cart, and its shard's set of what is in flight.
pub(crate) fn keys(partition: Partition, order: &str) -> [String; 3] {
    [partition.key("order", order), partition.key("cart", order), inflight_key(partition.shard())]
}

/// The key of the set of what is in flight on a shard.
pub(crate) fn inflight_key(shard: u16) -> String {
    Partition::first_of(shard).own_key("inflight")
}

/// Reads items and units out of a script's `item, line, item, line, …`.
pub(crate) fn parse_lines(words: &[String]) -> Option<Vec<(ItemId, u64)>> {
    let line = |pair: &[String]| Some((ItemId::parse(&pair[0]).ok()?, pair[1].split_once(' ')?.0.parse().ok()?));
    words.chunks_exact(2).map(line).collect()
}

/// Creates an order with an empty cart. A repeat creates another, unless it has the same key.
///
/// # Errors
/// - `KeyReused`: refused, nothing changed.
/// - `Shard`: no shard takes it.
pub async fn create(shards: &Shards, user: &UserId, key: Option<&IdempotencyKey>) -> Result<Done<OrderId>> {
    let created = shards.mint_once(key, |partition, now_ms| {
        let order = OrderId::mint(partition, now_ms);
        let once = key.map(|key| key.creation(partition, order.as_str(), format_args!("create {user}")));
        // The id carries the moment of creation, so it serves as the first last tx.
        let call = CREATE.once(once, &[partition.key("order", order.as_str())]).arg(user.as_str()).arg(order.as_str());
        (order, call)
    });
    Ok(created.await??)
}

/// Adds units of an item to a cart at `price` each. Safe to repeat only with a key: then at the price of the first time.
///
/// # Errors
/// - `UnknownOrder`, `Pending`, `Paid`, `TooLarge`, `OutOfRange`, `KeyReused`: refused, nothing changed.
/// - `Newer`, `Shard`: see there.
pub async fn add_item(
    shards: &Shards,
    order: &OrderId,
    item: &ItemId,
    units: Quantity,
    price: u64,
    key: Option<&IdempotencyKey>,
) -> Result<Done> {
    let (shard, partition) = shards.route(order.as_str())?;
    let [record, cart, _] = keys(partition, order.as_str());
    let once = key.map(|key| adding(key, partition, order, item, units));
    let call = ADD_ITEM.once(once, &[record, cart]).arg(item.as_str()).arg(units.get()).arg(price);
    let call = call.arg(LINES_MAX).arg(AMOUNT_MAX);
    match only_word(words(shard.run(&call).await?)).as_str() {
        "TOO_LARGE" => Err(OrderError::TooLarge(format!("a cart has at most {LINES_MAX} lines"))),
        "OUT_OF_RANGE" => Err(OrderError::OutOfRange),
        other => changed(other, order, shard.number(), ADD_ITEM.name()),
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
    let (shard, partition) = shards.route(order.as_str())?;
    let [record, _, _] = keys(partition, order.as_str());
    let call = REPLAY.once(Some(adding(key, partition, order, item, units)), &[record]);
    match only_word(words(shard.run(&call).await?)).as_str() {
        "NONE" => Ok(false),
        other => Ok(changed(other, order, shard.number(), REPLAY.name())?.is_replay),
    }
}

fn adding(key: &IdempotencyKey, partition: Partition, order: &OrderId, item: &ItemId, units: Quantity) -> Once {
    key.change(partition, order.as_str(), format_args!("addItem {item} {units}"))
}

/// Takes one unit of an item off a cart. Safe to repeat only with a key.
///
/// # Errors
/// - `UnknownOrder`, `UnknownItem`, `Pending`, `Paid`, `KeyReused`: refused, nothing changed.
/// - `Newer`, `Shard`: see there.
pub async fn remove_item(
    shards: &Shards,
    order: &OrderId,
    item: &ItemId,
    key: Option<&IdempotencyKey>,
) -> Result<Done> {
    let (shard, partition) = shards.route(order.as_str())?;
    let [record, cart, _] = keys(partition, order.as_str());
    let once = key.map(|key| key.change(partition, order.as_str(), format_args!("removeItem {item}")));
    let call = REMOVE_ITEM.once(once, &[record, cart]).arg(item.as_str());
    match only_word(words(shard.run(&call).await?)).as_str() {
        "NO_LINE" => Err(OrderError::UnknownItem(item.clone())),
        other => changed(other, order, shard.number(), REMOVE_ITEM.name()),
    }
}

/// Removes an order that is neither paid nor being paid. A repeat finds that it is unknown, unless it has the same key.
///
/// # Errors
/// - `UnknownOrder`, `Pending`, `Paid`, `KeyReused`: refused, nothing changed.
/// - `Newer`, `Shard`: see there.
pub async fn remove(shards: &Shards, order: &OrderId, key: Option<&IdempotencyKey>) -> Result<Done> {
    let (shard, partition) = shards.route(order.as_str())?;
    let [record, cart, _] = keys(partition, order.as_str());
    let once = key.map(|key| key.change(partition, order.as_str(), "remove"));
    let call = REMOVE.once(once, &[record, cart]);
    changed(&only_word(words(shard.run(&call).await?)), order, shard.number(), REMOVE.name())
}

/// Reads an order.
///
/// # Errors
/// - `UnknownOrder`.
/// - `Newer`, `Shard`: no answer.
pub async fn find(shards: &Shards, order: &OrderId) -> Result<Order> {
    let (shard, partition) = shards.route(order.as_str())?;
    let [record, cart, _] = keys(partition, order.as_str());
    let words = words(shard.run(&FIND.keys(&[record, cart])).await?);
    match words.as_slice() {
        [word] => Err(changed(word, order, shard.number(), FIND.name())
            .err()
            .unwrap_or_else(|| OrderError::UnknownOrder(order.clone()))),
        [status, user, total, lines @ ..] => {
            let parsed = UserId::parse(user).ok().zip(u64::from_str(total).ok()).zip(parse_lines(lines));
            let ((user, total), items) = parsed.ok_or_else(|| unexpected(shard.number(), FIND.name(), status))?;
            Ok(Order { paid: status == "paid", user, total, items })
        }
        _ => Err(unexpected(shard.number(), FIND.name(), "")),
    }
}

/// Overwrites orders `0..count`: each of a random user, with two random items of quantity 1. May be repeated.
///
/// # Errors
/// See [`LoadError`].
pub async fn load(
    shards: &Arc<Shards>,
    settings: &BatchInitSettings,
    count: u64,
    items: u64,
    users: u64,
    price: u64,
) -> std::result::Result<(), LoadError> {
    bulk::check(settings, count)?;
    bulk::load(shards, settings, count, |shard, chunk| {
        let mut keys = vec![inflight_key(shard)];
        keys.extend(Partition::of_shard(shard).map(|partition| partition.own_key("overwritten")));
        for (partition, order) in chunk {
            let [record, cart, _] = self::keys(*partition, &order.to_string());
            keys.extend([record, cart]);
        }
        let life = TxId::mint(chunk.first().map_or(Partition(0), |(partition, _)| *partition), now_ms());
        let mut call = LOAD.keys(&keys).arg(life.as_str()).arg(price);
        for _ in chunk {
            call = call.arg(fastrand::u64(..users)).arg(fastrand::u64(..items)).arg(fastrand::u64(..items));
        }
        call
    })
    .await
}

/// What a script that changes an order answers in one word.
fn changed(word: &str, order: &OrderId, shard: u16, script: &str) -> Result<Done> {
    match word {
        "DONE" => Ok(Done::now(())),
        "REPLAYED" => Ok(Done::before(())),
        "REUSED" => Err(KeyReused.into()),
        "UNKNOWN" => Err(OrderError::UnknownOrder(order.clone())),
        "PENDING" => Err(OrderError::Pending(order.clone())),
        "PAID" => Err(OrderError::Paid(order.clone())),
        "NEWER" => Err(OrderError::Newer(order.clone())),
        other => Err(unexpected(shard, script, other)),
    }
}

fn only_word(words: Vec<String>) -> String {
    words.into_iter().next().unwrap_or_default()
}

/// A reply that no script gives: it may have run.
pub(crate) fn unexpected(shard: u16, script: &str, reply: &str) -> OrderError {
    ShardError::Unanswered { shard, cause: format!("{script} answered {reply:?}") }.into()
}
