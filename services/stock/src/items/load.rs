//! Bulk load: overwrites items `0`, `1`, `2` …, and removes those that were loaded beyond them.

use std::sync::Arc;

use shardcart_schema::key;
use shardcart_store::bulk::{self, LoadError, Loaded};
use shardcart_store::script::Call;
use shardcart_store::settings::BatchInitSettings;
use shardcart_store::shard::Shard;
use shardcart_store::shards::Shards;
use shardcart_types::amount::Amount;

use crate::scripts::{LOAD, UNLOAD};

/// Overwrites items `0..count` and takes back what was loaded beyond them. May be repeated.
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
    bulk::load(shards, settings, count, &Items { stock, price }).await
}

struct Items {
    stock: Amount,
    price: Amount,
}

impl Loaded for Items {
    fn key(&self, shard: &Shard, number: u64) -> String {
        key::item(shard.tag(), number).to_string()
    }

    fn load(&self, shard: &Shard, chunk: &[u64]) -> Call {
        let mut keys = vec![key::held(shard.tag()).to_string()];
        keys.extend(chunk.iter().map(|item| self.key(shard, *item)));
        LOAD.keys(&keys).arg(self.price.get()).arg(self.stock.get())
    }

    fn unload(&self, shard: &Shard, chunk: &[u64]) -> Call {
        let mut keys = vec![key::held(shard.tag()).to_string()];
        keys.extend(
            chunk.iter().flat_map(|item| [self.key(shard, *item), key::product(shard.tag(), item).to_string()]),
        );
        UNLOAD.keys(&keys)
    }
}
