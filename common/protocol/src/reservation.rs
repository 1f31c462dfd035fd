//! What stock and payment have in common as participants: a batch becomes a few script calls on its shard, in one pipeline.

use std::collections::HashSet;
use std::time::Instant;

use crate::participant::{Answer, Batch, Operation, ParticipantError, Step, Topology};
use shardcart_store::held;
use shardcart_store::script::{Call, Script, each, words};
use shardcart_store::shards::Shards;
use shardcart_telemetry::trace;
use shardcart_telemetry::trace::export;
use shardcart_types::ids::{Partition, TxId};
use shardcart_types::service::Service;

/// Operations in one script call at most, and lines of them: while it runs, its shard does nothing else.
const TOGETHER_MAX: usize = 128;
const LINES_MAX: usize = 1_000;

/// How long tombstones last beyond the deadlines of their attempts, in milliseconds: until a late confirm would be told
/// that its attempt was settled long ago, and ten seconds more.
const TOMBSTONES_LAST_MS: u64 = 70_000;

/// The scripts of a participant. Each is asked many things in one call.
pub struct Scripts<R> {
    /// Makes the call of reserves; `None` if one of them is not for this participant, or this shard.
    pub reserve: R,
    /// Confirms.
    pub confirm: &'static Script,
    /// Cancels.
    pub cancel: &'static Script,
}

/// A call of one of the scripts: what the shard holds, and the tombstones of the second in which the deadlines of these
/// attempts are, are its first two keys; so many others follow.
pub fn call(script: &'static Script, operations: &[&Operation], others: usize) -> Call {
    let (shard, second) = operations.first().map_or((0, 0), |first| (first.at.shard(), second(first)));
    let keeper = Partition::first_of(shard);
    let mut call = script.with_keys(2 + others);
    call.key(keeper.own_name("held"));
    call.key(keeper.name("ended", &second.to_string()));
    call
}

/// When the tombstones of these attempts end, Unix milliseconds: all that lie together end together.
pub fn ends_ms(operations: &[&Operation]) -> u64 {
    operations.first().map_or(0, |first| (second(first) + 1) * 1_000 + TOMBSTONES_LAST_MS)
}

/// The second of an attempt's deadline, Unix time.
fn second(operation: &Operation) -> u64 {
    operation.deadline_ms / 1_000
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

/// Runs a batch as one pipeline on its shard. `understand` knows what the participant's own answers mean.
///
/// # Errors
/// - `Misrouted`: the sender routes by another data set; nothing happened.
/// - `Unanswered`: the shard does not answer.
pub async fn run<R: Fn(&[&Operation]) -> Option<Call>>(
    service: Service,
    shards: &Shards,
    batch: &Batch,
    scripts: &Scripts<R>,
    understand: impl Fn(&Operation, &str) -> Option<Answer>,
) -> Result<Vec<Answer>, ParticipantError> {
    let founding = shards.membership().founding();
    if batch.founding != founding {
        return Err(ParticipantError::Misrouted { service, topology: topology(shards) });
    }
    let unanswered = |cause: String| ParticipantError::Unanswered { service, cause };
    let shard = shards.shard(batch.shard).map_err(|error| unanswered(error.to_string()))?;
    let here = |partition: Partition| partition.shard() == batch.shard;
    let (places, calls) = Some(&batch.operations)
        .filter(|operations| operations.iter().all(|operation| here(operation.at)))
        .and_then(|operations| scripts.calls(operations))
        .ok_or_else(|| unanswered("an operation is not for this participant or shard".to_owned()))?;
    let names = export::on().then(|| calls.iter().map(Call::name).collect::<Vec<_>>());
    let sent = Instant::now();
    let replies = shard.run_all(calls).await;
    for (call, (places, name)) in names.iter().flat_map(|names| places.iter().zip(names)).enumerate() {
        let operations = places.iter().map(|place| &batch.operations[*place]);
        let failed = replies.as_ref().map_or(true, |replies| replies.get(call).is_none_or(Result::is_err));
        export_spans(operations, name, service, batch.shard, sent, failed);
    }
    let replies = replies.map_err(|error| unanswered(error.to_string()))?;

    let mut answers = vec![Answer::Unanswered; batch.operations.len()];
    for (places, reply) in places.into_iter().zip(replies) {
        match reply.map(|reply| each(reply, places.len())) {
            Ok(Some(replies)) => {
                for (place, reply) in places.into_iter().zip(replies) {
                    let (operation, words) = (&batch.operations[place], words(reply));
                    let word = words.first().map_or("", String::as_str);
                    match understand(operation, word) {
                        Some(answer) => answers[place] = answer,
                        None => {
                            trace::aside(
                                operation.trace.as_ref(),
                                || log::error!(service:%, shard = batch.shard, order:% = operation.step.order(), tx:% = operation.tx, word; "a script gave an answer that is not its own"),
                            );
                        }
                    }
                }
            }
            Ok(None) => {
                log::error!(service:%, shard = batch.shard, operations = places.len(); "a script gave another number of answers");
            }
            Err(error) => {
                log::warn!(service:%, shard = batch.shard, operations = places.len(), error:%; "operations went unanswered");
            }
        }
    }
    Ok(answers)
}

impl<R: Fn(&[&Operation]) -> Option<Call>> Scripts<R> {
    /// The calls for some operations, and the places of the operations that each of them is for.
    fn calls(&self, operations: &[Operation]) -> Option<(Vec<Vec<usize>>, Vec<Call>)> {
        let places = together(operations);
        let call = |places: &Vec<usize>| {
            let wanted: Vec<&Operation> = places.iter().map(|place| &operations[*place]).collect();
            match Kind::of(wanted.first()?) {
                Kind::Cancel => Some(settle(self.cancel, &wanted)),
                Kind::Confirm => Some(settle(self.confirm, &wanted)),
                Kind::Reserve => (self.reserve)(&wanted),
            }
        };
        let calls: Option<Vec<Call>> = places.iter().map(call).collect();
        Some((places, calls?))
    }
}

/// What one script call can be for; in the order in which they make room for one another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Cancel,
    Confirm,
    Reserve,
}

impl Kind {
    fn of(operation: &Operation) -> Self {
        match operation.step {
            Step::ReserveStock { .. } | Step::ReserveCredit { .. } => Kind::Reserve,
            Step::Confirm => Kind::Confirm,
            Step::Cancel => Kind::Cancel,
        }
    }
}

/// Which operations go into one call: the places of those of the same kind whose deadlines are in the same second, as many
/// as a call may have. Operations of one attempt stay in their order.
fn together(operations: &[Operation]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..operations.len()).collect();
    let group = |place: usize| (Kind::of(&operations[place]), second(&operations[place]));
    if !(1..operations.len()).all(|place| group(place) == group(0)) {
        let attempts: HashSet<&TxId> = operations.iter().map(|operation| &operation.tx).collect();
        if attempts.len() == operations.len() {
            order.sort_by_key(|place| group(*place));
        } else {
            // All operations of an attempt have its deadline.
            order.sort_by_key(|place| second(&operations[*place]));
        }
    }
    let mut all: Vec<Vec<usize>> = Vec::new();
    let mut lines = 0;
    for place in order {
        let own = if let Step::ReserveStock { lines, .. } = &operations[place].step { lines.len() } else { 1 };
        match all.last_mut() {
            Some(together)
                if together.len() < TOGETHER_MAX && lines + own <= LINES_MAX && group(together[0]) == group(place) =>
            {
                together.push(place);
                lines += own;
            }
            _ => {
                all.push(vec![place]);
                lines = own;
            }
        }
    }
    all
}

/// The call of confirms or cancels: what is held says what was taken.
fn settle(script: &'static Script, operations: &[&Operation]) -> Call {
    let mut call = call(script, operations, 0);
    call.push(ends_ms(operations));
    let deadlines: Vec<u8> = operations.iter().flat_map(|operation| held::double(operation.deadline_ms)).collect();
    call.push(&deadlines[..]);
    operations.iter().for_each(|operation| call.push(operation.tx.as_str()));
    call
}

/// Exports a span for each operation whose trace is recorded; they share one call.
fn export_spans<'a>(
    operations: impl Iterator<Item = &'a Operation>,
    name: &str,
    service: Service,
    shard: u16,
    sent: Instant,
    failed: bool,
) {
    for origin in operations.filter_map(|operation| operation.trace.as_ref()).filter(|origin| origin.parent.sampled) {
        export::script(origin, sent, name, service.as_str(), shard, failed);
    }
}
