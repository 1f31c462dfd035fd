//! Bulk load: overwrites users `0`, `1`, `2` …, and removes those that were loaded beyond them.

use std::sync::Arc;

use shardcart_schema::key;
use shardcart_store::bulk::{self, LoadError, Loaded};
use shardcart_store::script::Call;
use shardcart_store::settings::BatchInitSettings;
use shardcart_store::shard::Shard;
use shardcart_store::shards::Shards;
use shardcart_types::amount::Amount;
use shardcart_types::ids::{TxId, now_ms};

use crate::scripts::{LOAD, UNLOAD};

/// Overwrites users `0..count` and takes back what was loaded beyond them. May be repeated.
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
    bulk::load(shards, settings, count, &Users { credit }).await
}

struct Users {
    credit: Amount,
}

impl Users {
    fn keys(&self, shard: &Shard, chunk: &[u64]) -> Vec<String> {
        let held = [key::held(shard.tag()).to_string()].into_iter();
        held.chain(chunk.iter().map(|user| self.key(shard, *user))).collect()
    }
}

impl Loaded for Users {
    fn key(&self, shard: &Shard, number: u64) -> String {
        key::user(shard.tag(), number).to_string()
    }

    fn load(&self, shard: &Shard, chunk: &[u64]) -> Call {
        let incarnation = TxId::mint(shard.number(), now_ms());
        LOAD.keys(&self.keys(shard, chunk)).arg(self.credit.get()).arg(incarnation.as_str())
    }

    fn unload(&self, shard: &Shard, chunk: &[u64]) -> Call {
        UNLOAD.keys(&self.keys(shard, chunk))
    }
}
