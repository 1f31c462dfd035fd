//! Bulk load: overwrites orders `0`, `1`, `2` …, and removes those that were loaded beyond them.

use std::sync::Arc;

use shardcart_schema::key;
use shardcart_store::bulk::{self, LoadError, Loaded};
use shardcart_store::script::{Call, Script};
use shardcart_store::settings::BatchInitSettings;
use shardcart_store::shard::Shard;
use shardcart_store::shards::Shards;
use shardcart_types::ids::{TxId, now_ms};

use crate::orders::{inflight_key, keys};
use crate::scripts::{LOAD, UNLOAD};

/// Overwrites orders `0..count`: each of a random user, with two random items of quantity 1. Takes back what was loaded
/// beyond them. May be repeated.
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
    bulk::load(shards, settings, count, &Orders { items, users, price }).await
}

struct Orders {
    items: u64,
    users: u64,
    price: u64,
}

impl Orders {
    /// The keys and the first argument of both scripts: an id minted now.
    fn call(&self, script: &'static Script, shard: &Shard, chunk: &[u64]) -> Call {
        let mut all = vec![inflight_key(shard), key::overwritten(shard.tag()).to_string()];
        for order in chunk {
            let [record, cart, _] = keys(shard, &order.to_string());
            all.extend([record, cart]);
        }
        script.keys(&all).arg(TxId::mint(shard.number(), now_ms()).as_str())
    }
}

impl Loaded for Orders {
    fn key(&self, shard: &Shard, number: u64) -> String {
        key::order(shard.tag(), number).to_string()
    }

    fn load(&self, shard: &Shard, chunk: &[u64]) -> Call {
        let mut call = self.call(&LOAD, shard, chunk).arg(self.price);
        for _ in chunk {
            let [first, second] = [(); 2].map(|()| fastrand::u64(..self.items));
            call = call.arg(fastrand::u64(..self.users)).arg(first).arg(second);
        }
        call
    }

    fn unload(&self, shard: &Shard, chunk: &[u64]) -> Call {
        self.call(&UNLOAD, shard, chunk)
    }
}
