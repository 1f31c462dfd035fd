//! Pay without an order: taken every time.

use futures_util::future::join_all;
use shardcart_payment::error::{PaymentError, Result};
use shardcart_payment::users;
use shardcart_types::amount::AMOUNT_MAX;
use shardcart_types::ids::UserId;

use crate::support::{Purse, TestPayment, amount, user};

async fn pay(payment: &TestPayment, user: &UserId, sum: u64) -> Result<()> {
    users::pay(&payment.shards, user, amount(sum), None).await.map(|done| done.value)
}

#[actix_web::test]
async fn pay_takes_the_amount_every_time() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    for _ in 0..2 {
        pay(&payment, &user, 3).await.unwrap();
    }
    let purse = Purse { credit: 4, held: 0, net: 4 };
    assert_eq!(payment.purse(&user).await, purse);
    assert_eq!(payment.raw.everything().await.len(), 1, "no payment record");
}

#[actix_web::test]
async fn pay_of_more_than_can_be_spent_is_refused_and_changes_nothing() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let attempt = payment.attempt(&user).await;
    payment.reserve(&attempt, 4).await;
    let before = payment.raw.everything().await;
    for sum in [7, 10, AMOUNT_MAX] {
        let paid = pay(&payment, &user, sum).await;
        assert!(matches!(paid, Err(PaymentError::InsufficientCredit(_))), "{sum}: {paid:?}");
    }
    assert_eq!(payment.raw.everything().await, before);
    pay(&payment, &user, 6).await.unwrap();
    assert_eq!(payment.credit_and_held(&user).await, [0, 4]);
}

#[actix_web::test]
async fn pay_of_an_unknown_user_leaves_nothing() {
    let payment = TestPayment::start().await;
    for sum in [0, 1] {
        let paid = pay(&payment, &user("17"), sum).await;
        assert!(matches!(paid, Err(PaymentError::UnknownUser(_))), "{paid:?}");
    }
    assert!(payment.raw.everything().await.is_empty());
}

#[actix_web::test]
async fn pay_of_the_largest_amount_is_exact() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(AMOUNT_MAX).await;
    pay(&payment, &user, 1).await.unwrap();
    assert_eq!(payment.purse(&user).await.credit, AMOUNT_MAX - 1);
    pay(&payment, &user, AMOUNT_MAX - 1).await.unwrap();
    assert_eq!(payment.purse(&user).await.net, 0);
}

#[actix_web::test]
async fn pay_leaves_a_user_of_a_later_release_alone() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(3).await;
    payment.raw.make_newer(&payment.key(&user)).await;
    let before = payment.raw.everything().await;
    let paid = pay(&payment, &user, 1).await;
    assert!(matches!(paid, Err(PaymentError::Newer(_))), "{paid:?}");
    assert_eq!(payment.raw.everything().await, before);
}

#[actix_web::test]
async fn pay_by_many_at_once_takes_no_more_than_there_is() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(30).await;
    let paid = join_all((0..50).map(|_| pay(&payment, &user, 1))).await;
    assert_eq!(paid.iter().filter(|paid| paid.is_ok()).count(), 30);
    assert_eq!(payment.purse(&user).await.credit, 0);
}
