//! Many operations in one call do what they do one after the other. The tests of participants share this file.

use shardcart_common::participant::{Answer, Batch, Operation, Participant};

use super::shards::Raw;

const ATTEMPTS: usize = 16;
const ROUNDS: usize = 90;
const TOGETHER_MAX: usize = 30;

async fn run(participant: &dyn Participant, operations: Vec<Operation>) -> Vec<Answer> {
    participant.run(Batch { founding: 1, shard: 0, operations }).await.expect("the shard answers")
}

/// Sends random operations to two stores that hold the same, many in one call to the first and one by one to the second.
/// Answers and what then lies there are the same. `attempt` makes an attempt: its reserve, its confirm and its cancel.
pub async fn assert_alike(
    [together, apart]: [(&dyn Participant, &Raw); 2],
    mut attempt: impl AsyncFnMut(&mut fastrand::Rng) -> [Operation; 3],
) {
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut all = Vec::new();
    for _ in 0..ATTEMPTS {
        all.push(attempt(&mut random).await);
    }
    for _ in 0..ROUNDS {
        let kind = random.usize(0..3);
        let count = random.usize(1..=TOGETHER_MAX);
        let operations: Vec<Operation> = (0..count).map(|_| all[random.usize(..ATTEMPTS)][kind].clone()).collect();

        let answers = run(together.0, operations.clone()).await;

        for (operation, answer) in operations.iter().zip(answers) {
            assert_eq!(run(apart.0, vec![operation.clone()]).await, [answer], "{operation:?}");
        }
        assert_eq!(together.1.everything().await, apart.1.everything().await, "{operations:#?}");
        // Others take the place of some: of settled ones alone, nothing would be left to settle together.
        for old in &mut all {
            if random.usize(0..4) == 0 {
                *old = attempt(&mut random).await;
            }
        }
    }
}
