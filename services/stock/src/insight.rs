//! What the stock service shows of itself to an operator. Nothing here writes.

use shardcart_protocol::insight::{self, Found, ItemRecord, LookUp, Seen, Wanted};
use shardcart_schema::key::{self, Kind};
use shardcart_schema::record::{self, field};
use shardcart_store::shard::Shard;
use shardcart_store::shard_error::ShardError;
use shardcart_store::shards::Shards;
use shardcart_types::ids::ItemId;

/// The stock service itself, asked in-process.
pub type LocalInsight = insight::LocalInsight<Stock>;

/// What the stock service looks up.
#[derive(Debug)]
pub struct Stock;

impl LookUp for Stock {
    const UNDER_WAY: Kind = Kind::Held;

    async fn look_up(shards: &Shards, wanted: Wanted) -> Option<Seen> {
        let seen = match wanted {
            Wanted::Item { item } => {
                insight::at_home(shards, item.as_str(), async |shard| self::item(shard, &item).await).await
            }
            Wanted::Reservations { tx } => insight::reservations(shards, &tx).await,
            _ => return None,
        };
        Some(seen)
    }
}

async fn item(shard: &Shard, item: &ItemId) -> Result<Found, ShardError> {
    insight::record(shard, &record::ITEM, key::item(shard.tag(), item), |item| {
        let (price, stock, held) = (item.amount(field::PRICE)?, item.amount(field::STOCK)?, item.amount(field::HELD)?);
        let here = i64::try_from(stock.saturating_add(held)).unwrap_or(i64::MAX);
        let sold =
            item.number(field::NET)?.saturating_add(item.number(field::BEFORE).unwrap_or(0)).saturating_sub(here);
        Some(Found::Item(ItemRecord { price, stock, held, sold: u64::try_from(sold).unwrap_or(0) }))
    })
    .await
}
