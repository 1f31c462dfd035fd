//! Batches for participants, as the coordinators see them.

use std::sync::LazyLock;
use std::time::Instant;

use ::metrics::Counter;
use shardcart_telemetry::metrics::checkout::{self, Alarm};
use shardcart_telemetry::metrics::histogram::Histogram;
use shardcart_telemetry::metrics::names;
use shardcart_types::service::Service;

use crate::participant::Answer;

struct Batches {
    operations: &'static Histogram,
    duration: &'static Histogram,
    unanswered: Counter,
}

static BATCHES: LazyLock<[Batches; 2]> = LazyLock::new(|| {
    ["stock", "payment"].map(|participant| Batches {
        operations: names::BATCH_OPERATIONS.histogram(&[participant]),
        duration: names::BATCH_DURATION.histogram(&[participant]),
        unanswered: names::UNANSWERED_OPERATIONS.counter(&[participant]),
    })
});

/// Makes all metrics of batches show, as empty.
pub fn start() {
    LazyLock::force(&BATCHES);
}

/// A batch has been answered, or not.
pub fn batch(participant: Service, began: Instant, answers: &[Answer]) {
    let batches = &BATCHES[participant as usize];
    batches.operations.record_size(answers.len());
    batches.duration.record_since(began);
    let unanswered = answers.iter().filter(|answer| **answer == Answer::Unanswered).count();
    if unanswered > 0 {
        batches.unanswered.increment(u64::try_from(unanswered).unwrap_or(u64::MAX));
    }
}

/// A participant's reservation is not what the decision needs.
pub fn alarm(participant: Service, answer: &Answer) {
    let alarm = if *answer == Answer::Conflict { Alarm::Conflict } else { Alarm::Lost };
    checkout::alarm(participant, alarm);
}
