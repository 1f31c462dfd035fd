//! Create: a new order with an empty cart.

use shardcart_common::shard::ShardError;
use shardcart_order::error::OrderError;
use shardcart_order::orders;
use shardcart_schema::lua;

use crate::support::{TestOrders, user};

#[actix_web::test]
async fn create_makes_an_open_order_whose_first_last_tx_is_its_own_moment() {
    let orders = TestOrders::start().await;
    let order = orders::create(&orders.shards, &user("u"), None).await.unwrap().value;
    assert_eq!(
        orders.raw.everything().await.into_iter().collect::<Vec<_>>(),
        [(orders.key(&order), format!("status=open total=0 tx={order} user=u"))]
    );
}

#[actix_web::test]
async fn create_repeated_makes_another_order() {
    let orders = TestOrders::start().await;
    assert_ne!(orders.order().await, orders.order().await);
    assert_eq!(orders.raw.everything().await.len(), 2);
}

#[actix_web::test]
async fn create_under_an_id_that_is_taken_changes_nothing() {
    let orders = TestOrders::start().await;
    let order = orders.filled_order().await;
    let before = orders.raw.everything().await;
    let script = lua::expand(include_str!("../../src/scripts/create.lua"), &[]).unwrap();
    let answer = orders.raw.eval(&script, &[&orders.key(&order)], &["other", "tx"]).await;
    assert_eq!(answer, "EXISTS");
    assert_eq!(orders.raw.everything().await, before);
}

#[actix_web::test]
async fn create_on_a_full_shard_is_refused_and_leaves_nothing() {
    let orders = TestOrders::start().await;
    orders.raw.fill().await;
    let created = orders::create(&orders.shards, &user("u"), None).await;
    assert!(matches!(created, Err(OrderError::Shard(ShardError::Refused { .. }))), "{created:?}");
    assert!(orders.raw.everything().await.is_empty());
}
