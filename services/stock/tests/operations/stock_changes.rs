//! Changes of stock by a delta and by a count.

use shardcart_stock::error::StockError;
use shardcart_stock::products::change::Keyed;
use shardcart_stock::products::stock::{Adjustment, adjust};
use shardcart_store::idempotency::IdempotencyKey;

use crate::support::{TestStock, amount, item};

#[actix_web::test]
async fn a_delta_adds_or_takes_out() {
    let stock = TestStock::start().await;
    let item = stock.item_with(10).await;
    let change = async |adjustment| adjust(&stock.shards, &item, adjustment, None).await;
    assert_eq!(change(Adjustment::Add(amount(5))).await.unwrap().value, 5);
    assert_eq!(change(Adjustment::Subtract(amount(3))).await.unwrap().value, -3);
    let short = change(Adjustment::Subtract(amount(13))).await;
    assert!(matches!(short, Err(StockError::InsufficientStock(_))), "{short:?}");
    let units = stock.units(&item).await;
    assert_eq!((units.stock, units.net), (12, 12));
}

#[actix_web::test]
async fn a_count_sets_the_stock_with_what_is_held_and_tells_the_delta() {
    let stock = TestStock::start().await;
    let item = stock.item_with(10).await;
    let attempt = stock.attempt(&item).await;
    stock.reserve(&attempt, &[(&item, 4)]).await;
    let count = async |counted| adjust(&stock.shards, &item, Adjustment::Count(amount(counted)), None).await;

    assert_eq!(count(12).await.unwrap().value, 2);
    assert_eq!(count(12).await.unwrap().value, 0);
    let units = stock.units(&item).await;
    assert_eq!((units.stock, units.held, units.net), (8, 4, 12));
    let short = count(3).await;
    assert!(matches!(short, Err(StockError::InsufficientStock(_))), "{short:?}");
    assert_eq!(count(4).await.unwrap().value, -8);
    stock.confirm(&attempt).await;
    assert_eq!(stock.units(&item).await.sold(), 4, "what is sold adds up after counts");
}

#[actix_web::test]
async fn a_count_of_what_is_not_there_or_of_a_later_release_is_refused() {
    let stock = TestStock::start().await;
    let unknown = adjust(&stock.shards, &item("none"), Adjustment::Count(amount(3)), None).await;
    assert!(matches!(unknown, Err(StockError::UnknownItem(_))), "{unknown:?}");
    let later = stock.item_with(1).await;
    stock.make_newer(&later).await;
    let newer = adjust(&stock.shards, &later, Adjustment::Count(amount(3)), None).await;
    assert!(matches!(newer, Err(StockError::Newer(_))), "{newer:?}");
}

#[actix_web::test]
async fn with_a_key_a_delta_is_applied_once() {
    let stock = TestStock::start().await;
    let item = stock.item_with(10).await;
    let key = IdempotencyKey::parse(b"k").unwrap();
    for is_replay in [false, true] {
        let keyed = Some(Keyed { key: &key, request: "-3 damaged" });
        let done = adjust(&stock.shards, &item, Adjustment::Subtract(amount(3)), keyed).await.unwrap();
        assert_eq!((done.value, done.is_replay), (-3, is_replay));
    }
    assert_eq!(stock.units(&item).await.stock, 7);
}

#[actix_web::test]
async fn with_a_key_a_count_gives_its_first_delta_again() {
    let stock = TestStock::start().await;
    let item = stock.item_with(10).await;
    let key = IdempotencyKey::parse(b"k").unwrap();
    for is_replay in [false, true] {
        let keyed = Some(Keyed { key: &key, request: "count 4" });
        let done = adjust(&stock.shards, &item, Adjustment::Count(amount(4)), keyed).await.unwrap();
        assert_eq!((done.value, done.is_replay), (-6, is_replay));
        stock.add(&item, 1).await;
    }
    assert_eq!(stock.units(&item).await.stock, 6);
}
