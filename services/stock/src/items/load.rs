//! Bulk load: overwrites items `0`, `1`, `2` …

use std::sync::Arc;

use shardcart_schema::key;
use shardcart_store::bulk::{self, LoadError};
use shardcart_store::settings::BatchInitSettings;
use shardcart_store::shards::Shards;
use shardcart_types::amount::Amount;

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
        let held = [key::held(shard.tag()).to_string()].into_iter();
        let items = chunk.iter().map(|item| key::item(shard.tag(), item).to_string());
        LOAD.keys(&held.chain(items).collect::<Vec<_>>()).arg(price.get()).arg(stock.get())
    })
    .await
}
