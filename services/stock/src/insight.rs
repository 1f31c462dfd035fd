//! What the stock service shows of itself to an operator. Nothing here writes.

use redis::FromRedisValue;
use shardcart_common::ids::{ItemId, Partition};
use shardcart_common::insight::{self, Found, ItemRecord, LookUp, Seen, Wanted};
use shardcart_common::record::{self, Record};
use shardcart_common::script::Call;
use shardcart_common::shard::{Shard, ShardError};
use shardcart_common::shards::Shards;
use shardcart_common::walk;

/// The stock service itself, asked in-process.
pub type LocalInsight = insight::LocalInsight<Stock>;

/// What the stock service looks up.
#[derive(Debug)]
pub struct Stock;

impl LookUp for Stock {
    const UNDER_WAY: &'static str = "held";

    async fn look_up(shards: &Shards, wanted: Wanted) -> Option<Seen> {
        let seen = match wanted {
            Wanted::Item { item } => {
                insight::at_home(shards, item.as_str(), async |shard, at| self::item(shard, at, &item).await).await
            }
            Wanted::Reservations { tx } => insight::reservations(shards, &tx).await,
            _ => return None,
        };
        Some(seen)
    }
}

async fn item(shard: &Shard, at: Partition, item: &ItemId) -> Result<Found, ShardError> {
    let reply = shard.ask(&Call::get(at.name("item", item.as_str()))).await?;
    let bytes =
        Option::<Vec<u8>>::from_redis_value(reply).map_err(|error| walk::odd(shard, "GET", &error.to_string()))?;
    Ok(match record::ITEM.read(bytes.as_deref()) {
        record::Found::Absent => Found::Absent,
        record::Found::Newer => Found::Newer,
        record::Found::Unreadable => Found::Unreadable,
        record::Found::Record(record) => found(&record).unwrap_or(Found::Unreadable),
    })
}

fn found(record: &Record<'_>) -> Option<Found> {
    let (price, stock, held) = (record.amount("price")?, record.amount("stock")?, record.amount("held")?);
    let here = i64::try_from(stock.saturating_add(held)).unwrap_or(i64::MAX);
    let sold = record.number("net")?.saturating_add(record.number("before").unwrap_or(0)).saturating_sub(here);
    Some(Found::Item(ItemRecord { price, stock, held, sold: u64::try_from(sold).unwrap_or(0) }))
}
