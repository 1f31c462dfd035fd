//! What the stock service shows of itself to an operator. Nothing here writes.

use shardcart_protocol::insight;
use shardcart_protocol::insight::{Found, ItemRecord, LookUp, Seen, Wanted};
use shardcart_store::record;
use shardcart_store::shard::Shard;
use shardcart_store::shard_error::ShardError;
use shardcart_store::shards::Shards;
use shardcart_types::ids::{ItemId, Partition};

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
    insight::record(shard, &record::ITEM, at.name("item", item.as_str()), |item| {
        let (price, stock, held) = (item.amount("price")?, item.amount("stock")?, item.amount("held")?);
        let here = i64::try_from(stock.saturating_add(held)).unwrap_or(i64::MAX);
        let sold = item.number("net")?.saturating_add(item.number("before").unwrap_or(0)).saturating_sub(here);
        Some(Found::Item(ItemRecord { price, stock, held, sold: u64::try_from(sold).unwrap_or(0) }))
    })
    .await
}
