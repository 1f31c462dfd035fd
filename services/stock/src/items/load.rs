//! Bulk load: overwrites items `0`, `1`, `2` …

use std::sync::Arc;

use shardcart_common::amount::Amount;
use shardcart_common::bulk::{self, LoadError};
use shardcart_common::ids::Partition;
use shardcart_common::settings::BatchInitSettings;
use shardcart_common::shards::Shards;
use shardcart_schema::key;

use crate::scripts::LOAD;

/// Overwrites items `0..count`. May be repeated.
///
/// # Errors
/// See [`LoadError`].
pub async fn load(
    shards: &Arc<Shards>,
    settings: &BatchInitSettings,
    count: u64,
    stock: Amount,
    price: Amount,
) -> Result<(), LoadError> {
    bulk::check(settings, count)?;
    bulk::load(shards, settings, count, |shard, chunk| {
        let held = [key::held(Partition::first_of(shard).0).to_string()].into_iter();
        let items = chunk.iter().map(|(partition, item)| key::item(partition.0, item).to_string());
        LOAD.keys(&held.chain(items).collect::<Vec<_>>()).arg(price.get()).arg(stock.get())
    })
    .await
}
