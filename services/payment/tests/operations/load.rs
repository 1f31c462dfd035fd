//! Load: users `0..n` overwritten, while nothing is held.

use shardcart_payment::users;
use shardcart_protocol::participant::Answer;
use shardcart_store::bulk::{LOAD_MAX, LoadError};
use shardcart_store::settings::BatchInitSettings;
use shardcart_types::amount::AMOUNT_MAX;
use shardcart_types::ids::{UserId, now_ms};

use crate::support::{PATIENCE, Purse, TestPayment, amount, loads, user};

async fn load(payment: &TestPayment, count: u64, credit: u64) -> Result<(), LoadError> {
    users::load(&payment.shards, &loads(), count, amount(credit)).await
}

#[actix_web::test]
async fn load_writes_every_user_once() {
    let payment = TestPayment::start().await;
    // More than one call's worth.
    load(&payment, 1203, 7).await.unwrap();
    assert_eq!(payment.raw.everything().await.len(), 1203);
    let purse = Purse { credit: 7, held: 0, net: 7 };
    for number in [0, 1, 499, 500, 1202] {
        assert_eq!(payment.purse(&user(&number.to_string())).await, purse, "user {number}");
    }
}

#[actix_web::test]
async fn load_repeated_overwrites_and_leaves_other_users_alone() {
    let payment = TestPayment::start().await;
    load(&payment, 3, 7).await.unwrap();
    let (other, one) = (payment.user_with(4).await, user("1"));
    users::pay(&payment.shards, &one, amount(5), None).await.unwrap();

    load(&payment, 2, 9).await.unwrap();

    assert_eq!(payment.purse(&one).await.net, 9);
    assert_eq!(payment.purse(&other).await.credit, 4);
}

#[actix_web::test]
async fn load_removes_what_a_larger_one_wrote_beyond_it_also_on_a_full_shard() {
    let payment = TestPayment::start().await;
    load(&payment, 2603, 7).await.unwrap();
    let other = payment.user_with(4).await;
    payment.raw.fill().await;
    let loaded = load(&payment, 2, 9).await;
    assert!(matches!(loaded, Err(LoadError::Shard(_))), "nothing has room for the load itself: {loaded:?}");
    assert_eq!(payment.raw.everything().await.len(), 2 + 1);
    payment.raw.make_room().await;

    load(&payment, 1, 9).await.unwrap();

    assert_eq!(payment.raw.everything().await.len(), 1 + 1);
    assert_eq!((payment.purse(&user("0")).await.net, payment.purse(&other).await.net), (9, 4));
}

#[actix_web::test]
async fn load_keeps_the_largest_amount_exactly() {
    let payment = TestPayment::start().await;
    load(&payment, 2, AMOUNT_MAX).await.unwrap();
    let purse = Purse { credit: AMOUNT_MAX, held: 0, net: AMOUNT_MAX };
    assert_eq!(payment.purse(&user("1")).await, purse);
}

#[actix_web::test]
async fn load_is_refused_while_anything_is_held_on_the_shard() {
    let payment = TestPayment::start().await;
    let attempt = payment.attempt(&UserId::mint(0, now_ms())).await;
    payment.hold(&attempt, b"whatever it is").await;
    let before = payment.raw.everything().await;

    let loaded = load(&payment, 3, 7).await;

    assert!(matches!(loaded, Err(LoadError::InUse)), "{loaded:?}");
    assert_eq!(payment.raw.everything().await, before);
    payment.forget(&attempt).await;
    load(&payment, 3, 7).await.unwrap();
}

#[actix_web::test]
async fn load_waits_until_what_is_held_is_settled() {
    let payment = TestPayment::start().await;
    let other = payment.user_with(10).await;
    let attempt = payment.attempt(&other).await;
    payment.reserve(&attempt, 4).await;
    let patient = BatchInitSettings { batch_init_wait_ms: PATIENCE, ..loads() };

    let loaded = users::load(&payment.shards, &patient, 3, amount(7));
    let settled = async {
        let everything = payment.raw.everything().await;
        assert_eq!(everything.len(), 3, "user, payment and held: no load yet");
        payment.confirm(&attempt).await
    };
    let (settled, loaded) = futures_util::future::join(settled, loaded).await;

    assert_eq!(settled, Answer::Confirmed);
    loaded.unwrap();
    assert_eq!(payment.purse(&other).await.charged(), 4);
    assert_eq!(payment.purse(&user("2")).await.credit, 7);
}

#[actix_web::test]
async fn load_is_refused_where_it_is_not_allowed_and_beyond_its_limit() {
    let payment = TestPayment::start().await;
    let forbidden = BatchInitSettings { allow_batch_init: false, ..loads() };
    let loaded = users::load(&payment.shards, &forbidden, 1, amount(7)).await;
    assert!(matches!(loaded, Err(LoadError::Forbidden)), "{loaded:?}");
    let loaded = load(&payment, LOAD_MAX + 1, 7).await;
    assert!(matches!(loaded, Err(LoadError::TooMany)), "{loaded:?}");
    assert!(payment.raw.everything().await.is_empty());
}

#[actix_web::test]
async fn load_on_a_full_shard_is_refused_and_leaves_nothing() {
    let payment = TestPayment::start().await;
    payment.raw.fill().await;
    let loaded = load(&payment, 3, 7).await;
    assert!(matches!(loaded, Err(LoadError::Shard(_))), "{loaded:?}");
    assert!(payment.raw.everything().await.is_empty());
}
