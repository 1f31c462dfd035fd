//! Bulk load: overwrites users `0`, `1`, `2` …

use std::sync::Arc;

use shardcart_schema::key;
use shardcart_store::bulk::{self, LoadError};
use shardcart_store::settings::BatchInitSettings;
use shardcart_store::shards::Shards;
use shardcart_types::amount::Amount;
use shardcart_types::ids::{TxId, now_ms};

use crate::scripts::LOAD;

/// Overwrites users `0..count`. May be repeated.
///
/// # Errors
/// See [`LoadError`].
pub async fn load(
    shards: &Arc<Shards>,
    settings: &BatchInitSettings,
    count: u64,
    credit: Amount,
) -> Result<(), LoadError> {
    bulk::check(settings, count)?;
    bulk::load(shards, settings, count, |shard, chunk| {
        let held = [key::held(shard.tag()).to_string()].into_iter();
        let users = chunk.iter().map(|user| key::user(shard.tag(), user).to_string());
        let incarnation = TxId::mint(shard.number(), now_ms());
        LOAD.keys(&held.chain(users).collect::<Vec<_>>()).arg(credit.get()).arg(incarnation.as_str())
    })
    .await
}
