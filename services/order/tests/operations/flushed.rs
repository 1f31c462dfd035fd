//! Scripts that Redis has forgotten: nothing is lost, and nothing done twice.

use shardcart_order::attempt::{self, AttemptRef, Begun, Status};
use shardcart_order::orders;
use shardcart_protocol::participant::Refusal;

use crate::support::{DEADLINE, LEASE, TestOrders, item, user};

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
    assert_eq!(orders.order_status(&order, None).await.0.status, Status::Paid);
    orders.set_due(&order, Some(0)).await;
    raw.forget_scripts().await;
    let claimed = orders.claim(std::time::Duration::ZERO, 9).await;
    assert_eq!(claimed, [order]);
}

#[actix_web::test]
async fn a_call_for_many_after_a_flush_begins_decides_and_ends_every_attempt_once() {
    let orders = TestOrders::start().await;
    let mut named = Vec::new();
    for _ in 0..60 {
        let order = orders.filled_order().await;
        named.push(AttemptRef { shard: orders.shard_of(&order), tx: orders.later_tx(&order).await, order });
    }

    orders.raw.forget_scripts().await;
    let begun = attempt::begin(orders.shard(), &named, LEASE, DEADLINE).await.unwrap();
    assert!(begun.iter().all(|begun| matches!(begun, Ok(Begun::Attempt(_)))), "{begun:?}");
    orders.raw.forget_scripts().await;
    let decided = attempt::decide(orders.shard(), &named).await.unwrap();
    orders.raw.forget_scripts().await;
    let finished = attempt::finish(orders.shard(), &named).await.unwrap();

    for (named, truth) in named.iter().chain(&named).zip(decided.into_iter().chain(finished)) {
        let truth = truth.unwrap();
        assert_eq!((truth.status, truth.tx.as_str()), (Status::Paid, named.tx.as_str()));
    }
    for AttemptRef { order, .. } in &named {
        assert_eq!(orders.due_ms(order).await, None);
        assert_eq!(orders.status(order).await, "paid");
    }
}

#[actix_web::test]
async fn a_pipeline_after_a_flush_takes_over_every_order_once() {
    let orders = TestOrders::start().await;
    let mut attempts = Vec::new();
    for _ in 0..60 {
        attempts.push(orders.begun_late(&orders.filled_order().await).await);
    }
    let calls: Vec<_> = attempts.iter().map(|attempt| attempt::take_over(orders.shard(), &attempt.order)).collect();
    orders.raw.forget_scripts().await;

    let replies = orders.shard().run_all(calls).await.unwrap();

    assert!(replies.iter().all(Result::is_ok), "{replies:?}");
    for attempt in &attempts {
        assert_eq!(orders.status(&attempt.order).await, "aborting");
    }
}
