//! Changes of a product's stock, outside any checkout.

use shardcart_schema::key;
use shardcart_schema::reply::Reply;
use shardcart_store::idempotency::{Done, KeyReused, TooManyKeys};
use shardcart_store::script::words;
use shardcart_store::shard_error::ShardError;
use shardcart_store::shards::Shards;
use shardcart_types::amount::{AMOUNT_MAX, Amount};
use shardcart_types::ids::ItemId;

use crate::error::{Result, StockError};
use crate::items;
use crate::products::change::Keyed;
use crate::scripts::{ADD, COUNT, SUBTRACT};

/// What is done to a stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adjustment {
    /// Units are added.
    Add(Amount),
    /// Units are taken out.
    Subtract(Amount),
    /// So many were counted, with those that attempts hold.
    Count(Amount),
}

/// Changes the stock of an item, and gives by how much. Safe to repeat only with a key, or as a count.
///
/// # Errors
/// - `UnknownItem`, `InsufficientStock` (or more is held than was counted), `OutOfRange`, `KeyReused`: refused, nothing
///   changed.
/// - `Newer`, `Shard`: see there.
pub async fn adjust(
    shards: &Shards,
    item: &ItemId,
    adjustment: Adjustment,
    keyed: Option<Keyed<'_>>,
) -> Result<Done<i64>> {
    let shard = items::home(shards, item).await?;
    let once = keyed.map(|keyed| keyed.key.change(shard, item.as_str(), keyed.request));
    let keys = [key::item(shard.tag(), item).to_string()];
    let call = match adjustment {
        Adjustment::Add(units) => ADD.once(once, &keys).arg(units.get()).arg(AMOUNT_MAX),
        Adjustment::Subtract(units) => SUBTRACT.once(once, &keys).arg(units.get()),
        Adjustment::Count(units) => COUNT.once(once, &keys).arg(units.get()).arg(AMOUNT_MAX),
    };
    let delta = |words: &[String]| match adjustment {
        Adjustment::Add(units) => i64::try_from(units.get()).ok(),
        Adjustment::Subtract(units) => i64::try_from(units.get()).ok().map(|units| -units),
        Adjustment::Count(_) => words.get(1).and_then(|word| word.parse().ok()),
    };
    let words = words(shard.run(&call).await?);
    let word = words.first().map_or("", String::as_str);
    match (Reply::parse(word), delta(&words)) {
        (Some(Reply::Done), Some(delta)) => Ok(Done::now(delta)),
        (Some(Reply::Replayed), Some(delta)) => Ok(Done::before(delta)),
        (Some(Reply::Reused), _) => Err(KeyReused.into()),
        (Some(Reply::TooManyKeys), _) => Err(TooManyKeys.into()),
        (Some(Reply::Unknown), _) => Err(StockError::UnknownItem(item.clone())),
        (Some(Reply::Insufficient), _) => Err(StockError::InsufficientStock(item.clone())),
        (Some(Reply::OutOfRange), _) => Err(StockError::OutOfRange(item.clone())),
        (Some(Reply::Newer), _) => Err(StockError::Newer(item.clone())),
        _ => {
            let cause = format!("{} answered {words:?}", call.name());
            Err(ShardError::Unanswered { shard: shard.number(), cause }.into())
        }
    }
}
