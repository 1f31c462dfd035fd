//! Many operations in one call do what they do one after the other.

use shardcart_protocol::participant::{Operation, Participant};
use shardcart_types::ids::ItemId;

use crate::support::{Attempt, TestShards, TestStock, assert_alike, item, some_deadline_ms};

/// Units of each item: the usual ones, then one with hardly any, and one of a later release. One more does not exist.
const STOCK: [u64; 5] = [100, 5_000, 5_000, 5, 40];
const USUAL: usize = 3;
const SCARCE: usize = 3;

fn name(place: usize) -> ItemId {
    item(&format!("item-{place}"))
}

async fn fill(stock: &TestStock) {
    for (place, units) in STOCK.into_iter().enumerate() {
        let (key, units) = (stock.key(&name(place)), units.to_string());
        stock.raw.set(&key, &[("price", "1"), ("stock", &units), ("held", "0"), ("net", &units)]).await;
    }
    stock.make_newer(&name(STOCK.len() - 1)).await;
}

/// Now and then gives the scarce item back what was sold of it.
async fn restock(stores: [&TestStock; 2], random: &mut fastrand::Rng) {
    if random.usize(0..12) > 0 {
        return;
    }
    for stock in stores {
        let [units, held] = stock.stock_and_held(&name(SCARCE)).await;
        stock.add(&name(SCARCE), STOCK[SCARCE].saturating_sub(units + held)).await;
    }
}

/// An attempt on one to three items; now and then a late one, or one that wants a scarce or an odd item too.
async fn wanted(stock: &TestStock, random: &mut fastrand::Rng) -> [Operation; 3] {
    let mut places: Vec<usize> = (0..USUAL).collect();
    random.shuffle(&mut places);
    places.truncate(random.usize(1..=USUAL));
    match random.usize(0..8) {
        0 => places.push(random.usize(SCARCE + 1..=STOCK.len())),
        1..4 => places.insert(random.usize(0..=places.len()), SCARCE),
        _ => {}
    }
    let lines: Vec<_> = places.into_iter().map(|place| (name(place), random.u64(1..=6))).collect();
    let deadline_ms = some_deadline_ms(random, stock.raw.now_ms().await);
    let attempt = Attempt::new(stock.tag(), deadline_ms);
    let lines: Vec<(&ItemId, u64)> = lines.iter().map(|(item, units)| (item, *units)).collect();
    [attempt.reserve(&lines), attempt.confirm(), attempt.cancel()]
}

#[actix_web::test]
async fn many_operations_together_do_what_they_do_one_after_the_other() {
    let (together, apart) = (TestStock::start().await, TestStock::start().await);
    fill(&together).await;
    fill(&apart).await;
    let stores: [(&dyn Participant, &TestShards); 2] =
        [(&together.participant, &together), (&apart.participant, &apart)];
    let refusals = ["Busy(InsufficientStock", "Refused(InsufficientStock", "Refused(UnknownItem"];
    assert_alike(stores, &refusals, async |random| {
        restock([&together, &apart], random).await;
        wanted(&together, random).await
    })
    .await;
}
