//! What the stock service shows of itself to an operator. Nothing here writes.

use redis::FromRedisValue;
use shardcart_protocol::insight::{self, Found, ItemRecord, LookUp, ProductRecord, Seen, Wanted};
use shardcart_schema::key::{self, Kind};
use shardcart_schema::product::{self, Body, Document, Status};
use shardcart_schema::record::{self, field};
use shardcart_store::scan;
use shardcart_store::script::Call;
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
    let product = product(shard, item).await?;
    insight::record(shard, &record::ITEM, key::item(shard.tag(), item), |item| {
        let (price, stock, held) = (item.amount(field::PRICE)?, item.amount(field::STOCK)?, item.amount(field::HELD)?);
        let here = i64::try_from(stock.saturating_add(held)).unwrap_or(i64::MAX);
        let sold =
            item.number(field::NET)?.saturating_add(item.number(field::BEFORE).unwrap_or(0)).saturating_sub(here);
        Some(Found::Item(ItemRecord { price, stock, held, sold: u64::try_from(sold).unwrap_or(0), product }))
    })
    .await
}

/// What describes an item, if it is a product and this release can read it.
async fn product(shard: &Shard, item: &ItemId) -> Result<Option<ProductRecord>, ShardError> {
    let reply = shard.ask(&Call::get(key::product(shard.tag(), item))).await?;
    let bytes = Option::<Vec<u8>>::from_redis_value(reply)
        .map_err(|error| scan::unexpected_reply(shard, "GET", &error.to_string()))?;
    let product::Found::Document(document) = Document::read(bytes.as_deref()) else { return Ok(None) };
    let Body { status, handle, name, .. } = document.body;
    Ok(Some(ProductRecord { name, handle, is_listed: status == Status::Active, revision: document.revision }))
}
