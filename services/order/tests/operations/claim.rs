//! Claim: what recovery should look at, each for one machine at a time.

use std::time::Duration;

use shardcart_types::ids::{OrderId, now_ms};

use crate::support::{Raw, TestOrders};

const HOLD: Duration = Duration::from_secs(100);
const MANY: usize = 128;

/// An order of shard 0.
fn some_order() -> OrderId {
    OrderId::mint(0, now_ms())
}

async fn in_flight(orders: &TestOrders, due_ms: u64) -> OrderId {
    let order = some_order();
    orders.set_due(&order, Some(due_ms)).await;
    order
}

#[actix_web::test]
async fn claim_takes_what_is_due_and_moves_its_due_time_on() {
    let orders = TestOrders::start().await;
    let now = orders.raw.now_ms().await;
    let [lost, due, later] =
        [in_flight(&orders, 0).await, in_flight(&orders, now - 1).await, in_flight(&orders, now + 60_000).await];

    let claimed = orders.claim(HOLD, MANY).await;

    let after = orders.raw.now_ms().await;
    for order in [&lost, &due] {
        let moved = orders.due_ms(order).await.unwrap();
        assert!((now + 100_000..=after + 100_000).contains(&moved), "{moved}");
    }
    assert_eq!(orders.due_ms(&later).await, Some(now + 60_000));
    assert_eq!(claimed, [lost, due]);
}

#[actix_web::test]
async fn claim_takes_what_was_written_before_the_clock_was_set_back() {
    let orders = TestOrders::start().await;
    let now = orders.raw.now_ms().await;
    let (ahead, soon) = (in_flight(&orders, now + 3_600_000).await, in_flight(&orders, now + 60_000).await);

    assert_eq!(orders.claim(HOLD, MANY).await, std::slice::from_ref(&ahead));
    assert!(orders.due_ms(&ahead).await.unwrap() <= orders.raw.now_ms().await + 100_000);
    assert_eq!(orders.due_ms(&soon).await, Some(now + 60_000));
}

#[actix_web::test]
async fn claim_repeated_leaves_others_what_they_claimed() {
    let orders = TestOrders::start().await;
    let order = in_flight(&orders, 0).await;
    assert_eq!(orders.claim(HOLD, MANY).await, [order]);
    let before = orders.raw.everything().await;
    assert!(orders.claim(HOLD, MANY).await.is_empty());
    assert_eq!(orders.raw.everything().await, before);
}

#[actix_web::test]
async fn claim_gives_what_was_not_settled_in_time_to_another() {
    let orders = TestOrders::start().await;
    let order = in_flight(&orders, 0).await;
    orders.claim(Duration::ZERO, MANY).await;
    assert_eq!(orders.claim(HOLD, MANY).await, [order]);
}

#[actix_web::test]
async fn claim_takes_the_longest_due_first_and_no_more_than_asked() {
    let orders = TestOrders::start().await;
    let mut due = Vec::new();
    for ago in (1..=10).rev() {
        due.push(in_flight(&orders, orders.raw.now_ms().await - ago * 1000).await);
    }
    assert_eq!(orders.claim(HOLD, 4).await, due[..4]);
    assert_eq!(orders.claim(HOLD, 4).await, due[4..8]);
    assert_eq!(orders.claim(HOLD, 4).await, due[8..]);
}

#[actix_web::test]
async fn claim_by_many_at_once_gives_each_order_to_one() {
    let orders = TestOrders::start().await;
    let mut due = Vec::new();
    for _ in 0..40 {
        due.push(in_flight(&orders, 0).await);
    }
    let claims = futures_util::future::join_all((0..10).map(|_| orders.claim(HOLD, 7))).await;
    let mut claimed = claims.concat();
    claimed.sort();
    due.sort();
    assert_eq!(claimed, due);
}

#[actix_web::test]
async fn claim_where_nothing_is_in_flight_leaves_nothing() {
    let orders = TestOrders::start_many(2).await;
    let here = in_flight(&orders, 0).await;
    let (other, raw) = (orders.shards.shard(1).unwrap(), Raw::of(&orders.servers[1]).await);
    let before = orders.raw.everything().await;
    assert!(orders.claim_on(other, HOLD, MANY).await.is_empty(), "another shard");
    assert_eq!(orders.raw.everything().await, before);
    assert!(raw.everything().await.is_empty());

    let there = OrderId::mint(1, now_ms());
    raw.tell(&["ZADD", &orders.inflight_key(&there), "0", &orders.key(&there)]).await;
    assert_eq!(orders.claim_on(other, HOLD, MANY).await, [there]);
    assert_eq!(orders.claim(HOLD, MANY).await, [here]);
}

#[actix_web::test]
async fn claim_takes_a_whole_shard_and_passes_over_what_is_no_orders_key() {
    let orders = TestOrders::start().await;
    let mut due = Vec::new();
    for place in 0..16 {
        let order = OrderId::mint(0, now_ms());
        orders.set_due(&order, Some(place)).await;
        due.push(order);
    }
    for stranger in ["17", "{o0ahjy}:cart:17", "{o0ahjy}:order:", "{o0ahjy}:order:no id"] {
        orders.raw.tell(&["ZADD", &orders.inflight_key(&due[0]), "0", stranger]).await;
    }
    assert_eq!(orders.claim(HOLD, MANY).await, due);
}
