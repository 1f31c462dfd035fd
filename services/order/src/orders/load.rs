//! Bulk load: overwrites orders `0`, `1`, `2` …

use std::sync::Arc;

use shardcart_schema::key;
use shardcart_store::bulk::{self, LoadError};
use shardcart_store::settings::BatchInitSettings;
use shardcart_store::shards::Shards;
use shardcart_types::ids::{TxId, now_ms};

use crate::orders::{inflight_key, keys};
use crate::scripts::LOAD;

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
) -> Result<(), LoadError> {
    bulk::check(settings, count)?;
    bulk::load(shards, settings, count, |shard, chunk| {
        let mut all = vec![inflight_key(shard), key::overwritten(shard.tag()).to_string()];
        for order in chunk {
            let [record, cart, _] = keys(shard, &order.to_string());
            all.extend([record, cart]);
        }
        let incarnation = TxId::mint(shard.number(), now_ms());
        let mut call = LOAD.keys(&all).arg(incarnation.as_str()).arg(price);
        for _ in chunk {
            call = call.arg(fastrand::u64(..users)).arg(fastrand::u64(..items)).arg(fastrand::u64(..items));
        }
        call
    })
    .await
}
