//! What these tests have in common: shards on servers of their own, and a script that counts its runs.

use std::sync::LazyLock;
use std::time::Duration;

use redis::Value;
use shardcart_common::script::{Call, Script};
use shardcart_common::settings::RedisSettings;
use shardcart_common::shard::{Shard, ShardError};

pub use shardcart_harness_shards::shards::{addresses, join, server, settings};
pub use shardcart_harness_shards::{KnownOrders, PATIENCE, Raw, TestShards};

static COUNT: LazyLock<Script> =
    LazyLock::new(|| Script::new("count.lua", "#!lua\nreturn redis.call('INCRBY', KEYS[1], ARGV[1])"));
static COUNT_DOWN: LazyLock<Script> =
    LazyLock::new(|| Script::new("count_down.lua", "#!lua\nreturn redis.call('DECRBY', KEYS[1], ARGV[1])"));

/// A call that adds to a number, and answers what it is then.
pub fn add(key: &str, number: i64) -> Call {
    COUNT.keys(&[key]).arg(number)
}

/// The same by another script: it takes away.
pub fn subtract(key: &str, number: i64) -> Call {
    COUNT_DOWN.keys(&[key]).arg(number)
}

/// Adds one to the number `n`, and gives what it is then.
pub async fn count(shard: &Shard) -> Result<i64, ShardError> {
    shard.run(&add("n", 1)).await.map(number)
}

/// A whole number, as those scripts answer.
pub fn number(reply: Value) -> i64 {
    match reply {
        Value::Int(number) => number,
        other => panic!("{other:?} is no number"),
    }
}

/// How shards are reached by a machine that soon loses patience.
pub fn impatient() -> RedisSettings {
    RedisSettings {
        redis_timeout_ms: Duration::from_secs(1),
        redis_connect_timeout_ms: Duration::from_secs(1),
        start_timeout_ms: Duration::from_millis(200),
        ..settings()
    }
}
