//! Many operations in one call do what they do one after the other.

use shardcart_common::ids::ItemId;
use shardcart_common::participant::Operation;

use crate::support::{Attempt, TestStock, item};

/// Units of each item; the last but one is of a later release, the last does not exist.
const STOCK: [u64; 5] = [0, 3, 12, 40, 40];
const ATTEMPTS: usize = 14;
const ROUNDS: usize = 60;
const TOGETHER_MAX: usize = 30;

struct Wanted {
    attempt: Attempt,
    lines: Vec<(ItemId, u64)>,
}

impl Wanted {
    fn operation(&self, kind: usize) -> Operation {
        let lines: Vec<(&ItemId, u64)> = self.lines.iter().map(|(item, units)| (item, *units)).collect();
        match kind {
            0 => self.attempt.reserve(&lines),
            1 => self.attempt.confirm(),
            _ => self.attempt.cancel(),
        }
    }
}

fn name(place: usize) -> ItemId {
    item(&format!("item-{place}"))
}

async fn fill(stock: &TestStock) {
    for (place, units) in STOCK.into_iter().enumerate() {
        let (key, units) = (stock.key(&name(place)), units.to_string());
        stock.raw.tell(&["HSET", &key, "price", "1", "stock", &units, "held", "0", "net", &units]).await;
    }
    stock.make_newer(&name(STOCK.len() - 1)).await;
}

/// An attempt on one to three items; now and then a late one, an unknown item, or one of a later release.
async fn wanted(stock: &TestStock, random: &mut fastrand::Rng) -> Wanted {
    let usual = STOCK.len() - 1;
    let mut places: Vec<usize> = (0..usual).collect();
    random.shuffle(&mut places);
    places.truncate(random.usize(1..=3));
    if random.usize(0..8) == 0 {
        places.push(usual + random.usize(0..=1));
    }
    let lines: Vec<_> = places.into_iter().map(|place| (name(place), random.u64(1..=4))).collect();
    let now_ms = stock.raw.now_ms().await;
    // In time; late; or so late that it must have been settled before.
    let deadline_ms = [now_ms - 1_000, now_ms - 100_000, now_ms + 600_000][random.usize(0..8).min(2)];
    Wanted { attempt: Attempt::new(stock.partition(&lines[0].0), deadline_ms), lines }
}

#[actix_web::test]
async fn many_operations_together_do_what_they_do_one_after_the_other() {
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let (together, apart) = (TestStock::start().await, TestStock::start().await);
    fill(&together).await;
    fill(&apart).await;
    let mut all = Vec::new();
    for _ in 0..ATTEMPTS {
        all.push(wanted(&together, &mut random).await);
    }
    for _ in 0..ROUNDS {
        let kind = random.usize(0..3);
        let count = random.usize(1..=TOGETHER_MAX);
        let operations: Vec<Operation> = (0..count).map(|_| all[random.usize(..all.len())].operation(kind)).collect();

        let answers = together.run_all(operations.clone()).await.unwrap();

        for (operation, answer) in operations.iter().zip(answers) {
            assert_eq!(apart.run_all(vec![operation.clone()]).await.unwrap(), [answer], "{operation:?}");
        }
        assert_eq!(together.raw.everything().await, apart.raw.everything().await, "{operations:#?}");
        // A settled attempt makes room for another.
        all[random.usize(..ATTEMPTS)] = wanted(&together, &mut random).await;
    }
}
