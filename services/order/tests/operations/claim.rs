//! Claim: what recovery should look at, each for one machine at a time.

use std::time::Duration;

use shardcart_common::ids::{OrderId, Partition, now_ms};

use crate::support::TestOrders;

const HOLD: Duration = Duration::from_secs(100);
const MANY: usize = 128;
const AT: Partition = Partition(3);

async fn in_flight(orders: &TestOrders, due_ms: u64) -> OrderId {
    let order = OrderId::mint(AT, now_ms());
    orders.set_due(&order, Some(due_ms)).await;
    order
}

#[actix_web::test]
async fn claim_takes_what_is_due_and_moves_its_due_time_on() {
    let orders = TestOrders::start().await;
    let now = orders.raw.now_ms().await;
    let [lost, due, later] =
        [in_flight(&orders, 0).await, in_flight(&orders, now - 1).await, in_flight(&orders, now + 60_000).await];

    let claimed = orders.claim(AT, HOLD, MANY).await;

    let after = orders.raw.now_ms().await;
    assert_eq!(claimed, [lost.as_str(), due.as_str()]);
    for order in [&lost, &due] {
        let moved = orders.due_ms(order).await.unwrap();
        assert!((now + 100_000..=after + 100_000).contains(&moved), "{moved}");
    }
    assert_eq!(orders.due_ms(&later).await, Some(now + 60_000));
}

#[actix_web::test]
async fn claim_takes_what_was_written_before_the_clock_was_set_back() {
    let orders = TestOrders::start().await;
    let now = orders.raw.now_ms().await;
    let (ahead, soon) = (in_flight(&orders, now + 3_600_000).await, in_flight(&orders, now + 60_000).await);

    assert_eq!(orders.claim(AT, HOLD, MANY).await, [ahead.as_str()]);
    assert!(orders.due_ms(&ahead).await.unwrap() <= orders.raw.now_ms().await + 100_000);
    assert_eq!(orders.due_ms(&soon).await, Some(now + 60_000));
}

#[actix_web::test]
async fn claim_repeated_leaves_others_what_they_claimed() {
    let orders = TestOrders::start().await;
    let order = in_flight(&orders, 0).await;
    assert_eq!(orders.claim(AT, HOLD, MANY).await, [order.as_str()]);
    let before = orders.raw.everything().await;
    assert!(orders.claim(AT, HOLD, MANY).await.is_empty());
    assert_eq!(orders.raw.everything().await, before);
}

#[actix_web::test]
async fn claim_gives_what_was_not_settled_in_time_to_another() {
    let orders = TestOrders::start().await;
    let order = in_flight(&orders, 0).await;
    orders.claim(AT, Duration::ZERO, MANY).await;
    assert_eq!(orders.claim(AT, HOLD, MANY).await, [order.as_str()]);
}

#[actix_web::test]
async fn claim_takes_the_longest_due_first_and_no_more_than_asked() {
    let orders = TestOrders::start().await;
    let mut due = Vec::new();
    for ago in (1..=10).rev() {
        due.push(in_flight(&orders, orders.raw.now_ms().await - ago * 1000).await.to_string());
    }
    assert_eq!(orders.claim(AT, HOLD, 4).await, due[..4]);
    assert_eq!(orders.claim(AT, HOLD, 4).await, due[4..8]);
    assert_eq!(orders.claim(AT, HOLD, 4).await, due[8..]);
}

#[actix_web::test]
async fn claim_by_many_at_once_gives_each_order_to_one() {
    let orders = TestOrders::start().await;
    let mut due = Vec::new();
    for _ in 0..40 {
        due.push(in_flight(&orders, 0).await.to_string());
    }
    let claims = futures_util::future::join_all((0..10).map(|_| orders.claim(AT, HOLD, 7))).await;
    let mut claimed = claims.concat();
    claimed.sort();
    due.sort();
    assert_eq!(claimed, due);
}

#[actix_web::test]
async fn claim_where_nothing_is_in_flight_leaves_nothing() {
    let orders = TestOrders::start().await;
    in_flight(&orders, 0).await;
    let before = orders.raw.everything().await;
    assert!(orders.claim(Partition(4), HOLD, MANY).await.is_empty(), "another partition");
    assert_eq!(orders.raw.everything().await, before);
}
