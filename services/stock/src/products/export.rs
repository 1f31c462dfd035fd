//! Exports: all products of all shards, archived ones, too, a batch at a time.

use redis::FromRedisValue;
use shardcart_schema::key;
use shardcart_store::scan::unexpected_reply;
use shardcart_store::script::Call;
use shardcart_store::shards::Shards;
use shardcart_types::ids::ItemId;

use crate::products::error::{ProductError, Result};
use crate::products::records;
use crate::products::{Product, lookup};

/// Places of the keyspace that one step looks at.
const STEP: usize = 1000;

/// Where an export is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    shard: u16,
    cursor: String,
}

/// Gives some more products, and how it goes on; `None`: these were the last. One that is there from the first step to the
/// last is given at least once; where a shard rearranges its keys meanwhile, perhaps more often.
///
/// # Errors
/// `Shard`, `NotUnderstood`: the export may be tried again from the same place.
pub async fn step(shards: &Shards, progress: &Progress) -> Result<(Vec<Product>, Option<Progress>)> {
    let shard = shards.shard(progress.shard)?;
    let mut scan = redis::cmd("SCAN");
    let pattern = key::product(shard.tag(), "*").to_string();
    scan.arg(if progress.cursor.is_empty() { "0" } else { &progress.cursor });
    scan.arg("MATCH").arg(pattern).arg("COUNT").arg(STEP);
    let reply = shard.ask_bulk(&Call::read(scan)).await?;
    let (cursor, keys) = <(String, Vec<String>)>::from_redis_value(reply)
        .map_err(|error| unexpected_reply(shard, "SCAN", &error.to_string()))?;
    let ids: Vec<ItemId> =
        keys.iter().filter_map(|key| key::parse(key)).filter_map(|key| ItemId::parse(key.name).ok()).collect();
    let mut products = Vec::with_capacity(ids.len());
    for (id, stored) in ids.iter().zip(records::read(shards, &ids.iter().collect::<Vec<_>>()).await) {
        match stored.and_then(|stored| lookup::told(id, stored)) {
            Ok(product) => products.push(product),
            Err(ProductError::Unknown(_)) => {}
            Err(error) => return Err(error),
        }
    }
    let next = if cursor != "0" {
        Some(Progress { shard: progress.shard, cursor })
    } else if usize::from(progress.shard) + 1 < shards.iter().len() {
        Some(Progress { shard: progress.shard + 1, cursor: String::new() })
    } else {
        None
    };
    Ok((products, next))
}
