//! A shard at `maxmemory`: nothing new begins, and what has begun can end.

use std::time::Duration;

use shardcart_order::attempt::{Status, TakenOver};
use shardcart_order::error::OrderError;
use shardcart_order::orders;
use shardcart_protocol::participant::Refusal;
use shardcart_store::shard_error::ShardError;

use crate::support::{TestOrders, item, loads, quantity};

#[actix_web::test]
async fn begin_on_a_full_shard_is_surely_not_done() {
    let orders = TestOrders::start().await;
    let order = orders.filled_order().await;
    let tx = orders.later_tx(&order).await;
    let before = orders.raw.everything().await;
    orders.raw.fill().await;

    let begun = orders.begin(&order, &tx).await;

    assert!(matches!(begun, Err(ShardError::Refused { .. })), "{begun:?}");
    assert_eq!(orders.raw.everything().await, before);
    orders.raw.make_room().await;
    orders.begin(&order, &tx).await.unwrap();
}

#[actix_web::test]
async fn carts_are_not_filled_on_a_full_shard_but_emptied() {
    let orders = TestOrders::start().await;
    let order = orders.filled_order().await;
    let before = orders.raw.everything().await;
    orders.raw.fill().await;

    let added = orders::add_item(&orders.shards, &order, &item("a"), quantity(1), 5, None).await;
    assert!(matches!(added, Err(OrderError::Shard(ShardError::Refused { .. }))), "{added:?}");
    let loaded = orders::load(&orders.shards, &loads(), 3, 4, 3, 7).await;
    assert!(loaded.is_err());
    assert_eq!(orders.raw.everything().await, before);

    orders::remove_item(&orders.shards, &order, &item("a"), None).await.unwrap();
    assert_eq!(orders.field(&order, "total").await, "12");
    orders::remove(&orders.shards, &order, None).await.unwrap();
    assert!(orders.raw.everything().await.is_empty());
}

#[actix_web::test]
async fn every_end_of_an_attempt_works_on_a_full_shard_that_has_forgotten_its_scripts() {
    let orders = TestOrders::start().await;
    let mut filled = Vec::new();
    for _ in 0..4 {
        filled.push(orders.filled_order().await);
    }
    let [paid, aborted, refused, late] = [
        orders.begun(&filled[0]).await,
        orders.begun(&filled[1]).await,
        orders.begun(&filled[2]).await,
        orders.begun_late(&filled[3]).await,
    ];
    orders.raw.wait_until_after(late.deadline_ms).await;
    orders.raw.fill().await;
    orders.raw.forget_scripts().await;

    assert_eq!(orders.decide(&paid).await.status, Status::Paid);
    assert_eq!(orders.abort(&aborted, &Refusal::UnknownUser).await.status, Status::Aborting);
    assert_eq!(orders.refuse(&refused, &Refusal::UnknownUser).await.status, Status::Open);
    let claimed = orders.claim(Duration::from_secs(9), 9).await;
    assert_eq!(claimed, std::slice::from_ref(&late.order));
    let taken = orders.take_over(&late.order).await;
    assert!(matches!(taken, TakenOver::Taken(_)), "{taken:?}");
    orders.set_due(&paid.order, None).await;
    orders.order_status(&paid.order, Some(&paid.tx)).await;
    assert_eq!(orders.due_ms(&paid.order).await, Some(0), "what is lost from sight is found again");
    for attempt in [&paid, &aborted, &late] {
        orders.finish(attempt).await;
        assert_eq!(orders.due_ms(&attempt.order).await, None);
    }
    let statuses = [
        orders.status(&filled[0]).await,
        orders.status(&filled[1]).await,
        orders.status(&filled[2]).await,
        orders.status(&filled[3]).await,
    ];
    assert_eq!(statuses, ["paid", "open", "open", "open"]);
}
