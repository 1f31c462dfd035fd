//! A shard at `maxmemory`: nothing new begins, and what has begun can end.

use shardcart_protocol::participant::Answer;
use shardcart_stock::error::StockError;
use shardcart_stock::items;
use shardcart_store::shard_error::ShardError;

use crate::support::{TestStock, amount};

#[actix_web::test]
async fn reserve_on_a_full_shard_does_nothing_and_is_not_taken_for_a_refusal() {
    let stock = TestStock::start().await;
    let item = stock.item_with(5).await;
    let attempt = stock.attempt(&item).await;
    let before = stock.raw.everything().await;
    stock.raw.fill().await;

    assert_eq!(stock.reserve(&attempt, &[(&item, 2)]).await, Answer::Unanswered);
    assert_eq!(stock.reserve(&attempt, &[(&item, 9)]).await, Answer::Unanswered);

    assert_eq!(stock.raw.everything().await, before);
    stock.raw.make_room().await;
    assert_eq!(stock.reserve(&attempt, &[(&item, 2)]).await, Answer::Held);
}

#[actix_web::test]
async fn confirm_and_cancel_work_on_a_full_shard() {
    let stock = TestStock::start().await;
    let item = stock.item_with(5).await;
    let [sold, given_back, unknown] =
        [stock.attempt(&item).await, stock.attempt(&item).await, stock.attempt(&item).await];
    stock.reserve(&sold, &[(&item, 2)]).await;
    stock.reserve(&given_back, &[(&item, 1)]).await;
    stock.raw.fill().await;

    assert_eq!(stock.confirm(&sold).await, Answer::Confirmed);
    assert_eq!(stock.cancel(&given_back).await, Answer::Cancelled);
    assert_eq!(stock.cancel(&unknown).await, Answer::Cancelled);

    assert_eq!(stock.stock_and_held(&item).await, [3, 0]);
    stock.assert_tombstone(&sold, "CONFIRMED").await;
    stock.assert_tombstone(&given_back, "CANCELLED").await;
    stock.assert_tombstone(&unknown, "CANCELLED").await;
}

#[actix_web::test]
async fn confirm_and_cancel_work_on_a_full_shard_that_has_forgotten_its_scripts() {
    let stock = TestStock::start().await;
    let item = stock.item_with(5).await;
    let [sold, given_back] = [stock.attempt(&item).await, stock.attempt(&item).await];
    stock.reserve(&sold, &[(&item, 2)]).await;
    stock.reserve(&given_back, &[(&item, 1)]).await;
    stock.raw.fill().await;
    stock.raw.forget_scripts().await;

    let answers = stock.run_all(vec![sold.confirm(), given_back.cancel()]).await.unwrap();

    assert_eq!(answers, [Answer::Confirmed, Answer::Cancelled]);
    assert_eq!(stock.stock_and_held(&item).await, [3, 0]);
}

#[actix_web::test]
async fn a_batch_on_a_full_shard_ends_what_it_can_and_begins_nothing() {
    let stock = TestStock::start().await;
    let item = stock.item_with(5).await;
    let [old, new] = [stock.attempt(&item).await, stock.attempt(&item).await];
    stock.reserve(&old, &[(&item, 2)]).await;
    stock.raw.fill().await;

    let answers = stock.run_all(vec![new.reserve(&[(&item, 1)]), old.cancel(), new.reserve(&[(&item, 1)])]);

    assert_eq!(answers.await.unwrap(), [Answer::Unanswered, Answer::Cancelled, Answer::Unanswered]);
    assert_eq!(stock.stock_and_held(&item).await, [5, 0]);
    assert!(stock.held().await.is_empty());
}

#[actix_web::test]
async fn units_are_taken_out_of_a_full_shard_but_not_added() {
    let stock = TestStock::start().await;
    let item = stock.item_with(5).await;
    stock.raw.fill().await;

    let added = items::add(&stock.shards, &item, amount(1), None).await;
    assert!(matches!(added, Err(StockError::Shard(ShardError::Refused { .. }))), "surely not done: {added:?}");
    items::subtract(&stock.shards, &item, amount(2), None).await.unwrap();

    assert_eq!(stock.stock_and_held(&item).await, [3, 0]);
}
