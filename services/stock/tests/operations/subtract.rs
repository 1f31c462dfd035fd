//! Subtract: units taken out of stock directly.

use futures_util::future::join_all;
use shardcart_stock::error::StockError;
use shardcart_stock::items;
use shardcart_types::amount::AMOUNT_MAX;

use crate::support::{TestStock, Units, amount, item};

#[actix_web::test]
async fn subtract_takes_units_out() {
    let stock = TestStock::start().await;
    let item = stock.item_with(5).await;

    items::subtract(&stock.shards, &item, amount(2), None).await.unwrap();

    assert_eq!(stock.units(&item).await, Units { stock: 3, held: 0, net: 3 });
}

#[actix_web::test]
async fn subtract_down_to_nothing_is_done_and_below_is_refused() {
    let stock = TestStock::start().await;
    let item = stock.item_with(2).await;
    items::subtract(&stock.shards, &item, amount(2), None).await.unwrap();

    for units in [1, AMOUNT_MAX] {
        let subtracted = items::subtract(&stock.shards, &item, amount(units), None).await;
        assert!(matches!(subtracted, Err(StockError::InsufficientStock(_))), "{subtracted:?}");
    }
    items::subtract(&stock.shards, &item, amount(0), None).await.unwrap();
    assert_eq!(stock.units(&item).await, Units { stock: 0, held: 0, net: 0 });
}

#[actix_web::test]
async fn subtract_does_not_take_what_is_held() {
    let stock = TestStock::start().await;
    let item = stock.item_with(5).await;
    let attempt = stock.attempt(&item).await;
    stock.reserve(&attempt, &[(&item, 4)]).await;

    let subtracted = items::subtract(&stock.shards, &item, amount(2), None).await;

    assert!(matches!(subtracted, Err(StockError::InsufficientStock(_))), "{subtracted:?}");
    assert_eq!(stock.stock_and_held(&item).await, [1, 4]);
}

#[actix_web::test]
async fn subtract_from_an_unknown_item_leaves_nothing_behind() {
    let stock = TestStock::start().await;
    for units in [0, 1] {
        let subtracted = items::subtract(&stock.shards, &item("17"), amount(units), None).await;
        assert!(matches!(subtracted, Err(StockError::UnknownItem(_))), "{subtracted:?}");
    }
    assert!(stock.raw.everything().await.is_empty());
}

#[actix_web::test]
async fn subtract_at_the_largest_amount_is_exact() {
    let stock = TestStock::start().await;
    let item = stock.item_with(AMOUNT_MAX).await;

    items::subtract(&stock.shards, &item, amount(1), None).await.unwrap();
    assert_eq!(stock.units(&item).await.stock, AMOUNT_MAX - 1);

    items::subtract(&stock.shards, &item, amount(AMOUNT_MAX - 1), None).await.unwrap();
    assert_eq!(stock.units(&item).await.stock, 0);
}

#[actix_web::test]
async fn subtract_leaves_an_item_of_a_later_release_alone() {
    let stock = TestStock::start().await;
    let item = stock.item_with(3).await;
    stock.make_newer(&item).await;
    let before = stock.raw.everything().await;

    let subtracted = items::subtract(&stock.shards, &item, amount(1), None).await;

    assert!(matches!(subtracted, Err(StockError::Newer(_))), "{subtracted:?}");
    assert_eq!(stock.raw.everything().await, before);
}

#[actix_web::test]
async fn subtract_by_many_at_once_takes_no_more_than_there_is() {
    let stock = TestStock::start().await;
    let item = stock.item_with(30).await;

    let taken = join_all((0..50).map(|_| items::subtract(&stock.shards, &item, amount(1), None))).await;

    assert_eq!(taken.iter().filter(|taken| taken.is_ok()).count(), 30);
    assert_eq!(stock.units(&item).await.stock, 0);
}
