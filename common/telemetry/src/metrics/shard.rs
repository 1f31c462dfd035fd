//! Shards: how they answer, and what they say of themselves.

use std::time::{Duration, Instant};

use ::metrics::{Counter, Gauge};

use super::Kept;
use super::histogram::Histogram;
use super::names::{self, Metric};

/// What is recorded of one shard of one service. The same for all threads.
#[derive(Debug)]
pub struct ShardMetrics {
    round_trip: &'static Histogram,
    commands: Counter,
    reconnects: Counter,
    unreachable: Counter,
    refused: Counter,
    unanswered: Counter,
    /// 1 when it answered when it was last asked.
    pub up: Gauge,
    /// Bytes.
    pub memory_used: Gauge,
    /// Bytes; 0: no limit.
    pub memory_max: Gauge,
    /// 1 when there is an append-only file.
    pub aof_enabled: Gauge,
    /// 1 when the last write to it went well.
    pub aof_ok: Gauge,
    /// Bytes.
    pub aof_size: Gauge,
    /// Connected replicas.
    pub replicas: Gauge,
    /// Connected clients.
    pub clients: Gauge,
    /// Commands a second.
    pub operations: Gauge,
    /// Records of idempotency keys.
    pub idempotency_records: Gauge,
    /// The same at most.
    pub idempotency_records_max: Gauge,
    /// Seconds ahead of this machine.
    pub clock_offset: Gauge,
}

/// Why a call got no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Nothing was sent.
    Unreachable,
    /// The server refused before it did anything.
    Refused,
    /// It was sent and may have happened.
    Unanswered,
}

static SHARDS: Kept<(&'static str, u16), ShardMetrics> = Kept::new();

/// The metrics of a shard.
pub fn of(service: &'static str, shard: u16) -> &'static ShardMetrics {
    SHARDS.get((service, shard), || {
        let number = shard.to_string();
        let labels = [service, number.as_str()];
        // What a shard has not said yet is no number: 0 would be a lie, and an alarm.
        let told = |metric: &Metric| {
            let gauge = metric.gauge(&labels);
            gauge.set(f64::NAN);
            gauge
        };
        let failures = |kind| names::SHARD_FAILURES.counter(&[service, &number, kind]);
        ShardMetrics {
            round_trip: names::SHARD_ROUND_TRIP.histogram(&labels),
            commands: names::SHARD_COMMANDS.counter(&labels),
            reconnects: names::SHARD_RECONNECTS.counter(&labels),
            unreachable: failures("unreachable"),
            refused: failures("refused"),
            unanswered: failures("unanswered"),
            up: names::SHARD_UP.gauge(&labels),
            memory_used: told(&names::SHARD_MEMORY_USED),
            memory_max: told(&names::SHARD_MEMORY_MAX),
            aof_enabled: told(&names::SHARD_AOF_ENABLED),
            aof_ok: told(&names::SHARD_AOF_OK),
            aof_size: told(&names::SHARD_AOF_SIZE),
            replicas: told(&names::SHARD_REPLICAS),
            clients: told(&names::SHARD_CLIENTS),
            operations: told(&names::SHARD_OPS),
            idempotency_records: told(&names::IDEMPOTENCY_RECORDS),
            idempotency_records_max: names::IDEMPOTENCY_RECORDS_MAX.gauge(&labels),
            clock_offset: names::SHARD_CLOCK_OFFSET.gauge(&labels),
        }
    })
}

impl ShardMetrics {
    /// Commands went out together at `sent`, and have been answered now.
    pub fn answered(&self, sent: Instant, commands: usize) {
        self.round_trip.record_since(sent);
        self.sent(commands);
    }

    /// Commands went out whose time says nothing.
    pub fn sent(&self, commands: usize) {
        self.commands.increment(u64::try_from(commands).unwrap_or(u64::MAX));
    }

    /// A connection took the place of a lost one.
    pub fn reconnected(&self) {
        self.reconnects.increment(1);
    }

    /// A call got no reply.
    pub fn failed(&self, failure: Failure) {
        match failure {
            Failure::Unreachable => self.unreachable.increment(1),
            Failure::Refused => self.refused.increment(1),
            Failure::Unanswered => self.unanswered.increment(1),
        }
    }

    /// How far the shard's clock is ahead of this machine's.
    pub fn set_clock_offset(&self, offset_ms: i64) {
        let (offset, ahead) = (Duration::from_millis(offset_ms.unsigned_abs()).as_secs_f64(), offset_ms >= 0);
        self.clock_offset.set(if ahead { offset } else { -offset });
    }
}
