//! Scripts that Redis has forgotten: nothing is lost, and nothing done twice.

use futures_util::future::join_all;
use shardcart_protocol::participant::Answer;
use shardcart_stock::items;

use crate::support::{TestStock, amount, item, loads};

#[actix_web::test]
async fn every_single_call_after_a_flush_is_done_once() {
    let stock = TestStock::start().await;
    let one = stock.item_with(10).await;

    stock.raw.forget_scripts().await;
    items::add(&stock.shards, &one, amount(3), None).await.unwrap();
    stock.raw.forget_scripts().await;
    items::subtract(&stock.shards, &one, amount(1), None).await.unwrap();
    assert_eq!(stock.units(&one).await.net, 12);

    stock.raw.forget_scripts().await;
    items::create(&stock.shards, amount(1), None).await.unwrap();
    assert_eq!(stock.raw.everything().await.len(), 2);

    stock.raw.forget_scripts().await;
    items::load(&stock.shards, &loads(), 3, amount(4), amount(1)).await.unwrap();
    assert_eq!(stock.units(&item("2")).await.stock, 4);
}

#[actix_web::test]
async fn every_step_of_an_attempt_after_a_flush_is_done_once() {
    let stock = TestStock::start().await;
    let item = stock.item_with(10).await;
    let [sold, given_back] = [stock.attempt(&item).await, stock.attempt(&item).await];
    for attempt in [&sold, &given_back] {
        stock.raw.forget_scripts().await;
        assert_eq!(stock.reserve(attempt, &[(&item, 2)]).await, Answer::Held);
    }
    assert_eq!(stock.stock_and_held(&item).await, [6, 4]);
    stock.raw.forget_scripts().await;
    assert_eq!(stock.confirm(&sold).await, Answer::Confirmed);
    stock.raw.forget_scripts().await;
    assert_eq!(stock.cancel(&given_back).await, Answer::Cancelled);
    assert_eq!(stock.stock_and_held(&item).await, [8, 0]);
    assert_eq!(stock.units(&item).await.sold(), 2);
}

#[actix_web::test]
async fn a_batch_after_a_flush_loses_and_doubles_nothing() {
    let stock = TestStock::start().await;
    let item = stock.item_with(1000).await;
    let mut attempts = Vec::new();
    for _ in 0..60 {
        attempts.push(stock.attempt(&item).await);
    }
    let (confirmed, cancelled) = attempts.split_at(30);

    stock.raw.forget_scripts().await;
    let reserves = attempts.iter().map(|attempt| attempt.reserve(&[(&item, 3)]));
    assert_eq!(stock.run_all(reserves.collect()).await.unwrap(), vec![Answer::Held; 60]);
    assert_eq!(stock.stock_and_held(&item).await, [820, 180]);
    assert_eq!(stock.held().await.len(), 60);

    // Two scripts, in turn.
    stock.raw.forget_scripts().await;
    let settles = confirmed.iter().zip(cancelled).flat_map(|(sold, given_back)| [sold.confirm(), given_back.cancel()]);
    let answers = stock.run_all(settles.collect()).await.unwrap();
    for pair in answers.chunks(2) {
        assert_eq!(pair, [Answer::Confirmed, Answer::Cancelled]);
    }
    assert_eq!(stock.stock_and_held(&item).await, [910, 0]);
    assert_eq!(stock.units(&item).await.sold(), 90);
    assert!(stock.held().await.is_empty());
}

#[actix_web::test]
async fn a_batch_that_finds_one_of_its_scripts_missing_does_the_others_once() {
    let stock = TestStock::start().await;
    let item = stock.item_with(100).await;
    let [old, new] = [stock.attempt(&item).await, stock.attempt(&item).await];
    stock.reserve(&old, &[(&item, 5)]).await;
    stock.raw.forget_scripts().await;
    // Only confirm is there again.
    let known = stock.attempt(&item).await;
    stock.confirm(&known).await;

    let answers =
        stock.run_all(vec![new.reserve(&[(&item, 7)]), old.confirm(), old.confirm(), new.reserve(&[(&item, 7)])]);

    assert_eq!(answers.await.unwrap(), [Answer::Held, Answer::Confirmed, Answer::Confirmed, Answer::Held]);
    assert_eq!(stock.stock_and_held(&item).await, [88, 7]);
    assert_eq!(stock.units(&item).await.sold(), 5);
}

#[actix_web::test]
async fn calls_at_once_with_flushes_between_them_are_each_done_once() {
    let stock = TestStock::start().await;
    let item = stock.item_with(0).await;
    let flushes = async {
        for _ in 0..50 {
            stock.raw.forget_scripts().await;
        }
    };
    // A call that meets a flush twice is refused, not half done: only what was acknowledged counts.
    let adds = join_all((0..200).map(|_| items::add(&stock.shards, &item, amount(1), None)));

    let ((), added) = futures_util::future::join(flushes, adds).await;

    let done = added.iter().filter(|added| added.is_ok()).count();
    assert_eq!(stock.units(&item).await.stock, done as u64);
    items::add(&stock.shards, &item, amount(1), None).await.unwrap();
}
