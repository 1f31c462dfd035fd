//! Refuse: an attempt for which nobody holds anything is given up in one step.

use shardcart_order::attempt::Status;
use shardcart_protocol::participant::Refusal;

use crate::support::{TestOrders, item, under};

#[actix_web::test]
async fn refuse_opens_a_pending_order_with_the_refusal_and_ends_its_flight() {
    let orders = TestOrders::start().await;
    let order = orders.filled_order().await;
    let attempt = orders.begun(&order).await;
    let refusal = Refusal::InsufficientStock(item("b"));

    let truth = orders.refuse(&attempt, &refusal).await;

    assert_eq!((truth.status, truth.tx.as_str(), truth.refusal()), (Status::Open, attempt.tx.as_str(), refusal));
    assert_eq!(orders.status(&order).await, "open");
    assert_eq!(orders.field(&order, "tx").await, attempt.tx.as_str(), "it keeps its last tx");
    assert_eq!(orders.due_ms(&order).await, None);
}

#[actix_web::test]
async fn refuse_keeps_every_refusal_as_it_was_given() {
    let orders = TestOrders::start().await;
    let order = orders.filled_order().await;
    for refusal in [
        Refusal::UnknownItem(item("a")),
        Refusal::InsufficientStock(item("A.b-c_9")),
        Refusal::UnknownUser,
        Refusal::AlreadyPaid,
        Refusal::InsufficientCredit,
        Refusal::CheckoutAborted,
    ] {
        let attempt = orders.begun(&order).await;
        orders.refuse(&attempt, &refusal).await;
        assert_eq!(orders.order_status(&order, None).await.0.refusal(), refusal);
    }
}

#[actix_web::test]
async fn refuse_repeated_keeps_the_first_refusal() {
    let orders = TestOrders::start().await;
    let attempt = orders.begun(&orders.filled_order().await).await;
    orders.refuse(&attempt, &Refusal::UnknownUser).await;
    let before = orders.raw.everything().await;
    let truth = orders.refuse(&attempt, &Refusal::CheckoutAborted).await;
    assert_eq!((truth.status, truth.refusal()), (Status::Open, Refusal::UnknownUser));
    assert_eq!(orders.raw.everything().await, before);
}

#[actix_web::test]
async fn refuse_of_an_attempt_that_recovery_is_giving_up_leaves_it_to_recovery() {
    let orders = TestOrders::start().await;
    let attempt = orders.begun(&orders.filled_order().await).await;
    orders.abort(&attempt, &Refusal::CheckoutAborted).await;
    let before = orders.raw.everything().await;
    let truth = orders.refuse(&attempt, &Refusal::UnknownUser).await;
    assert_eq!((truth.status, truth.refusal()), (Status::Aborting, Refusal::CheckoutAborted));
    assert_eq!(orders.raw.everything().await, before);
}

#[actix_web::test]
async fn refuse_of_a_paid_order_changes_nothing() {
    let orders = TestOrders::start().await;
    let attempt = orders.begun(&orders.filled_order().await).await;
    orders.decide(&attempt).await;
    let before = orders.raw.everything().await;
    assert_eq!(orders.refuse(&attempt, &Refusal::UnknownUser).await.status, Status::Paid);
    assert_eq!(orders.raw.everything().await, before);
}

#[actix_web::test]
async fn refuse_of_an_old_attempt_does_not_end_a_new_one() {
    let orders = TestOrders::start().await;
    let order = orders.filled_order().await;
    let old = orders.begun(&order).await;
    orders.refuse(&old, &Refusal::UnknownUser).await;
    let new = orders.begun(&order).await;
    let before = orders.raw.everything().await;
    for refused in [&old, &under(&new, &orders.later_tx(&order).await)] {
        let truth = orders.refuse(refused, &Refusal::UnknownUser).await;
        assert_eq!((truth.status, truth.tx.as_str()), (Status::Pending, new.tx.as_str()));
    }
    assert_eq!(orders.raw.everything().await, before);
}

#[actix_web::test]
async fn refuse_leaves_an_order_of_a_later_release_alone() {
    let orders = TestOrders::start().await;
    let order = orders.filled_order().await;
    let attempt = orders.begun(&order).await;
    orders.make_newer(&order).await;
    let before = orders.raw.everything().await;
    assert_eq!(orders.refuse(&attempt, &Refusal::UnknownUser).await.status, Status::Newer);
    assert_eq!(orders.raw.everything().await, before);
}
