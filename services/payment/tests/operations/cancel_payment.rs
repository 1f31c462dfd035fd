//! Cancel a payment: what was paid directly for an order is given back, once.

use futures_util::future::join_all;
use shardcart_payment::error::PaymentError;
use shardcart_protocol::participant::Answer;
use shardcart_types::amount::AMOUNT_MAX;

use crate::support::{Purse, TestPayment, new_order, user};

#[actix_web::test]
async fn cancel_payment_gives_back_exactly_what_was_paid() {
    let payment = TestPayment::start().await;
    let (user, order) = (payment.user_with(10).await, new_order());
    payment.pay(&user, &order, 3).await.unwrap();

    payment.cancel_payment(&user, &order).await.unwrap();

    let purse = Purse { credit: 10, held: 0, net: 10 };
    assert_eq!(payment.purse(&user).await, purse);
    assert_eq!(payment.payment(&user, &order).await, "cancelled by pay 3/3");
    assert!(!payment.has_paid(&user, &order).await.unwrap());
}

#[actix_web::test]
async fn cancel_payment_replayed_is_done_and_gives_nothing_more() {
    let payment = TestPayment::start().await;
    let (user, order) = (payment.user_with(10).await, new_order());
    payment.pay(&user, &order, 3).await.unwrap();
    payment.cancel_payment(&user, &order).await.unwrap();
    let before = payment.raw.everything().await;
    let cancelled = join_all((0..5).map(|_| payment.cancel_payment(&user, &order))).await;
    assert!(cancelled.iter().all(Result::is_ok), "{cancelled:?}");
    assert_eq!(payment.raw.everything().await, before);
}

#[actix_web::test]
async fn cancel_payment_where_nothing_was_paid_is_unknown_and_leaves_nothing() {
    let payment = TestPayment::start().await;
    let known = payment.user_with(10).await;
    let before = payment.raw.everything().await;
    for user in [&known, &user("17")] {
        let cancelled = payment.cancel_payment(user, &new_order()).await;
        assert!(matches!(cancelled, Err(PaymentError::UnknownPayment(_))), "{cancelled:?}");
    }
    assert_eq!(payment.raw.everything().await, before);
}

#[actix_web::test]
async fn cancel_payment_before_its_pay_does_not_stop_it() {
    let payment = TestPayment::start().await;
    let (user, order) = (payment.user_with(10).await, new_order());
    assert!(payment.cancel_payment(&user, &order).await.is_err());
    payment.pay(&user, &order, 3).await.unwrap();
    assert_eq!(payment.purse(&user).await.credit, 7);
}

#[actix_web::test]
async fn cancel_payment_of_another_user_is_unknown() {
    let payment = TestPayment::start().await;
    let (payer, other, order) = (payment.user_with(10).await, payment.user_with(10).await, new_order());
    payment.pay(&payer, &order, 3).await.unwrap();
    let cancelled = payment.cancel_payment(&other, &order).await;
    assert!(matches!(cancelled, Err(PaymentError::UnknownPayment(_))), "{cancelled:?}");
    assert_eq!(payment.purse(&payer).await.credit, 7);
    assert_eq!(payment.purse(&other).await.credit, 10);
}

#[actix_web::test]
async fn cancel_payment_of_a_checkout_is_refused_and_changes_nothing() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let attempt = payment.attempt(&user).await;

    payment.reserve(&attempt, 3).await;
    let before = payment.raw.everything().await;
    let cancelled = payment.cancel_payment(&user, &attempt.order).await;
    assert!(matches!(cancelled, Err(PaymentError::OrderPending(_))), "{cancelled:?}");
    assert_eq!(payment.raw.everything().await, before);

    payment.confirm(&attempt).await;
    let before = payment.raw.everything().await;
    let cancelled = payment.cancel_payment(&user, &attempt.order).await;
    assert!(matches!(cancelled, Err(PaymentError::OrderPaid(_))), "{cancelled:?}");
    assert_eq!(payment.raw.everything().await, before);
}

#[actix_web::test]
async fn cancel_payment_while_a_checkout_holds_it_is_what_the_order_says_and_changes_nothing() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let attempt = payment.attempt(&user).await;
    payment.reserve(&attempt, 3).await;
    let before = payment.raw.everything().await;

    for undecided in ["pending", "aborting", "open"] {
        payment.orders.know(&attempt.order, undecided, &attempt.tx);
        let cancelled = payment.cancel_payment(&user, &attempt.order).await;
        assert!(matches!(cancelled, Err(PaymentError::OrderPending(_))), "{undecided}: {cancelled:?}");
    }
    payment.orders.know(&attempt.order, "paid", &attempt.tx);
    let cancelled = payment.cancel_payment(&user, &attempt.order).await;
    assert!(matches!(cancelled, Err(PaymentError::OrderPaid(_))), "{cancelled:?}");
    payment.orders.fall_silent();
    let cancelled = payment.cancel_payment(&user, &attempt.order).await;
    assert!(matches!(cancelled, Err(PaymentError::Orders(_))), "{cancelled:?}");

    assert_eq!(payment.raw.everything().await, before);
}

#[actix_web::test]
async fn cancel_payment_then_a_checkout_that_is_cancelled_brings_the_given_back_payment_back() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let attempt = payment.attempt(&user).await;
    payment.pay(&user, &attempt.order, 4).await.unwrap();
    payment.cancel_payment(&user, &attempt.order).await.unwrap();
    let before = payment.raw.everything().await;

    assert_eq!(payment.reserve(&attempt, 3).await, Answer::Held);
    assert_eq!(payment.payment(&user, &attempt.order).await, "reserved by checkout 3/0");
    let cancelled = payment.cancel_payment(&user, &attempt.order).await;
    assert!(matches!(cancelled, Err(PaymentError::OrderPending(_))), "a checkout holds it: {cancelled:?}");
    assert_eq!(payment.credit_and_held(&user).await, [7, 3]);
    assert_eq!(payment.cancel(&attempt).await, Answer::Cancelled);

    assert_eq!(payment.payment(&user, &attempt.order).await, "cancelled by pay 4/4");
    payment.forget(&attempt).await;
    assert_eq!(payment.raw.everything().await, before);
    payment.cancel_payment(&user, &attempt.order).await.unwrap();
    assert_eq!(payment.credit_and_held(&user).await, [10, 0]);
}

#[actix_web::test]
async fn cancel_payment_then_a_checkout_that_is_confirmed_charges_once() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let attempt = payment.attempt(&user).await;
    payment.pay(&user, &attempt.order, 4).await.unwrap();
    payment.cancel_payment(&user, &attempt.order).await.unwrap();
    payment.reserve(&attempt, 3).await;

    assert_eq!(payment.confirm(&attempt).await, Answer::Confirmed);

    assert_eq!(payment.payment(&user, &attempt.order).await, "charged by checkout 3/0");
    let cancelled = payment.cancel_payment(&user, &attempt.order).await;
    assert!(matches!(cancelled, Err(PaymentError::OrderPaid(_))), "what the checkout charged stays: {cancelled:?}");
    let purse = payment.purse(&user).await;
    assert_eq!((purse.credit, purse.charged()), (7, 3));
}

#[actix_web::test]
async fn cancel_payment_that_would_make_the_credit_too_large_is_refused() {
    let payment = TestPayment::start().await;
    let (user, order) = (payment.user_with(AMOUNT_MAX).await, new_order());
    payment.pay(&user, &order, 5).await.unwrap();
    payment.add_funds(&user, 5).await.unwrap();
    let before = payment.raw.everything().await;

    let cancelled = payment.cancel_payment(&user, &order).await;

    assert!(matches!(cancelled, Err(PaymentError::OutOfRange(_))), "{cancelled:?}");
    assert_eq!(payment.raw.everything().await, before);
}

#[actix_web::test]
async fn cancel_payment_keeps_what_was_ever_funded_within_the_range_of_amounts() {
    let payment = TestPayment::start().await;
    let (user, order) = (payment.user_with(AMOUNT_MAX).await, new_order());
    payment.pay(&user, &order, 6).await.unwrap();
    payment.add_funds(&user, 6).await.unwrap();
    // A checkout makes room in the credit, but not in what was ever funded.
    let attempt = payment.attempt(&user).await;
    payment.reserve(&attempt, 6).await;
    payment.confirm(&attempt).await;
    let before = payment.raw.everything().await;

    let cancelled = payment.cancel_payment(&user, &order).await;

    assert!(matches!(cancelled, Err(PaymentError::OutOfRange(_))), "{cancelled:?}");
    assert_eq!(payment.raw.everything().await, before);
}

#[actix_web::test]
async fn cancel_payment_leaves_records_of_a_later_release_alone() {
    let payment = TestPayment::start().await;
    let (user, order) = (payment.user_with(10).await, new_order());
    payment.pay(&user, &order, 3).await.unwrap();
    for key in [payment.payment_key(&user, &order), payment.key(&user)] {
        payment.raw.make_newer(&key).await;
        let before = payment.raw.everything().await;
        let cancelled = payment.cancel_payment(&user, &order).await;
        assert!(matches!(cancelled, Err(PaymentError::Newer(_))), "{key}: {cancelled:?}");
        assert_eq!(payment.raw.everything().await, before);
        payment.make_ours(&key).await;
    }
}
