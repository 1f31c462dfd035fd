//! Remove: an open order and its cart go; what comes late for it finds nothing, and makes nothing.

use shardcart_order::attempt::{Status, TakenOver};
use shardcart_order::error::{OrderError, Result};
use shardcart_order::orders;
use shardcart_protocol::participant::Refusal;
use shardcart_types::ids::OrderId;

use crate::support::{TestOrders, expect_standing};

async fn remove(orders: &TestOrders, order: &OrderId) -> Result<()> {
    orders::remove(&orders.shards, order, None).await.map(|done| done.value)
}

#[actix_web::test]
async fn remove_leaves_nothing_of_an_open_order() {
    let orders = TestOrders::start().await;
    let order = orders.filled_order().await;
    remove(&orders, &order).await.unwrap();
    assert!(orders.raw.everything().await.is_empty());
    let again = remove(&orders, &order).await;
    assert!(matches!(again, Err(OrderError::UnknownOrder(_))), "{again:?}");
}

#[actix_web::test]
async fn remove_while_the_order_is_not_open_is_refused_and_changes_nothing() {
    let orders = TestOrders::start().await;
    let [first, second] = [orders.filled_order().await, orders.filled_order().await];
    let attempts = [orders.begun(&first).await, orders.begun(&second).await];
    let before = orders.raw.everything().await;
    let removed = remove(&orders, &first).await;
    assert!(matches!(removed, Err(OrderError::Pending(_))), "pending: {removed:?}");
    assert_eq!(orders.raw.everything().await, before);

    orders.abort(&attempts[0], &Refusal::CheckoutAborted).await;
    orders.decide(&attempts[1]).await;
    let before = orders.raw.everything().await;
    let removed = remove(&orders, &first).await;
    assert!(matches!(removed, Err(OrderError::Pending(_))), "aborting: {removed:?}");
    let removed = remove(&orders, &second).await;
    assert!(matches!(removed, Err(OrderError::Paid(_))), "paid: {removed:?}");
    assert_eq!(orders.raw.everything().await, before);
}

#[actix_web::test]
async fn remove_leaves_an_order_of_a_later_release_alone() {
    let orders = TestOrders::start().await;
    let order = orders.filled_order().await;
    orders.make_newer(&order).await;
    let before = orders.raw.everything().await;
    let removed = remove(&orders, &order).await;
    assert!(matches!(removed, Err(OrderError::Newer(_))), "{removed:?}");
    assert_eq!(orders.raw.everything().await, before);
}

#[actix_web::test]
async fn remove_makes_every_late_message_of_an_attempt_find_nothing() {
    let orders = TestOrders::start().await;
    let order = orders.filled_order().await;
    let attempt = orders.begun(&order).await;
    orders.refuse(&attempt, &Refusal::CheckoutAborted).await;
    remove(&orders, &order).await.unwrap();

    let begun = orders.begin(&order, &attempt.tx).await.unwrap();
    assert_eq!(expect_standing(begun).status, Status::Unknown);
    for told in [
        orders.decide(&attempt).await,
        orders.abort(&attempt, &Refusal::UnknownUser).await,
        orders.refuse(&attempt, &Refusal::UnknownUser).await,
        orders.order_status(&order, Some(&attempt.tx)).await.0,
    ] {
        assert_eq!(told.status, Status::Unknown);
    }
    assert_eq!(orders.finish(&attempt).await.status, Status::Unknown);
    let taken = orders.take_over(&order).await;
    assert!(matches!(taken, TakenOver::Nothing), "{taken:?}");
    assert!(orders.raw.everything().await.is_empty());
}
