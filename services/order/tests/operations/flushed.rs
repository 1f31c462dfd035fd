//! Scripts that Redis has forgotten: nothing is lost, and nothing done twice.

use shardcart_common::participant::Refusal;
use shardcart_order::attempt::{self, Status};
use shardcart_order::orders;

use crate::support::{TestOrders, item, user};

#[actix_web::test]
async fn every_step_of_an_order_after_a_flush_is_done_once() {
    let orders = TestOrders::start().await;
    let raw = &orders.raw;

    raw.forget_scripts().await;
    let order = orders::create(&orders.shards, &user("u"), None).await.unwrap().value;
    raw.forget_scripts().await;
    orders.add(&order, "a", 3, 5).await;
    raw.forget_scripts().await;
    orders::remove_item(&orders.shards, &order, &item("a"), None).await.unwrap();
    raw.forget_scripts().await;
    assert_eq!(orders::find(&orders.shards, &order).await.unwrap().total, 10);

    raw.forget_scripts().await;
    let first = orders.begun(&order).await;
    raw.forget_scripts().await;
    assert_eq!(orders.refuse(&first, &Refusal::UnknownUser).await.status, Status::Open);
    let second = orders.begun(&order).await;
    raw.forget_scripts().await;
    assert_eq!(orders.abort(&second, &Refusal::UnknownUser).await.status, Status::Aborting);
    raw.forget_scripts().await;
    orders.take_over(&order).await;
    raw.forget_scripts().await;
    orders.finish(&second).await;
    let third = orders.begun(&order).await;
    raw.forget_scripts().await;
    assert_eq!(orders.decide(&third).await.status, Status::Paid);
    raw.forget_scripts().await;
    assert_eq!(orders.standing(&order, None).await.0.status, Status::Paid);
    orders.set_due(&order, Some(0)).await;
    raw.forget_scripts().await;
    let claimed = orders.claim(orders.partition(&order), std::time::Duration::ZERO, 9).await;
    assert_eq!(claimed, [order.as_str()]);
}

#[actix_web::test]
async fn a_pipeline_after_a_flush_ends_every_attempt_once() {
    let orders = TestOrders::start().await;
    let mut attempts = Vec::new();
    for _ in 0..60 {
        let attempt = orders.begun(&orders.filled_order().await).await;
        orders.decide(&attempt).await;
        attempts.push(attempt);
    }
    let calls: Vec<_> =
        attempts.iter().map(|attempt| attempt::finish(&attempt.order, attempt.partition, &attempt.tx)).collect();
    orders.raw.forget_scripts().await;

    let replies = orders.shard().run_all(calls).await.unwrap();

    assert!(replies.iter().all(Result::is_ok), "{replies:?}");
    for attempt in &attempts {
        assert_eq!(orders.due_ms(&attempt.order).await, None);
        assert_eq!(orders.status(&attempt.order).await, "paid");
    }
}
