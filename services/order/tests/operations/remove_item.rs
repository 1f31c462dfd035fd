//! Remove an item: one unit of it off an open order's cart.

use shardcart_order::error::{OrderError, Result};
use shardcart_order::orders;
use shardcart_protocol::participant::Refusal;
use shardcart_types::amount::AMOUNT_MAX;
use shardcart_types::ids::OrderId;

use crate::support::{TestOrders, item, order};

async fn remove(orders: &TestOrders, order: &OrderId, line: &str) -> Result<()> {
    orders::remove_item(&orders.shards, order, &item(line), None).await.map(|done| done.value)
}

#[actix_web::test]
async fn remove_item_takes_one_unit_and_the_line_goes_with_the_last() {
    let orders = TestOrders::start().await;
    let order = orders.filled_order().await;

    remove(&orders, &order, "a").await.unwrap();
    assert_eq!(orders.raw.hash(&orders.cart_key(&order)).await["a"], "1 5");
    assert_eq!(orders.field(&order, "total").await, "12");

    remove(&orders, &order, "a").await.unwrap();
    assert!(!orders.raw.hash(&orders.cart_key(&order)).await.contains_key("a"));
    remove(&orders, &order, "b").await.unwrap();
    assert_eq!(orders.field(&order, "total").await, "0");
    assert_eq!(orders.raw.everything().await.len(), 1, "an empty cart has no key");
}

#[actix_web::test]
async fn remove_item_of_what_is_not_in_the_cart_changes_nothing() {
    let orders = TestOrders::start().await;
    let order = orders.filled_order().await;
    let before = orders.raw.everything().await;
    let removed = remove(&orders, &order, "c").await;
    assert!(matches!(removed, Err(OrderError::UnknownItem(_))), "{removed:?}");
    assert_eq!(orders.raw.everything().await, before);
}

#[actix_web::test]
async fn remove_item_from_an_unknown_order_leaves_nothing() {
    let orders = TestOrders::start().await;
    let removed = remove(&orders, &order("17"), "a").await;
    assert!(matches!(removed, Err(OrderError::UnknownOrder(_))), "{removed:?}");
    assert!(orders.raw.everything().await.is_empty());
}

#[actix_web::test]
async fn remove_item_of_units_at_several_prices_keeps_the_total_the_sum_of_the_lines() {
    let orders = TestOrders::start().await;
    let order = orders.order().await;
    for price in [1, 5, 10] {
        orders.add(&order, "a", 1, price).await;
    }
    orders.add(&order, "b", 1, 100).await;
    // 16 for 3: each goes for the mean, rounded down, and the last for what is left.
    for (left, total) in [("2 11", "111"), ("1 6", "106")] {
        remove(&orders, &order, "a").await.unwrap();
        assert_eq!(orders.raw.hash(&orders.cart_key(&order)).await["a"], left);
        assert_eq!(orders.field(&order, "total").await, total);
    }
    remove(&orders, &order, "a").await.unwrap();
    assert_eq!(orders.field(&order, "total").await, "100");
}

#[actix_web::test]
async fn remove_item_at_the_largest_amounts_is_exact() {
    let orders = TestOrders::start().await;
    for (units, price) in [(AMOUNT_MAX, 1), (1, AMOUNT_MAX), (3, AMOUNT_MAX / 3)] {
        let order = orders.order().await;
        orders.add(&order, "a", units, price).await;
        let left = (units - 1) * price;

        remove(&orders, &order, "a").await.unwrap();

        assert_eq!(orders.field(&order, "total").await, left.to_string());
        let line = orders.raw.hash(&orders.cart_key(&order)).await.remove("a");
        let expected = (units > 1).then(|| format!("{} {left}", units - 1));
        assert_eq!(line, expected);
    }
}

#[actix_web::test]
async fn remove_item_while_the_order_is_not_open_is_refused_and_changes_nothing() {
    let orders = TestOrders::start().await;
    let [first, second] = [orders.filled_order().await, orders.filled_order().await];
    let attempts = [orders.begun(&first).await, orders.begun(&second).await];
    let carts = [orders.cart_key(&first), orders.cart_key(&second)];
    let before = [orders.raw.hash(&carts[0]).await, orders.raw.hash(&carts[1]).await];

    let removed = remove(&orders, &first, "a").await;
    assert!(matches!(removed, Err(OrderError::Pending(_))), "pending: {removed:?}");
    orders.abort(&attempts[0], &Refusal::CheckoutAborted).await;
    let removed = remove(&orders, &first, "a").await;
    assert!(matches!(removed, Err(OrderError::Pending(_))), "aborting: {removed:?}");
    orders.decide(&attempts[1]).await;
    let removed = remove(&orders, &second, "a").await;
    assert!(matches!(removed, Err(OrderError::Paid(_))), "paid: {removed:?}");

    assert_eq!([orders.raw.hash(&carts[0]).await, orders.raw.hash(&carts[1]).await], before);
    orders.finish(&attempts[0]).await;
    remove(&orders, &first, "a").await.expect("open again");
}

#[actix_web::test]
async fn remove_item_leaves_an_order_of_a_later_release_alone() {
    let orders = TestOrders::start().await;
    let order = orders.filled_order().await;
    orders.make_newer(&order).await;
    let before = orders.raw.everything().await;
    let removed = remove(&orders, &order, "a").await;
    assert!(matches!(removed, Err(OrderError::Newer(_))), "{removed:?}");
    assert_eq!(orders.raw.everything().await, before);
}
