//! What stock and payment have in common as participants: a batch becomes one pipeline of scripts on its shard.

use std::time::Instant;

use crate::ids::Partition;
use crate::participant::{Answer, Batch, Operation, ParticipantError, Service, Topology};
use crate::script::{Call, Script, words};
use crate::shards::Shards;
use crate::trace::{self, export};

/// The keys of an attempt's record, and of its partition's set of what is held.
pub fn keys(operation: &Operation) -> [String; 2] {
    [operation.at.key("tx", operation.tx.as_str()), operation.at.own_key("held")]
}

/// The call of confirm or cancel: the record says what was taken.
pub fn settle(script: &'static Script, operation: &Operation) -> Call {
    script.keys(&keys(operation)).arg(operation.tx.as_str()).arg(operation.deadline_ms)
}

/// Understands what confirm and cancel answer, and what reserve answers in the same words.
pub fn answer(word: &str) -> Option<Answer> {
    Some(match word {
        "HELD" => Answer::Held,
        "EXPIRED" => Answer::Expired,
        "CANCELLED" => Answer::Cancelled,
        "CONFIRMED" => Answer::Confirmed,
        "GONE" => Answer::Gone,
        "LOST" => Answer::Lost,
        "CONFLICT" => Answer::Conflict,
        "NEWER" => Answer::Newer,
        _ => return None,
    })
}

/// How a participant's keys are spread.
pub fn topology(shards: &Shards) -> Topology {
    Topology { founding: shards.membership().founding(), shards: shards.membership().count() }
}

/// Runs a batch as one pipeline on its shard. `call` makes an operation's script call (`None`: not an operation of
/// this participant), `understand` its answer.
///
/// # Errors
/// - `Misrouted`: the sender routes by another data set; nothing happened.
/// - `Unanswered`: the shard does not answer.
pub async fn run(
    service: Service,
    shards: &Shards,
    batch: &Batch,
    call: impl Fn(&Operation) -> Option<Call>,
    understand: impl Fn(&Operation, &str) -> Option<Answer>,
) -> Result<Vec<Answer>, ParticipantError> {
    let founding = shards.membership().founding();
    if batch.founding != founding {
        return Err(ParticipantError::Misrouted { service, topology: topology(shards) });
    }
    let unanswered = |cause: String| ParticipantError::Unanswered { service, cause };
    let shard = shards.shard(batch.shard).map_err(|error| unanswered(error.to_string()))?;
    let here = |partition: Partition| partition.shard() == batch.shard;
    let calls: Option<Vec<Call>> =
        batch.operations.iter().map(|operation| call(operation).filter(|_| here(operation.at))).collect();
    let calls = calls.ok_or_else(|| unanswered("an operation is not for this participant or shard".to_owned()))?;
    let names = export::on().then(|| calls.iter().map(Call::name).collect::<Vec<_>>());
    let sent = Instant::now();
    let replies = shard.run_all(calls).await.map_err(|error| unanswered(error.to_string()))?;
    if let Some(names) = names {
        export_spans(shards, batch, &names, sent);
    }
    let answers = batch.operations.iter().zip(replies).map(|(operation, reply)| match reply {
        Ok(reply) => {
            let words = words(reply);
            let word = words.first().map_or("", String::as_str);
            understand(operation, word).unwrap_or_else(|| {
                trace::aside(operation.trace.as_ref(), || log::error!(service:%, shard = batch.shard, order:% = operation.step.order(), tx:% = operation.tx, word; "a script gave an answer that is not its own"));
                Answer::Unanswered
            })
        }
        Err(error) => {
            trace::aside(operation.trace.as_ref(), || log::warn!(service:%, shard = batch.shard, order:% = operation.step.order(), tx:% = operation.tx, error:%; "an operation went unanswered"));
            Answer::Unanswered
        }
    });
    Ok(answers.collect())
}

/// Exports a span for each operation whose trace is recorded.
fn export_spans(shards: &Shards, batch: &Batch, names: &[&str], sent: Instant) {
    for (operation, name) in batch.operations.iter().zip(names) {
        if let Some(origin) = operation.trace.as_ref().filter(|origin| origin.parent.sampled) {
            export::script(origin, sent, name, shards.membership().service(), batch.shard, false);
        }
    }
}
