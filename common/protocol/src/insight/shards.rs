//! How the shards of a service are: whether they answer, how full they are, and how much is under way on them.

use std::time::Instant;

use redis::FromRedisValue;
use shardcart_schema::key::{self, Kind};
use shardcart_store::info::field;
use shardcart_store::scan;
use shardcart_store::script::{Call, words};
use shardcart_store::shard::Shard;
use shardcart_store::shard_error::ShardError;
use shardcart_store::shards::Shards;

use crate::insight::ShardState;

/// How all shards are now. `listed` is what lists what is under way on a shard: `Inflight` or `Held`.
pub async fn states(shards: &Shards, listed: Kind) -> Vec<ShardState> {
    let service = shards.membership().service();
    let states = shards.iter().map(|shard| async move {
        state(service, shard, listed).await.unwrap_or_else(|_| ShardState::silent(service, shard.number()))
    });
    futures_util::future::join_all(states).await
}

async fn state(service: &str, shard: &Shard, listed: Kind) -> Result<ShardState, ShardError> {
    let asked = Instant::now();
    let mut info = redis::cmd("INFO");
    for section in ["memory", "persistence", "stats", "replication", "keyspace"] {
        info.arg(section);
    }
    let info = words(shard.ask(&Call::read(info)).await?).join("\n");
    let round_trip_us = u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX);
    let command = if listed == Kind::Held { "HLEN" } else { "ZCARD" };
    let mut length = redis::cmd(command);
    length.arg(key::own(shard.tag(), listed).to_string());
    let counted = u64::from_redis_value(shard.ask(&Call::read(length)).await?)
        .map_err(|error| scan::unexpected_reply(shard, command, &error.to_string()))?;
    let field = |name: &str| field(&info, name);
    let number = |name: &str| field(name).and_then(|text| text.parse().ok()).unwrap_or(0);
    let keys = info.lines().filter(|line| line.starts_with("db")).filter_map(keys_of).sum();
    let disk = match (field("aof_enabled"), field("aof_last_write_status")) {
        (Some("1"), Some("ok")) => "on",
        (Some("1"), _) => "failing",
        _ => "off",
    };
    Ok(ShardState {
        service: service.to_owned(),
        shard: shard.number(),
        up: true,
        round_trip_us,
        used_memory: number("used_memory"),
        maxmemory: number("maxmemory"),
        keys,
        commands_per_second: number("instantaneous_ops_per_sec"),
        listed: counted,
        replicas: number("connected_slaves"),
        disk: disk.to_owned(),
    })
}

/// The keys of a database: `db0:keys=12,expires=0,avg_ttl=0`.
fn keys_of(line: &str) -> Option<u64> {
    line.split_once(":keys=")?.1.split(',').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn keys_are_counted_over_databases() {
        assert_eq!(super::keys_of("db0:keys=12,expires=0,avg_ttl=0"), Some(12));
        assert_eq!(super::keys_of("db_something:else"), None);
    }
}
