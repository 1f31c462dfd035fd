//! Create: a new user, without credit.

use shardcart_common::shard::ShardError;
use shardcart_payment::error::PaymentError;
use shardcart_payment::users;
use shardcart_schema::lua;

use crate::support::TestPayment;

#[actix_web::test]
async fn create_makes_a_user_without_credit() {
    let payment = TestPayment::start().await;

    let user = users::create(&payment.shards, None).await.unwrap().value;

    let everything = payment.raw.everything().await;
    assert_eq!(everything.into_iter().collect::<Vec<_>>(), [(payment.key(&user), "credit=0 held=0 net=0".to_owned())]);
}

#[actix_web::test]
async fn create_repeated_makes_another_user() {
    let payment = TestPayment::start().await;
    let first = users::create(&payment.shards, None).await.unwrap().value;
    let second = users::create(&payment.shards, None).await.unwrap().value;
    assert_ne!(first, second);
    assert_eq!(payment.raw.everything().await.len(), 2);
}

#[actix_web::test]
async fn create_under_an_id_that_is_taken_changes_nothing() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(3).await;
    let before = payment.raw.everything().await;

    let script = lua::expand(include_str!("../../src/scripts/create.lua"), &[]).unwrap();
    let answer = payment.raw.eval(&script, &[&payment.key(&user)], &[]).await;

    assert_eq!(answer, "EXISTS");
    assert_eq!(payment.raw.everything().await, before);
}

#[actix_web::test]
async fn create_on_a_full_shard_is_refused_and_leaves_nothing() {
    let payment = TestPayment::start().await;
    payment.raw.fill().await;
    let refused = users::create(&payment.shards, None).await;
    assert!(matches!(refused, Err(PaymentError::Shard(ShardError::Refused { shard: 0, .. }))), "{refused:?}");
    assert!(payment.raw.everything().await.is_empty());
}
