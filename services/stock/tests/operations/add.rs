//! Add: more units of an item.

use futures_util::future::join_all;
use shardcart_protocol::participant::Answer;
use shardcart_stock::error::StockError;
use shardcart_stock::items;
use shardcart_types::amount::AMOUNT_MAX;

use crate::support::{TestStock, Units, amount, item};

#[actix_web::test]
async fn add_adds_to_the_stock_and_to_what_was_ever_added() {
    let stock = TestStock::start().await;
    let item = stock.item_with(3).await;

    items::add(&stock.shards, &item, amount(4), None).await.unwrap();

    assert_eq!(stock.units(&item).await, Units { stock: 7, held: 0, net: 7 });
}

#[actix_web::test]
async fn add_of_nothing_changes_nothing() {
    let stock = TestStock::start().await;
    let item = stock.item_with(3).await;
    let before = stock.raw.everything().await;

    items::add(&stock.shards, &item, amount(0), None).await.unwrap();

    assert_eq!(stock.raw.everything().await, before);
}

#[actix_web::test]
async fn add_to_an_unknown_item_leaves_nothing_behind() {
    let stock = TestStock::start().await;
    let added = items::add(&stock.shards, &item("17"), amount(1), None).await;
    assert!(matches!(added, Err(StockError::UnknownItem(_))), "{added:?}");
    assert!(stock.raw.everything().await.is_empty());
}

#[actix_web::test]
async fn add_up_to_the_largest_amount_is_exact_and_beyond_it_refused() {
    let stock = TestStock::start().await;
    let item = stock.item_with(AMOUNT_MAX - 1).await;

    items::add(&stock.shards, &item, amount(1), None).await.unwrap();
    let full = Units { stock: AMOUNT_MAX, held: 0, net: AMOUNT_MAX };
    assert_eq!(stock.units(&item).await, full);

    for units in [1, 2, AMOUNT_MAX] {
        let added = items::add(&stock.shards, &item, amount(units), None).await;
        assert!(matches!(added, Err(StockError::OutOfRange(_))), "{units} more: {added:?}");
        assert_eq!(stock.units(&item).await, full);
    }
}

#[actix_web::test]
async fn add_counts_what_is_held_against_the_largest_amount() {
    let stock = TestStock::start().await;
    let item = stock.item_with(AMOUNT_MAX).await;
    let attempt = stock.attempt(&item).await;
    stock.reserve(&attempt, &[(&item, AMOUNT_MAX)]).await;

    let added = items::add(&stock.shards, &item, amount(1), None).await;

    assert!(matches!(added, Err(StockError::OutOfRange(_))), "{added:?}");
    assert_eq!(stock.cancel(&attempt).await, Answer::Cancelled);
    assert_eq!(stock.units(&item).await.stock, AMOUNT_MAX);
}

#[actix_web::test]
async fn add_counts_what_was_sold_against_the_largest_amount() {
    let stock = TestStock::start().await;
    let item = stock.item_with(AMOUNT_MAX).await;
    let attempt = stock.attempt(&item).await;
    stock.reserve(&attempt, &[(&item, 5)]).await;
    stock.confirm(&attempt).await;

    let added = items::add(&stock.shards, &item, amount(5), None).await;

    assert!(matches!(added, Err(StockError::OutOfRange(_))), "the audit's sum would leave the range: {added:?}");
    assert_eq!(stock.units(&item).await.net, AMOUNT_MAX);
}

#[actix_web::test]
async fn add_leaves_an_item_of_a_later_release_alone() {
    let stock = TestStock::start().await;
    let item = stock.item_with(3).await;
    stock.make_newer(&item).await;
    let before = stock.raw.everything().await;

    let added = items::add(&stock.shards, &item, amount(1), None).await;

    assert!(matches!(added, Err(StockError::Newer(_))), "{added:?}");
    assert_eq!(stock.raw.everything().await, before);
}

#[actix_web::test]
async fn add_by_many_at_once_loses_nothing() {
    let stock = TestStock::start().await;
    let item = stock.item_with(0).await;

    let added = join_all((1..=100).map(|units| items::add(&stock.shards, &item, amount(units), None))).await;

    assert!(added.iter().all(Result::is_ok), "{added:?}");
    assert_eq!(stock.units(&item).await.stock, 5050);
}
