//! Add an item: units of it into an open order's cart, at the price quoted now.

use futures_util::future::join_all;
use shardcart_common::amount::AMOUNT_MAX;
use shardcart_common::ids::OrderId;
use shardcart_common::participant::Refusal;
use shardcart_order::error::{OrderError, Result};
use shardcart_order::orders;
use shardcart_schema::limit::LINES_MAX;

use crate::support::{TestOrders, item, order, quantity};

async fn add(orders: &TestOrders, order: &OrderId, line: &str, units: u64, price: u64) -> Result<()> {
    orders::add_item(&orders.shards, order, &item(line), quantity(units), price, None).await.map(|done| done.value)
}

#[actix_web::test]
async fn add_item_adds_units_and_their_sum() {
    let orders = TestOrders::start().await;
    let order = orders.order().await;

    add(&orders, &order, "a", 2, 5).await.unwrap();
    // The price has changed since: each unit costs what was quoted for it.
    add(&orders, &order, "a", 1, 9).await.unwrap();
    add(&orders, &order, "b", 4, 0).await.unwrap();

    let cart = orders.raw.hash(&orders.cart_key(&order)).await;
    assert_eq!(cart["a"], "3 19");
    assert_eq!(cart["b"], "4 0");
    assert_eq!(orders.field(&order, "total").await, "19");
}

#[actix_web::test]
async fn add_item_to_an_unknown_order_leaves_nothing() {
    let orders = TestOrders::start().await;
    let added = add(&orders, &order("17"), "a", 1, 5).await;
    assert!(matches!(added, Err(OrderError::UnknownOrder(_))), "{added:?}");
    assert!(orders.raw.everything().await.is_empty());
}

#[actix_web::test]
async fn add_item_while_the_order_is_not_open_is_refused_and_changes_nothing() {
    let orders = TestOrders::start().await;
    let [first, second] = [orders.filled_order().await, orders.filled_order().await];
    let attempts = [orders.begun(&first).await, orders.begun(&second).await];

    let added = add(&orders, &first, "a", 1, 5).await;
    assert!(matches!(added, Err(OrderError::Pending(_))), "pending: {added:?}");
    orders.abort(&attempts[0], &Refusal::CheckoutAborted).await;
    orders.decide(&attempts[1]).await;
    let before = orders.raw.everything().await;
    let added = add(&orders, &first, "c", 1, 5).await;
    assert!(matches!(added, Err(OrderError::Pending(_))), "aborting: {added:?}");
    let added = add(&orders, &second, "a", 1, 5).await;
    assert!(matches!(added, Err(OrderError::Paid(_))), "paid: {added:?}");
    orders.finish(&attempts[1]).await;
    let added = add(&orders, &second, "a", 1, 5).await;
    assert!(matches!(added, Err(OrderError::Paid(_))), "settled: {added:?}");
    orders.set_due(&second, Some(0)).await;
    for (key, text) in orders.raw.everything().await {
        if !key.ends_with("inflight") {
            assert_eq!(before.get(&key), Some(&text));
        }
    }

    orders.finish(&attempts[0]).await;
    add(&orders, &first, "a", 1, 5).await.expect("open again");
}

#[actix_web::test]
async fn add_item_fills_a_cart_to_its_last_line_and_no_further() {
    let orders = TestOrders::start().await;
    let order = orders.order().await;
    let lines: Vec<String> = (0..LINES_MAX).map(|line| line.to_string()).collect();
    let added = join_all(lines.iter().map(|line| add(&orders, &order, line, 1, 1))).await;
    assert!(added.iter().all(Result::is_ok), "{added:?}");

    let added = add(&orders, &order, "one_more", 1, 1).await;
    assert!(matches!(added, Err(OrderError::TooLarge(_))), "{added:?}");
    add(&orders, &order, "999", 1, 1).await.expect("a line that is there takes more");

    let found = orders::find(&orders.shards, &order).await.unwrap();
    assert_eq!((found.items.len(), found.total), (LINES_MAX, LINES_MAX as u64 + 1));
}

#[actix_web::test]
async fn add_item_keeps_units_and_total_within_the_range_of_amounts_exactly() {
    let orders = TestOrders::start().await;
    let order = orders.order().await;

    add(&orders, &order, "a", AMOUNT_MAX - 1, 1).await.unwrap();
    for (line, units, price) in [("a", 2, 0), ("b", 2, 1), ("b", 1, 2), ("b", AMOUNT_MAX, AMOUNT_MAX)] {
        let added = add(&orders, &order, line, units, price).await;
        assert!(matches!(added, Err(OrderError::OutOfRange)), "{units} at {price}: {added:?}");
    }
    add(&orders, &order, "a", 1, 1).await.unwrap();
    add(&orders, &order, "b", AMOUNT_MAX, 0).await.unwrap();

    let cart = orders.raw.hash(&orders.cart_key(&order)).await;
    assert_eq!(cart["a"], format!("{AMOUNT_MAX} {AMOUNT_MAX}"));
    assert_eq!(cart["b"], format!("{AMOUNT_MAX} 0"));
    assert_eq!(orders.field(&order, "total").await, AMOUNT_MAX.to_string());
}

#[actix_web::test]
async fn add_item_keeps_large_numbers_whole() {
    let orders = TestOrders::start().await;
    let order = orders.order().await;
    // 10^15 and beyond is where a careless number turns into `1e+15`.
    add(&orders, &order, "a", 1_000_000_000_000_000, 1).await.unwrap();
    add(&orders, &order, "b", 3, 1_000_000_000_000_000).await.unwrap();
    let cart = orders.raw.hash(&orders.cart_key(&order)).await;
    assert_eq!(cart["a"], "1000000000000000 1000000000000000");
    assert_eq!(cart["b"], "3 3000000000000000");
    assert_eq!(orders.field(&order, "total").await, "4000000000000000");
}

#[actix_web::test]
async fn add_item_leaves_an_order_of_a_later_release_alone() {
    let orders = TestOrders::start().await;
    let order = orders.filled_order().await;
    orders.make_newer(&order).await;
    let before = orders.raw.everything().await;
    let added = add(&orders, &order, "a", 1, 5).await;
    assert!(matches!(added, Err(OrderError::Newer(_))), "{added:?}");
    assert_eq!(orders.raw.everything().await, before);
}

#[actix_web::test]
async fn add_item_by_many_at_once_loses_nothing() {
    let orders = TestOrders::start().await;
    let order = orders.order().await;
    let added = join_all((1..=50).map(|units| add(&orders, &order, "a", units, 2))).await;
    assert!(added.iter().all(Result::is_ok), "{added:?}");
    assert_eq!(orders.raw.hash(&orders.cart_key(&order)).await["a"], "1275 2550");
    assert_eq!(orders.field(&order, "total").await, "2550");
}
