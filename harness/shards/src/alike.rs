//! Many operations in one batch do what they do one after the other.

use std::collections::{BTreeSet, HashSet};

use shardcart_harness::redis::record;
use shardcart_protocol::participant::{Answer, Batch, Operation, Participant, Step};
use shardcart_schema::key;

use crate::shards::TestShards;

const ATTEMPTS: usize = 16;
/// At least so many; more until everything was met.
const ROUNDS: usize = 120;
/// Operations in a batch: usually, and now and then so many that they are more than one call's worth.
const TOGETHER_MAX: [usize; 2] = [30, 300];

/// Answers that are met in every test, besides refusals.
const ANSWERS: [&str; 8] = ["Held", "Expired", "Cancelled", "Confirmed", "Gone", "Lost", "Conflict", "Newer"];

/// Gives the keys of records whose bytes are not those that `set` writes for what they say.
const WRITTEN_OTHERWISE: &str = "
local odd = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
  if layout(key) and not record(key).v then
    local bytes = redis.call('GET', key)
    set(key)
    if redis.call('GET', key) ~= bytes then odd[#odd + 1] = key end
  end
end
return odd";

async fn run(participant: &dyn Participant, operations: Vec<Operation>) -> Vec<Answer> {
    participant.run(Batch { founding: 1, shard: 0, operations }).await.expect("the shard answers")
}

/// A deadline: in time; late; or so late that the attempt must have been settled before. Each lies in one of two or three
/// seconds, so that some share theirs and some do not.
pub fn some_deadline_ms(random: &mut fastrand::Rng, now_ms: u64) -> u64 {
    let whole = [now_ms - 3_000, now_ms - 100_000, now_ms + 600_000][random.usize(0..8).min(2)];
    whole + random.u64(0..1_500)
}

fn second(operation: &Operation) -> u64 {
    operation.deadline_ms / 1000
}

/// The places of a batch's operations in the order in which they are carried out: second by second; and where each is of
/// another attempt, what gives back comes first, and what takes last.
fn order(operations: &[Operation]) -> Vec<usize> {
    let rank = |operation: &Operation| match operation.step {
        Step::Cancel => 0,
        Step::Confirm => 1,
        Step::ReserveStock { .. } | Step::ReserveCredit { .. } => 2,
    };
    let attempts: HashSet<&str> = operations.iter().map(|operation| operation.tx.as_str()).collect();
    let is_repeated = attempts.len() < operations.len();
    let mut places: Vec<usize> = (0..operations.len()).collect();
    places.sort_by_key(|place| {
        let operation = &operations[*place];
        (if is_repeated { 0 } else { rank(operation) }, second(operation))
    });
    places
}

/// Leaves something of a later release on record of an attempt: held for it, or as its tombstone.
async fn leave_newer(on: &TestShards, operation: &Operation, is_held: bool) {
    let (tx, newer) = (operation.tx.as_str(), "2 of a later release");
    if is_held {
        on.raw.tell(&["HSET", &key::held(on.tag()).to_string(), tx, newer]).await;
    } else {
        let (key, end) = (key::ended(on.tag(), second(operation)).to_string(), (second(operation) + 1) * 1000 + 70_000);
        on.raw.tell(&["HSET", &key, tx, newer]).await;
        on.raw.tell(&["PEXPIREAT", &key, &end.to_string()]).await;
    }
}

/// Sends random operations to two stores that hold the same, many in one batch to the first and one by one to the second.
/// Answers and what then lies there are the same. `attempt` makes an attempt: its reserve, its confirm and its cancel. All
/// answers that begin with one of `refusals` have to be met, and some of all kinds in one batch.
pub async fn assert_alike(
    [together, apart]: [(&dyn Participant, &TestShards); 2],
    refusals: &[&str],
    mut attempt: impl AsyncFnMut(&mut fastrand::Rng) -> [Operation; 3],
) {
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut all, mut is_mixed_once) = (Vec::new(), false);
    let mut missing = [&ANSWERS, refusals].concat();
    for _ in 0..ATTEMPTS {
        all.push(attempt(&mut random).await);
    }
    // A server that does not know a script yet does what needs the others first.
    for operation in attempt(&mut random).await {
        for (participant, _) in [together, apart] {
            run(participant, vec![operation.clone()]).await;
        }
    }
    for round in 0..10 * ROUNDS {
        if round >= ROUNDS && missing.is_empty() && is_mixed_once {
            break;
        }
        // All of one kind, or of all kinds.
        let kinds = [0..1, 0..1, 0..1, 1..2, 2..3, 0..3][random.usize(0..6)].clone();
        let operations: Vec<Operation> = if random.usize(0..6) == 0 {
            random.shuffle(&mut all);
            all.iter().map(|attempt| attempt[random.usize(kinds.clone())].clone()).collect()
        } else {
            let most = TOGETHER_MAX[usize::from(random.usize(0..10) == 0)];
            let count = random.usize(1..=most);
            (0..count).map(|_| all[random.usize(..ATTEMPTS)][random.usize(kinds.clone())].clone()).collect()
        };

        let answers = run(together.0, operations.clone()).await;

        for place in order(&operations) {
            let operation = &operations[place];
            let answer = run(apart.0, vec![operation.clone()]).await;
            assert_eq!(answer, answers[place..=place], "{operation:?} in {operations:?}");
        }
        assert_eq!(together.1.raw.everything().await, apart.1.raw.everything().await, "{operations:?}");
        let odd: Vec<String> =
            together.1.raw.ask(&["EVAL", &format!("{}{WRITTEN_OTHERWISE}", *record::SNIPPET), "0"]).await;
        assert!(odd.is_empty(), "{odd:?} are not written as they should be: {operations:?}");
        let told: BTreeSet<String> = answers.iter().map(|answer| format!("{answer:?}")).collect();
        let is_told = |start: &&str| told.iter().any(|answer| answer.starts_with(*start));
        is_mixed_once |= ["Held", "Refused", "Busy"].iter().all(is_told);
        missing.retain(|start| !is_told(start));
        // Others take the place of some: of settled ones alone, nothing would be left to settle together.
        for old in &mut all {
            if random.usize(0..3) == 0 {
                *old = attempt(&mut random).await;
            }
        }
        if random.usize(0..4) == 0 {
            let (place, is_held) = (random.usize(..ATTEMPTS), random.bool());
            leave_newer(together.1, &all[place][0], is_held).await;
            leave_newer(apart.1, &all[place][0], is_held).await;
        }
    }
    assert!(missing.is_empty(), "never answered: {missing:?}");
    assert!(is_mixed_once, "no batch was held in part, refused in part, and in part to wait");
}
