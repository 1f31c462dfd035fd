//! Take over: an order in flight whose coordinator is late.

use shardcart_order::attempt::{Attempt, Status, TakenOver};
use shardcart_order::orders;
use shardcart_protocol::participant::Refusal;

use crate::support::{TestOrders, item, loads, order, user};

fn assert_nothing(taken: &TakenOver) {
    assert!(matches!(taken, TakenOver::Nothing), "{taken:?}");
}

fn expect_taken(taken: TakenOver) -> Attempt {
    match taken {
        TakenOver::Taken(attempt) => attempt,
        other => panic!("{other:?}"),
    }
}

fn expect_aborting(taken: TakenOver) -> Attempt {
    match taken {
        TakenOver::Aborting(attempt) => attempt,
        other => panic!("{other:?}"),
    }
}

fn assert_same(taken: &Attempt, begun: &Attempt) {
    let lines = |attempt: &Attempt| {
        let mut lines = attempt.lines.clone();
        lines.sort();
        lines
    };
    assert_eq!(taken.tx, begun.tx);
    assert_eq!(taken.deadline_ms, begun.deadline_ms);
    assert_eq!(taken.user, user("u"));
    assert_eq!(taken.total, 17);
    assert_eq!(lines(taken), lines(begun));
    assert_eq!(lines(taken), [(item("a"), 2), (item("b"), 1)]);
}

#[actix_web::test]
async fn take_over_respects_the_lease() {
    let orders = TestOrders::start().await;
    let order = orders.filled_order().await;
    let attempt = orders.begun(&order).await;
    let lease = orders.due_ms(&order).await;
    // Recovery has claimed it: too early.
    orders.set_due(&order, Some(5)).await;

    assert_nothing(&orders.take_over(&order).await);

    assert_eq!(orders.field(&order, "tx").await, attempt.tx.as_str());
    assert_eq!(orders.status(&order).await, "pending");
    assert_eq!(orders.due_ms(&order).await, lease, "due again when the lease is over");
}

#[actix_web::test]
async fn take_over_gives_up_a_pending_attempt_whose_lease_is_over() {
    let orders = TestOrders::start().await;
    let order = orders.filled_order().await;
    let attempt = orders.begun_late(&order).await;
    orders.raw.wait_until_after(attempt.deadline_ms).await;

    let taken = expect_taken(orders.take_over(&order).await);

    assert_same(&taken, &attempt);
    assert_eq!(orders.status(&order).await, "aborting");
    assert_eq!(orders.field(&order, "refusal").await, "checkout_aborted");
    assert!(orders.due_ms(&order).await.is_some(), "in flight until it is settled");
    assert_eq!(orders.decide(&attempt).await.status, Status::Aborting, "its coordinator comes too late");
}

#[actix_web::test]
async fn take_over_does_not_wait_for_a_lease_from_before_the_clock_was_set_back() {
    let orders = TestOrders::start().await;
    let order = orders.filled_order().await;
    let attempt = orders.begun(&order).await;
    let ahead = orders.raw.now_ms().await + 3_600_000;
    orders.set(&order, &[("lease", &ahead.to_string())]).await;

    assert_same(&expect_taken(orders.take_over(&order).await), &attempt);
    assert_eq!(orders.status(&order).await, "aborting");
}

#[actix_web::test]
async fn take_over_repeated_hands_out_the_same_and_takes_it_once() {
    let orders = TestOrders::start().await;
    let order = orders.filled_order().await;
    let attempt = orders.begun_late(&order).await;
    orders.raw.wait_until_after(attempt.deadline_ms).await;
    expect_taken(orders.take_over(&order).await);
    let before = orders.raw.everything().await;
    for _ in 0..2 {
        assert_same(&expect_aborting(orders.take_over(&order).await), &attempt);
    }
    assert_eq!(orders.raw.everything().await, before);
}

#[actix_web::test]
async fn take_over_of_an_aborting_order_keeps_its_refusal_whatever_the_lease() {
    let orders = TestOrders::start().await;
    let order = orders.filled_order().await;
    let attempt = orders.begun(&order).await;
    orders.abort(&attempt, &Refusal::InsufficientCredit).await;
    let before = orders.raw.everything().await;
    assert_same(&expect_aborting(orders.take_over(&order).await), &attempt);
    assert_eq!(orders.raw.everything().await, before);
    assert_eq!(orders.field(&order, "refusal").await, "insufficient_credit");
}

#[actix_web::test]
async fn take_over_of_a_paid_order_hands_it_out_to_be_confirmed() {
    let orders = TestOrders::start().await;
    let order = orders.filled_order().await;
    let attempt = orders.begun(&order).await;
    orders.decide(&attempt).await;
    let before = orders.raw.everything().await;
    match orders.take_over(&order).await {
        TakenOver::Paid(taken) => assert_same(&taken, &attempt),
        other => panic!("{other:?}"),
    }
    assert_eq!(orders.raw.everything().await, before);
}

#[actix_web::test]
async fn take_over_of_an_open_or_missing_order_only_ends_its_flight() {
    let orders = TestOrders::start().await;
    let open = orders.filled_order().await;
    let missing = order("17");
    for order in [&open, &missing] {
        let before = orders.raw.everything().await;
        orders.set_due(order, Some(0)).await;
        assert_nothing(&orders.take_over(order).await);
        assert_eq!(orders.raw.everything().await, before);
    }
}

#[actix_web::test]
async fn take_over_tells_the_incarnation_of_a_foreign_order() {
    let orders = TestOrders::start().await;
    orders::load(&orders.shards, &loads(), 1, 4, 3, 7).await.unwrap();
    let zero = order("0");
    let attempt = orders.begun(&zero).await;
    orders.abort(&attempt, &Refusal::CheckoutAborted).await;
    let taken = expect_aborting(orders.take_over(&zero).await);
    assert_eq!(taken.incarnation, attempt.incarnation);
    assert!(!taken.incarnation.is_empty());
}

#[actix_web::test]
async fn take_over_of_an_empty_cart_hands_out_the_user_all_the_same() {
    let orders = TestOrders::start().await;
    let order = orders.order().await;
    let attempt = orders.begun(&order).await;
    orders.abort(&attempt, &Refusal::CheckoutAborted).await;
    let taken = expect_aborting(orders.take_over(&order).await);
    assert_eq!((taken.user, taken.lines.len()), (user("u"), 0));
}

#[actix_web::test]
async fn take_over_leaves_an_order_of_a_later_release_alone_and_in_flight() {
    let orders = TestOrders::start().await;
    let order = orders.filled_order().await;
    orders.begun_late(&order).await;
    orders.make_newer(&order).await;
    let before = orders.raw.everything().await;
    assert_nothing(&orders.take_over(&order).await);
    assert_eq!(orders.raw.everything().await, before);
}
