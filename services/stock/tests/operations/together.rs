//! Many operations in one call do what they do one after the other.

use shardcart_common::ids::ItemId;
use shardcart_common::participant::{Operation, Participant};

use crate::support::{Attempt, Raw, TestStock, assert_alike, item};

/// Units of each item: the usual ones, then one with hardly any and one of a later release. One more does not exist.
const STOCK: [u64; 5] = [100, 5_000, 5_000, 5, 40];
const USUAL: usize = 3;

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

/// An attempt on one to three items; now and then a late one, or one that wants an odd item too.
async fn wanted(stock: &TestStock, random: &mut fastrand::Rng) -> [Operation; 3] {
    let mut places: Vec<usize> = (0..USUAL).collect();
    random.shuffle(&mut places);
    places.truncate(random.usize(1..=USUAL));
    if random.usize(0..4) == 0 {
        places.push(random.usize(USUAL..=STOCK.len()));
    }
    let lines: Vec<_> = places.into_iter().map(|place| (name(place), random.u64(1..=4))).collect();
    let now_ms = stock.raw.now_ms().await;
    // In time; late; or so late that it must have been settled before.
    let deadline_ms = [now_ms - 1_000, now_ms - 100_000, now_ms + 600_000][random.usize(0..8).min(2)];
    let attempt = Attempt::new(stock.partition(&lines[0].0), deadline_ms);
    let lines: Vec<(&ItemId, u64)> = lines.iter().map(|(item, units)| (item, *units)).collect();
    [attempt.reserve(&lines), attempt.confirm(), attempt.cancel()]
}

#[actix_web::test]
async fn many_operations_together_do_what_they_do_one_after_the_other() {
    let (together, apart) = (TestStock::start().await, TestStock::start().await);
    fill(&together).await;
    fill(&apart).await;
    let stores: [(&dyn Participant, &Raw); 2] =
        [(&together.participant, &together.raw), (&apart.participant, &apart.raw)];
    assert_alike(stores, async |random| wanted(&together, random).await).await;
}
