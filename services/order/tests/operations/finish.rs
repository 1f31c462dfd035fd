//! Finish: an attempt that is settled is no longer in flight.

use shardcart_common::participant::Refusal;
use shardcart_order::attempt::{OrderState, Status};

use crate::support::{TestOrders, under};

fn told(truth: &OrderState) -> (Status, &str, &str) {
    (truth.status, &truth.tx, &truth.refusal)
}

#[actix_web::test]
async fn finish_ends_the_flight_of_a_paid_order_and_it_stays_paid() {
    let orders = TestOrders::start().await;
    let order = orders.filled_order().await;
    let attempt = orders.begun(&order).await;
    orders.decide(&attempt).await;

    assert_eq!(told(&orders.finish(&attempt).await), (Status::Paid, attempt.tx.as_str(), ""));

    assert_eq!(orders.status(&order).await, "paid");
    assert_eq!(orders.due_ms(&order).await, None);
}

#[actix_web::test]
async fn finish_opens_an_aborting_order_with_its_refusal_and_its_tx() {
    let orders = TestOrders::start().await;
    let order = orders.filled_order().await;
    let attempt = orders.begun(&order).await;
    orders.abort(&attempt, &Refusal::UnknownUser).await;

    assert_eq!(told(&orders.finish(&attempt).await), (Status::Open, attempt.tx.as_str(), "unknown_user"));

    assert_eq!(orders.status(&order).await, "open");
    assert_eq!(orders.field(&order, "tx").await, attempt.tx.as_str());
    assert_eq!(orders.due_ms(&order).await, None);
}

#[actix_web::test]
async fn finish_repeated_changes_nothing() {
    let orders = TestOrders::start().await;
    let [paid, aborted] =
        [orders.begun(&orders.filled_order().await).await, orders.begun(&orders.filled_order().await).await];
    orders.decide(&paid).await;
    orders.abort(&aborted, &Refusal::UnknownUser).await;
    for attempt in [&paid, &aborted] {
        orders.finish(attempt).await;
    }
    let before = orders.raw.everything().await;
    for attempt in [&paid, &aborted] {
        orders.finish(attempt).await;
    }
    assert_eq!(orders.raw.everything().await, before);
}

#[actix_web::test]
async fn finish_of_a_pending_order_changes_nothing() {
    let orders = TestOrders::start().await;
    let attempt = orders.begun(&orders.filled_order().await).await;
    let before = orders.raw.everything().await;
    assert_eq!(orders.finish(&attempt).await.status, Status::Pending);
    assert_eq!(orders.raw.everything().await, before);
}

#[actix_web::test]
async fn finish_of_another_tx_changes_nothing() {
    let orders = TestOrders::start().await;
    let order = orders.filled_order().await;
    let old = orders.begun(&order).await;
    orders.refuse(&old, &Refusal::UnknownUser).await;
    let attempt = orders.begun(&order).await;
    let later = under(&attempt, &orders.later_tx(&order).await);
    orders.abort(&attempt, &Refusal::CheckoutAborted).await;
    let before = orders.raw.everything().await;
    for other in [&old, &later] {
        let truth = orders.finish(other).await;
        assert_eq!(told(&truth), (Status::Aborting, attempt.tx.as_str(), "checkout_aborted"));
    }
    assert_eq!(orders.raw.everything().await, before);
}

#[actix_web::test]
async fn finish_leaves_an_order_of_a_later_release_alone() {
    let orders = TestOrders::start().await;
    let order = orders.filled_order().await;
    let attempt = orders.begun(&order).await;
    orders.decide(&attempt).await;
    orders.make_newer(&order).await;
    let before = orders.raw.everything().await;
    assert_eq!(orders.finish(&attempt).await.status, Status::Newer);
    assert_eq!(orders.raw.everything().await, before);
}
