//! Decide: the one write that commits an attempt.

use shardcart_order::attempt::Status;
use shardcart_protocol::participant::Refusal;

use crate::support::{TestOrders, under};

#[actix_web::test]
async fn decide_makes_a_pending_order_paid_and_leaves_it_in_flight() {
    let orders = TestOrders::start().await;
    let order = orders.filled_order().await;
    let attempt = orders.begun(&order).await;
    let due = orders.due_ms(&order).await;

    let truth = orders.decide(&attempt).await;

    assert_eq!((truth.status, truth.tx.as_str()), (Status::Paid, attempt.tx.as_str()));
    assert_eq!(orders.status(&order).await, "paid");
    assert_eq!(orders.due_ms(&order).await, due, "participants have to be told yet");
}

#[actix_web::test]
async fn decide_repeated_answers_paid_and_changes_nothing() {
    let orders = TestOrders::start().await;
    let attempt = orders.begun(&orders.filled_order().await).await;
    orders.decide(&attempt).await;
    for settled in [false, true] {
        if settled {
            orders.finish(&attempt).await;
        }
        let before = orders.raw.everything().await;
        for _ in 0..2 {
            assert_eq!(orders.decide(&attempt).await.status, Status::Paid);
        }
        assert_eq!(orders.raw.everything().await, before);
    }
}

#[actix_web::test]
async fn decide_never_looks_at_clocks() {
    let orders = TestOrders::start().await;
    let attempt = orders.begun_late(&orders.filled_order().await).await;
    orders.raw.wait_until_after(attempt.deadline_ms).await;
    assert_eq!(orders.decide(&attempt).await.status, Status::Paid);
}

#[actix_web::test]
async fn decide_of_another_tx_tells_the_truth_and_changes_nothing() {
    let orders = TestOrders::start().await;
    let order = orders.filled_order().await;
    let attempt = orders.begun(&order).await;
    let other = under(&attempt, &orders.later_tx(&order).await);
    let before = orders.raw.everything().await;
    let truth = orders.decide(&other).await;
    assert_eq!((truth.status, truth.tx.as_str()), (Status::Pending, attempt.tx.as_str()));
    assert_eq!(orders.raw.everything().await, before);
}

#[actix_web::test]
async fn decide_of_an_attempt_that_is_given_up_tells_its_refusal() {
    let orders = TestOrders::start().await;
    let attempt = orders.begun(&orders.filled_order().await).await;
    orders.abort(&attempt, &Refusal::InsufficientCredit).await;
    let before = orders.raw.everything().await;
    let truth = orders.decide(&attempt).await;
    assert_eq!((truth.status, truth.refusal()), (Status::Aborting, Refusal::InsufficientCredit));
    assert_eq!(orders.raw.everything().await, before);

    orders.finish(&attempt).await;
    let before = orders.raw.everything().await;
    let truth = orders.decide(&attempt).await;
    assert_eq!((truth.status, truth.refusal()), (Status::Open, Refusal::InsufficientCredit));
    assert_eq!(orders.raw.everything().await, before);
}

#[actix_web::test]
async fn decide_of_an_old_attempt_does_not_pay_for_a_new_one() {
    let orders = TestOrders::start().await;
    let order = orders.filled_order().await;
    let old = orders.begun(&order).await;
    orders.refuse(&old, &Refusal::CheckoutAborted).await;
    let new = orders.begun(&order).await;
    let truth = orders.decide(&old).await;
    assert_eq!((truth.status, truth.tx.as_str()), (Status::Pending, new.tx.as_str()));
    assert_eq!(orders.status(&order).await, "pending");
}

#[actix_web::test]
async fn decide_leaves_an_order_of_a_later_release_alone() {
    let orders = TestOrders::start().await;
    let order = orders.filled_order().await;
    let attempt = orders.begun(&order).await;
    orders.make_newer(&order).await;
    let before = orders.raw.everything().await;
    assert_eq!(orders.decide(&attempt).await.status, Status::Newer);
    assert_eq!(orders.raw.everything().await, before);
}
