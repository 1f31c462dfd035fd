//! Add funds: more credit.

use futures_util::future::join_all;
use shardcart_payment::error::PaymentError;
use shardcart_types::amount::AMOUNT_MAX;

use crate::support::{Purse, TestPayment, user};

#[actix_web::test]
async fn add_funds_adds_to_credit_and_to_what_was_ever_funded() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(3).await;
    payment.add_funds(&user, 4).await.unwrap();
    let purse = Purse { credit: 7, held: 0, net: 7 };
    assert_eq!(payment.purse(&user).await, purse);
}

#[actix_web::test]
async fn add_funds_of_nothing_changes_nothing() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(3).await;
    let before = payment.raw.everything().await;
    payment.add_funds(&user, 0).await.unwrap();
    assert_eq!(payment.raw.everything().await, before);
}

#[actix_web::test]
async fn add_funds_to_an_unknown_user_leaves_nothing() {
    let payment = TestPayment::start().await;
    let added = payment.add_funds(&user("17"), 1).await;
    assert!(matches!(added, Err(PaymentError::UnknownUser(_))), "{added:?}");
    assert!(payment.raw.everything().await.is_empty());
}

#[actix_web::test]
async fn add_funds_up_to_the_largest_amount_is_exact_and_beyond_it_refused() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(AMOUNT_MAX - 1).await;
    payment.add_funds(&user, 1).await.unwrap();
    let before = payment.raw.everything().await;
    assert_eq!(payment.purse(&user).await.credit, AMOUNT_MAX);
    for sum in [1, 2, AMOUNT_MAX] {
        let added = payment.add_funds(&user, sum).await;
        assert!(matches!(added, Err(PaymentError::OutOfRange(_))), "{sum}: {added:?}");
        assert_eq!(payment.raw.everything().await, before);
    }
}

#[actix_web::test]
async fn add_funds_counts_what_is_held_and_what_was_charged_against_the_largest_amount() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(AMOUNT_MAX).await;
    let attempt = payment.attempt(&user).await;
    payment.reserve(&attempt, 5).await;
    let added = payment.add_funds(&user, 1).await;
    assert!(matches!(added, Err(PaymentError::OutOfRange(_))), "held: {added:?}");

    payment.confirm(&attempt).await;
    let added = payment.add_funds(&user, 1).await;
    assert!(
        matches!(added, Err(PaymentError::OutOfRange(_))),
        "charged: the audit's sum would leave the range: {added:?}"
    );
    let purse = Purse { credit: AMOUNT_MAX - 5, held: 0, net: AMOUNT_MAX };
    assert_eq!(payment.purse(&user).await, purse);
}

#[actix_web::test]
async fn add_funds_leaves_a_user_of_a_later_release_alone() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(3).await;
    payment.raw.make_newer(&payment.key(&user)).await;
    let before = payment.raw.everything().await;
    let added = payment.add_funds(&user, 1).await;
    assert!(matches!(added, Err(PaymentError::Newer(_))), "{added:?}");
    assert_eq!(payment.raw.everything().await, before);
}

#[actix_web::test]
async fn add_funds_by_many_at_once_loses_nothing() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(0).await;
    let added = join_all((1..=100).map(|sum| payment.add_funds(&user, sum))).await;
    assert!(added.iter().all(Result::is_ok), "{added:?}");
    assert_eq!(payment.purse(&user).await.credit, 5050);
}
