//! Abort: an attempt is given up, first step of two.

use shardcart_order::attempt::Status;
use shardcart_protocol::participant::Refusal;

use crate::support::{TestOrders, item, under};

#[actix_web::test]
async fn abort_makes_a_pending_order_aborting_and_leaves_it_in_flight() {
    let orders = TestOrders::start().await;
    let order = orders.filled_order().await;
    let attempt = orders.begun(&order).await;
    let due = orders.due_ms(&order).await;
    let refusal = Refusal::UnknownItem(item("a"));

    let truth = orders.abort(&attempt, &refusal).await;

    assert_eq!((truth.status, truth.tx.as_str(), truth.refusal()), (Status::Aborting, attempt.tx.as_str(), refusal));
    assert_eq!(orders.status(&order).await, "aborting");
    assert_eq!(orders.field(&order, "refusal").await, "unknown_item a");
    assert_eq!(orders.due_ms(&order).await, due, "participants have to be told yet");
}

#[actix_web::test]
async fn abort_repeated_keeps_the_first_refusal() {
    let orders = TestOrders::start().await;
    let attempt = orders.begun(&orders.filled_order().await).await;
    orders.abort(&attempt, &Refusal::InsufficientCredit).await;
    let before = orders.raw.everything().await;
    for later in [Refusal::CheckoutAborted, Refusal::InsufficientCredit] {
        let truth = orders.abort(&attempt, &later).await;
        assert_eq!((truth.status, truth.refusal()), (Status::Aborting, Refusal::InsufficientCredit));
    }
    assert_eq!(orders.raw.everything().await, before);

    orders.finish(&attempt).await;
    let truth = orders.abort(&attempt, &Refusal::CheckoutAborted).await;
    assert_eq!((truth.status, truth.refusal()), (Status::Open, Refusal::InsufficientCredit), "also when it is over");
}

#[actix_web::test]
async fn abort_of_a_paid_order_tells_that_it_is_paid_and_changes_nothing() {
    let orders = TestOrders::start().await;
    let attempt = orders.begun(&orders.filled_order().await).await;
    orders.decide(&attempt).await;
    let before = orders.raw.everything().await;
    let truth = orders.abort(&attempt, &Refusal::CheckoutAborted).await;
    assert_eq!((truth.status, truth.tx.as_str(), truth.refusal.as_str()), (Status::Paid, attempt.tx.as_str(), ""));
    assert_eq!(orders.raw.everything().await, before);
}

#[actix_web::test]
async fn abort_of_another_tx_tells_the_truth_and_changes_nothing() {
    let orders = TestOrders::start().await;
    let order = orders.filled_order().await;
    let attempt = orders.begun(&order).await;
    let other = under(&attempt, &orders.later_tx(&order).await);
    let before = orders.raw.everything().await;
    let truth = orders.abort(&other, &Refusal::CheckoutAborted).await;
    assert_eq!((truth.status, truth.tx.as_str()), (Status::Pending, attempt.tx.as_str()));
    assert_eq!(orders.raw.everything().await, before);
}

#[actix_web::test]
async fn abort_leaves_an_order_of_a_later_release_alone() {
    let orders = TestOrders::start().await;
    let order = orders.filled_order().await;
    let attempt = orders.begun(&order).await;
    orders.make_newer(&order).await;
    let before = orders.raw.everything().await;
    let truth = orders.abort(&attempt, &Refusal::CheckoutAborted).await;
    assert_eq!(truth.status, Status::Newer);
    assert_eq!(orders.raw.everything().await, before);
}
