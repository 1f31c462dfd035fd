//! What the stock service shows of itself to an operator. Nothing here writes.

use redis::FromRedisValue;
use shardcart_common::ids::{ItemId, Partition};
use shardcart_common::insight::{self, Found, ItemRecord, LookUp, Seen, Wanted};
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

type Fields = (Option<u64>, Option<u64>, Option<u64>, Option<i64>, Option<i64>, Option<String>);

async fn item(shard: &Shard, at: Partition, item: &ItemId) -> Result<Found, ShardError> {
    let mut read = redis::cmd("HMGET");
    read.arg(at.key("item", item.as_str())).arg(&["price", "stock", "held", "net", "before", "v"]);
    let reply = shard.ask(&Call::read(read)).await?;
    let fields = Fields::from_redis_value(reply).map_err(|error| walk::odd(shard, "HMGET", &error.to_string()))?;
    Ok(match fields {
        (.., Some(_)) => Found::Newer,
        (Some(price), Some(stock), Some(held), Some(net), before, None) => {
            let here = i64::try_from(stock.saturating_add(held)).unwrap_or(i64::MAX);
            let sold = net.saturating_add(before.unwrap_or(0)).saturating_sub(here);
            Found::Item(ItemRecord { price, stock, held, sold: u64::try_from(sold).unwrap_or(0) })
        }
        (None, None, None, None, ..) => Found::Absent,
        _ => Found::Unreadable,
    })
}
