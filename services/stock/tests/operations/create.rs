//! Create: a new item, without stock.

use std::collections::BTreeMap;

use shardcart_common::amount::AMOUNT_MAX;
use shardcart_common::shard::ShardError;
use shardcart_schema::lua;
use shardcart_stock::error::StockError;
use shardcart_stock::items::{self, Item};

use crate::support::{TestStock, amount};

#[actix_web::test]
async fn create_makes_an_item_with_a_price_and_no_stock() {
    let stock = TestStock::start().await;

    let item = items::create(&stock.shards, amount(7), None).await.unwrap().value;

    let made = BTreeMap::from([("price", "7"), ("stock", "0"), ("held", "0"), ("net", "0")]);
    let found = stock.raw.record(&stock.key(&item)).await;
    assert_eq!(found, made.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect());
    assert_eq!(stock.raw.everything().await.len(), 1);
}

#[actix_web::test]
async fn create_repeated_makes_another_item() {
    let stock = TestStock::start().await;

    let first = items::create(&stock.shards, amount(7), None).await.unwrap().value;
    let second = items::create(&stock.shards, amount(7), None).await.unwrap().value;

    assert_ne!(first, second);
    assert_eq!(stock.raw.everything().await.len(), 2);
}

#[actix_web::test]
async fn create_keeps_the_largest_and_the_smallest_price_exactly() {
    let stock = TestStock::start().await;
    for price in [0, AMOUNT_MAX] {
        let item = items::create(&stock.shards, amount(price), None).await.unwrap().value;
        assert_eq!(items::find(&stock.shards, &item).await.unwrap(), Item { stock: 0, price });
    }
}

#[actix_web::test]
async fn create_under_an_id_that_is_taken_changes_nothing() {
    let stock = TestStock::start().await;
    let item = stock.item_with(3).await;
    let before = stock.raw.everything().await;

    let script = lua::expand(include_str!("../../src/scripts/create.lua"), &[]).unwrap();
    let answer = stock.raw.eval(&script, &[&stock.key(&item)], &["9"]).await;

    assert_eq!(answer, "EXISTS");
    assert_eq!(stock.raw.everything().await, before);
}

#[actix_web::test]
async fn create_on_a_full_shard_is_refused_and_leaves_nothing() {
    let stock = TestStock::start().await;
    stock.raw.fill().await;

    let refused = items::create(&stock.shards, amount(7), None).await;

    assert!(matches!(refused, Err(StockError::Shard(ShardError::Refused { shard: 0, .. }))), "{refused:?}");
    assert!(stock.raw.everything().await.is_empty());
}
