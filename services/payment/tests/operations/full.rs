//! A shard at `maxmemory`: nothing new begins, and what has begun can end.

use shardcart_payment::error::PaymentError;
use shardcart_payment::users;
use shardcart_protocol::participant::Answer;
use shardcart_store::shard_error::ShardError;

use crate::support::{TestPayment, amount, new_order};

#[actix_web::test]
async fn reserve_on_a_full_shard_does_nothing_and_is_not_taken_for_a_refusal() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let attempt = payment.attempt(&user).await;
    let before = payment.raw.everything().await;
    payment.raw.fill().await;

    for sum in [4, 11] {
        assert_eq!(payment.reserve(&attempt, sum).await, Answer::Unanswered);
    }

    assert_eq!(payment.raw.everything().await, before);
    payment.raw.make_room().await;
    assert_eq!(payment.reserve(&attempt, 4).await, Answer::Held);
}

#[actix_web::test]
async fn confirm_and_cancel_work_on_a_full_shard_that_has_forgotten_its_scripts() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let [charged, given_back, unknown] =
        [payment.attempt(&user).await, payment.attempt(&user).await, payment.attempt(&user).await];
    payment.reserve(&charged, 4).await;
    payment.reserve(&given_back, 1).await;
    payment.raw.fill().await;
    payment.raw.forget_scripts().await;

    let answers = payment.run_all(vec![charged.confirm(), given_back.cancel(), unknown.cancel()]);

    assert_eq!(answers.await.unwrap(), [Answer::Confirmed, Answer::Cancelled, Answer::Cancelled]);
    assert_eq!(payment.credit_and_held(&user).await, [6, 0]);
    assert_eq!(payment.payment(&user, &charged.order).await, "charged by checkout 4/0");
    payment.assert_tombstone(&unknown, "CANCELLED").await;
}

#[actix_web::test]
async fn cancel_on_a_full_shard_restores_a_payment_that_had_been_given_back() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let attempt = payment.attempt(&user).await;
    payment.pay(&user, &attempt.order, 4).await.unwrap();
    payment.cancel_payment(&user, &attempt.order).await.unwrap();
    payment.reserve(&attempt, 3).await;
    payment.raw.fill().await;
    assert_eq!(payment.cancel(&attempt).await, Answer::Cancelled);
    assert_eq!(payment.payment(&user, &attempt.order).await, "cancelled by pay 4/4");
}

#[actix_web::test]
async fn nothing_is_funded_or_paid_on_a_full_shard() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let before = payment.raw.everything().await;
    payment.raw.fill().await;

    let results = [
        payment.add_funds(&user, 1).await,
        users::pay(&payment.shards, &user, amount(1), None).await.map(|done| done.value),
        payment.pay(&user, &new_order(), 1).await,
    ];

    for result in results {
        assert!(matches!(result, Err(PaymentError::Shard(ShardError::Refused { .. }))), "surely not done: {result:?}");
    }
    assert_eq!(payment.raw.everything().await, before);
}

#[actix_web::test]
async fn a_payment_is_given_back_on_a_full_shard() {
    let payment = TestPayment::start().await;
    let (user, order) = (payment.user_with(10).await, new_order());
    payment.pay(&user, &order, 4).await.unwrap();
    payment.raw.fill().await;
    payment.cancel_payment(&user, &order).await.unwrap();
    assert_eq!(payment.purse(&user).await.credit, 10);
}
