//! What the stock service shows of itself to an operator. Nothing here writes.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{LocalBoxFuture, join_all};
use redis::FromRedisValue;
use shardcart_common::ids::{ItemId, Partition};
use shardcart_common::insight::{self, Found, Insight, ItemRecord, Seen, ShardState, Wanted};
use shardcart_common::script::Call;
use shardcart_common::shard::{Shard, ShardError};
use shardcart_common::shards::Shards;
use shardcart_common::walk;

/// The stock service itself, asked in-process.
pub struct LocalInsight(Arc<Shards>);

impl LocalInsight {
    /// Shows these shards.
    pub fn new(shards: Arc<Shards>) -> Self {
        LocalInsight(shards)
    }

    async fn look(&self, wanted: Wanted) -> Seen {
        match wanted {
            Wanted::Item { item } => {
                insight::at_home(&self.0, item.as_str(), async |shard, at| self::item(shard, at, &item).await).await
            }
            Wanted::Reservations { tx } => insight::reservations(&self.0, &tx).await,
            _ => Seen { partition: Partition(0), shard: 0, found: Found::NotHere },
        }
    }
}

impl Insight for LocalInsight {
    fn shards(&self) -> LocalBoxFuture<'_, Result<Vec<ShardState>, String>> {
        async { Ok(insight::shards::states(&self.0, "held").await) }.boxed_local()
    }

    fn look_up(&self, wanted: Vec<Wanted>) -> LocalBoxFuture<'_, Result<Vec<Seen>, String>> {
        async move { Ok(join_all(wanted.into_iter().map(|wanted| self.look(wanted))).await) }.boxed_local()
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
