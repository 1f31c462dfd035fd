//! What shards have to be asked for: what each shard's Redis says about itself, and what is held or in flight there.
//!
//! It is collected by a timer, never for a request or a scrape: those read what was found last. A shard that does not
//! answer costs its own timeout and holds up no other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ::metrics::Gauge;
use futures_util::future::join_all;
use redis::FromRedisValue;
use shardcart_schema::key;
use shardcart_telemetry::metrics::shard::{self, ShardMetrics};
use shardcart_telemetry::metrics::{self, names};

use crate::info::field;
use crate::scan;
use crate::script::{Call, words};
use crate::shard::Shard;
use crate::shard_error::ShardError;
use crate::shards::Shards;

crate::scripts! {
    IN_FLIGHT = "in_flight.lua";
    KEYED = "keyed.lua";
}

/// Orders looked at on one shard to find the oldest attempt.
const LOOKED_AT_MAX: usize = 512;

/// What one shard of a service is asked beyond the usual.
enum Work {
    /// Of an order shard.
    Attempts { in_flight: Gauge, oldest: Gauge },
    /// Of a participant's.
    Reservations(Gauge),
}

/// Looks at all shards every `interval`, for as long as the machine runs; not at all where nothing is counted.
pub async fn run(shards: Arc<Shards>, interval: Duration) {
    if !metrics::on() {
        return;
    }
    let service = shards.membership().service();
    let took = names::COLLECT_DURATION.gauge(&[service]);
    let known: Vec<_> = shards.iter().map(|one| (one, shard::of(service, one.number()), work(service, one))).collect();
    loop {
        let began = Instant::now();
        join_all(known.iter().map(async |(shard, metrics, work)| look(shard, metrics, work).await)).await;
        took.set(began.elapsed().as_secs_f64());
        // Never without a pause, whatever the setting.
        tokio::time::sleep(interval.max(Duration::from_millis(10))).await;
    }
}

fn work(service: &'static str, shard: &Shard) -> Work {
    let number = shard.number().to_string();
    match service {
        "order" => Work::Attempts {
            in_flight: names::ATTEMPTS_IN_FLIGHT.gauge(&[&number]),
            oldest: names::OLDEST_ATTEMPT.gauge(&[&number]),
        },
        _ => Work::Reservations(names::RESERVATIONS_HELD.gauge(&[service, &number])),
    }
}

/// What a shard that does not answer said last is left as it is: `up` tells that it is old.
async fn look(shard: &Shard, metrics: &ShardMetrics, work: &Work) {
    let asked = futures_util::future::join3(tell(shard, metrics), count(shard, work), count_keyed(shard, metrics));
    let (told, counted, keyed) = asked.await;
    metrics.up.set(f64::from(u8::from(told.is_ok() && counted.is_ok() && keyed.is_ok())));
    if let Err(error) = told.and(counted).and(keyed) {
        log::debug!(shard = shard.number(), error:%; "a shard tells nothing of itself");
    }
}

async fn tell(shard: &Shard, metrics: &ShardMetrics) -> Result<(), ShardError> {
    let mut info = redis::cmd("INFO");
    info.arg("clients").arg("memory").arg("persistence").arg("stats").arg("replication");
    let reply = shard.ask(&Call::read(info)).await?;
    let info = String::from_redis_value(reply)
        .map_err(|error| ShardError::Unanswered { shard: shard.number(), cause: error.to_string() })?;
    let number = |name| field(&info, name).and_then(|value| value.parse::<f64>().ok());
    let set = |gauge: &Gauge, value: Option<f64>| value.into_iter().for_each(|value| gauge.set(value));
    set(&metrics.memory_used, number("used_memory"));
    set(&metrics.memory_max, number("maxmemory"));
    set(&metrics.aof_enabled, number("aof_enabled"));
    set(&metrics.aof_ok, field(&info, "aof_last_write_status").map(|status| f64::from(u8::from(status == "ok"))));
    set(&metrics.aof_size, number("aof_current_size").or(Some(0.0)));
    set(&metrics.replicas, number("connected_slaves"));
    set(&metrics.clients, number("connected_clients"));
    set(&metrics.operations, number("instantaneous_ops_per_sec"));
    Ok(())
}

async fn count_keyed(shard: &Shard, metrics: &ShardMetrics) -> Result<(), ShardError> {
    let call = KEYED.keys(&[key::keyed(shard.tag()).to_string()]);
    let words = words(shard.ask(&call).await?);
    let [Ok(count)] = words.iter().map(|word| word.parse::<f64>()).collect::<Vec<_>>()[..] else {
        let cause = format!("{} answered {words:?}", call.name());
        return Err(ShardError::Unanswered { shard: shard.number(), cause });
    };
    metrics.idempotency_records.set(count);
    metrics.idempotency_records_max.set(shard.idempotency_records_max() as f64);
    Ok(())
}

async fn count(shard: &Shard, work: &Work) -> Result<(), ShardError> {
    let call = match work {
        Work::Attempts { .. } => IN_FLIGHT.keys(&[key::inflight(shard.tag()).to_string()]).arg(LOOKED_AT_MAX),
        Work::Reservations(_) => {
            let mut length = redis::cmd("HLEN");
            length.arg(scan::held_key(shard));
            Call::read(length)
        }
    };
    let words = words(shard.ask(&call).await?);
    let numbers: Vec<f64> = words.iter().filter_map(|word| word.parse().ok()).collect();
    match (work, numbers.as_slice()) {
        (Work::Attempts { in_flight, oldest }, [count, age_ms]) => {
            in_flight.set(*count);
            oldest.set(age_ms.max(0.0) / 1000.0);
        }
        (Work::Reservations(held), [count]) => held.set(*count),
        _ => {
            let cause = format!("{} answered {words:?}", call.name());
            return Err(ShardError::Unanswered { shard: shard.number(), cause });
        }
    }
    Ok(())
}
