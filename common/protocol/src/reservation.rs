//! The frame of a participant: stock and payment reserve, confirm and cancel alike. A batch becomes a few script calls
//! on its shard, in one pipeline.

use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::hash::Hash;
use std::time::Instant;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use shardcart_schema::key;
use shardcart_schema::limit::{CALL_MAX, LINES_MAX, TOMBSTONES_LAST_MS};
use shardcart_schema::reply::Reply;
use shardcart_schema::reservation_record;
use shardcart_store::script::{Call, Script, each, words};
use shardcart_store::shard::Shard;
use shardcart_store::shards::Shards;
use shardcart_telemetry::trace::{self, export};
use shardcart_types::ids::TxId;
use shardcart_types::service::Service;

use crate::participant::{Answer, Batch, Operation, Participant, ParticipantError, Step, Topology};

/// A participant over shards of its own. Reserve, confirm and cancel have one frame, which is here: every such
/// participant is a [`Participant`]. It supplies what differs.
pub trait LocalParticipant {
    /// Which participant it is.
    const SERVICE: Service;

    /// Its shards.
    fn shards(&self) -> &Shards;

    /// The call that reserves for several attempts, made with [`reserve_call`]; `None` if one of the operations is not
    /// for this participant, or not for the shard that it is sent to.
    fn reserve(&self, shard: &Shard, operations: &[&Operation]) -> Option<Call>;

    /// The script that confirms several attempts.
    fn confirm(&self) -> &'static Script;

    /// The script that cancels several attempts.
    fn cancel(&self) -> &'static Script;

    /// Understands a reply that only the reserve script of this participant gives; `rest` stands behind its word.
    fn understand(&self, operation: &Operation, reply: Reply, rest: &str) -> Option<Answer>;
}

impl<P: LocalParticipant> Participant for P {
    fn run(&self, batch: Batch) -> LocalBoxFuture<'_, Result<Vec<Answer>, ParticipantError>> {
        async move { run(self, &batch).await }.boxed_local()
    }

    fn topology(&self) -> LocalBoxFuture<'_, Result<Topology, ParticipantError>> {
        async { Ok(topology(self.shards())) }.boxed_local()
    }

    fn may_have(&self, shard: u16) -> LocalBoxFuture<'_, Result<bool, ParticipantError>> {
        async move { Ok(self.shards().may_have(shard).await) }.boxed_local()
    }
}

/// Records that a call names, each once. A script is told their places, which count from 1.
#[derive(Debug)]
pub struct Places<K> {
    places: HashMap<K, usize>,
    keys: Vec<K>,
}

impl<K: Clone + Eq + Hash> Places<K> {
    /// None yet, with room for so many.
    pub fn with_capacity(capacity: usize) -> Self {
        Places { places: HashMap::with_capacity(capacity), keys: Vec::with_capacity(capacity) }
    }

    /// The place of a record: the next one, if it has none yet.
    pub fn of(&mut self, key: K) -> usize {
        *self.places.entry(key).or_insert_with_key(|key| {
            self.keys.push(key.clone());
            self.keys.len()
        })
    }

    /// The records in the order of their places.
    pub fn keys(&self) -> &[K] {
        &self.keys
    }
}

/// The call that reserves for several attempts: the records' keys, what is wanted of them as doubles, and for each
/// attempt what is kept while it holds something. A participant may add arguments behind these.
pub fn reserve_call<K: Display>(
    shard: &Shard,
    script: &'static Script,
    operations: &[&Operation],
    keys: impl ExactSizeIterator<Item = K>,
    wanted: &[u8],
    kept: &[Vec<u8>],
) -> Call {
    let mut call = call(shard, script, operations, keys.len());
    keys.for_each(|key| call.key(key));
    call.push(operations.len());
    call.push(ends_ms(operations));
    call.push(wanted);
    operations.iter().for_each(|operation| call.push(operation.tx.as_str()));
    kept.iter().for_each(|kept| call.push(&kept[..]));
    call
}

/// A call of one of the scripts. Its first two keys are the reservations of the shard, and the tombstones of the second
/// in which the deadlines of these attempts are; so many others follow.
fn call(shard: &Shard, script: &'static Script, operations: &[&Operation], others: usize) -> Call {
    let second = operations.first().map_or(0, |first| second(first));
    let mut call = script.with_keys(2 + others);
    call.key(key::held(shard.tag()));
    call.key(key::ended(shard.tag(), second));
    call
}

/// When the tombstones of these attempts end, Unix milliseconds: all that lie together end together.
fn ends_ms(operations: &[&Operation]) -> u64 {
    operations.first().map_or(0, |first| (second(first) + 1) * 1_000 + TOMBSTONES_LAST_MS)
}

/// The second of an attempt's deadline, Unix time.
fn second(operation: &Operation) -> u64 {
    operation.deadline_ms / 1_000
}

/// Understands what confirm and cancel answer, and what reserve answers in the same words at every participant.
fn answer(reply: Reply) -> Option<Answer> {
    Some(match reply {
        Reply::Held => Answer::Held,
        Reply::Expired => Answer::Expired,
        Reply::Cancelled => Answer::Cancelled,
        Reply::Confirmed => Answer::Confirmed,
        Reply::Gone => Answer::Gone,
        Reply::Lost => Answer::Lost,
        Reply::Conflict => Answer::Conflict,
        Reply::Newer => Answer::Newer,
        _ => return None,
    })
}

/// How a participant's keys are spread.
fn topology(shards: &Shards) -> Topology {
    Topology { founding: shards.membership().founding(), shards: shards.membership().count() }
}

/// Runs a batch as one pipeline on its shard.
///
/// # Errors
/// - `Misrouted`: the sender routes by another data set; nothing happened.
/// - `Unanswered`: the shard does not answer.
async fn run<P: LocalParticipant>(participant: &P, batch: &Batch) -> Result<Vec<Answer>, ParticipantError> {
    let (service, shards) = (P::SERVICE, participant.shards());
    let founding = shards.membership().founding();
    if batch.founding != founding {
        return Err(ParticipantError::Misrouted { service, topology: topology(shards) });
    }
    let unanswered = |cause: String| ParticipantError::Unanswered { service, cause };
    let shard = shards.shard(batch.shard).map_err(|error| unanswered(error.to_string()))?;
    let (places, calls) = calls(participant, shard, &batch.operations)
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
                    let understood =
                        |(reply, rest)| answer(reply).or_else(|| participant.understand(operation, reply, rest));
                    match Reply::split(word).and_then(understood) {
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

/// The calls for some operations, and the places of the operations that each of them is for.
fn calls<P: LocalParticipant>(
    participant: &P,
    shard: &Shard,
    operations: &[Operation],
) -> Option<(Vec<Vec<usize>>, Vec<Call>)> {
    let places = together(operations);
    let call = |places: &Vec<usize>| {
        let wanted: Vec<&Operation> = places.iter().map(|place| &operations[*place]).collect();
        match Kind::of(wanted.first()?) {
            Kind::Cancel => Some(settle_call(shard, participant.cancel(), &wanted)),
            Kind::Confirm => Some(settle_call(shard, participant.confirm(), &wanted)),
            Kind::Reserve => participant.reserve(shard, &wanted),
        }
    };
    let calls: Option<Vec<Call>> = places.iter().map(call).collect();
    Some((places, calls?))
}

/// What one script call is for. The order matters: cancels and confirms make room for reserves.
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

/// Which operations go into one call: those of the same kind whose deadlines are in the same second, as many as a call
/// may have. Returns their places. Operations of one attempt stay in their order.
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
                if together.len() < CALL_MAX && lines + own <= LINES_MAX && group(together[0]) == group(place) =>
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

/// The call that confirms or cancels several attempts: what is held says what was taken.
fn settle_call(shard: &Shard, script: &'static Script, operations: &[&Operation]) -> Call {
    let mut call = call(shard, script, operations, 0);
    call.push(ends_ms(operations));
    let deadlines: Vec<u8> =
        operations.iter().flat_map(|operation| reservation_record::double(operation.deadline_ms)).collect();
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
