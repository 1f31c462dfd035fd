//! Orders and their carts, outside any checkout.

mod cart;
mod load;

use std::str::FromStr;

use shardcart_schema::key;
use shardcart_schema::order::{CartLine, OrderStatus};
use shardcart_schema::reply::Reply;
use shardcart_store::idempotency::{Done, IdempotencyKey, KeyReused, TooManyKeys};
use shardcart_store::script::words;
use shardcart_store::shard::Shard;
use shardcart_store::shard_error::ShardError;
use shardcart_store::shards::Shards;
use shardcart_types::ids::{ItemId, OrderId, UserId};

use crate::error::{OrderError, Result};
use crate::scripts::{CREATE, FIND, REMOVE};

pub use cart::{add_item, remove_item, was_added};
pub use load::load;

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
pub(crate) fn keys(shard: &Shard, order: &str) -> [String; 3] {
    [order_key(shard, order), key::cart(shard.tag(), order).to_string(), inflight_key(shard)]
}

fn order_key(shard: &Shard, order: &str) -> String {
    key::order(shard.tag(), order).to_string()
}

/// The key of the set of what is in flight on a shard.
pub(crate) fn inflight_key(shard: &Shard) -> String {
    key::inflight(shard.tag()).to_string()
}

/// Reads items and units out of a script's `item, line, item, line, …`.
pub(crate) fn parse_lines(words: &[String]) -> Option<Vec<(ItemId, u64)>> {
    let line = |pair: &[String]| Some((ItemId::parse(&pair[0]).ok()?, CartLine::parse(&pair[1])?.units));
    words.chunks_exact(2).map(line).collect()
}

/// The shard of an order.
///
/// # Errors
/// - `UnknownOrder`: nobody can have made this id.
/// - `Shard`: this machine does not know the shard.
pub(crate) async fn home<'a>(shards: &'a Shards, order: &OrderId) -> Result<&'a Shard> {
    shards.home(order.as_str()).await?.ok_or_else(|| OrderError::UnknownOrder(order.clone()))
}

/// Creates an order with an empty cart. A repeat creates another, unless it has the same key.
///
/// # Errors
/// - `KeyReused`, `TooManyKeys`: refused, nothing changed.
/// - `Shard`: no shard takes it.
pub async fn create(shards: &Shards, user: &UserId, key: Option<&IdempotencyKey>) -> Result<Done<OrderId>> {
    let created = shards.mint_once(key, |shard, now_ms| {
        let order = OrderId::mint(shard.number(), now_ms);
        let once = key.map(|key| key.creation(shard, order.as_str(), format_args!("create {user}")));
        // The id carries the moment of creation, so it serves as the first last tx.
        let call = CREATE.once(once, &[order_key(shard, order.as_str())]).arg(user.as_str()).arg(order.as_str());
        (order, call)
    });
    Ok(created.await?)
}

/// Removes an order that is neither paid nor being paid. A repeat finds that it is unknown, unless it has the same key.
///
/// # Errors
/// - `UnknownOrder`, `Pending`, `Paid`, `KeyReused`, `TooManyKeys`: refused, nothing changed.
/// - `Newer`, `Shard`: see there.
pub async fn remove(shards: &Shards, order: &OrderId, key: Option<&IdempotencyKey>) -> Result<Done> {
    let shard = home(shards, order).await?;
    let [record, cart, _] = keys(shard, order.as_str());
    let once = key.map(|key| key.change(shard, order.as_str(), "remove"));
    let call = REMOVE.once(once, &[record, cart]);
    changed(&only_word(words(shard.run(&call).await?)), order, shard.number(), REMOVE.name())
}

/// Reads an order.
///
/// # Errors
/// - `UnknownOrder`.
/// - `Newer`, `Shard`: no answer.
pub async fn find(shards: &Shards, order: &OrderId) -> Result<Order> {
    let shard = home(shards, order).await?;
    let [record, cart, _] = keys(shard, order.as_str());
    let words = words(shard.run(&FIND.keys(&[record, cart])).await?);
    match words.as_slice() {
        [word] => Err(changed(word, order, shard.number(), FIND.name())
            .err()
            .unwrap_or_else(|| OrderError::UnknownOrder(order.clone()))),
        [status, user, total, lines @ ..] => {
            let parsed = UserId::parse(user).ok().zip(u64::from_str(total).ok()).zip(parse_lines(lines));
            let ((user, total), items) = parsed.ok_or_else(|| unexpected(shard.number(), FIND.name(), status))?;
            Ok(Order { paid: OrderStatus::parse(status) == Some(OrderStatus::Paid), user, total, items })
        }
        _ => Err(unexpected(shard.number(), FIND.name(), "")),
    }
}

/// What a script that changes an order answers in one word.
fn changed(word: &str, order: &OrderId, shard: u16, script: &str) -> Result<Done> {
    match Reply::parse(word) {
        Some(Reply::Done) => Ok(Done::now(())),
        Some(Reply::Replayed) => Ok(Done::before(())),
        Some(Reply::Reused) => Err(KeyReused.into()),
        Some(Reply::TooManyKeys) => Err(TooManyKeys.into()),
        Some(Reply::Unknown) => Err(OrderError::UnknownOrder(order.clone())),
        Some(Reply::Pending) => Err(OrderError::Pending(order.clone())),
        Some(Reply::Paid) => Err(OrderError::Paid(order.clone())),
        Some(Reply::Newer) => Err(OrderError::Newer(order.clone())),
        _ => Err(unexpected(shard, script, word)),
    }
}

fn only_word(words: Vec<String>) -> String {
    words.into_iter().next().unwrap_or_default()
}

/// A reply that no script gives: it may have run.
pub(crate) fn unexpected(shard: u16, script: &str, reply: &str) -> OrderError {
    ShardError::Unanswered { shard, cause: format!("{script} answered {reply:?}") }.into()
}
