//! Pay for an order: once, and never beside a checkout.

use futures_util::future::join_all;
use shardcart_payment::error::PaymentError;
use shardcart_protocol::participant::{Answer, Refusal};
use shardcart_types::amount::AMOUNT_MAX;

use crate::support::{Purse, TestPayment, new_order, user};

#[actix_web::test]
async fn pay_order_takes_the_amount_and_notes_the_payment() {
    let payment = TestPayment::start().await;
    let (user, order) = (payment.user_with(10).await, new_order());

    payment.pay(&user, &order, 3).await.unwrap();

    let purse = Purse { credit: 7, held: 0, net: 7 };
    assert_eq!(payment.purse(&user).await, purse);
    assert_eq!(payment.payment(&user, &order).await, "charged by pay 3/0");
}

#[actix_web::test]
async fn pay_order_replayed_answers_the_same_and_takes_nothing_more() {
    let payment = TestPayment::start().await;
    let (user, order) = (payment.user_with(10).await, new_order());
    payment.pay(&user, &order, 3).await.unwrap();
    let before = payment.raw.everything().await;
    for _ in 0..3 {
        payment.pay(&user, &order, 3).await.unwrap();
    }
    assert_eq!(payment.raw.everything().await, before);
}

#[actix_web::test]
async fn pay_order_replayed_is_done_though_the_credit_is_spent_since() {
    let payment = TestPayment::start().await;
    let (user, order) = (payment.user_with(3).await, new_order());
    payment.pay(&user, &order, 3).await.unwrap();
    payment.pay(&user, &order, 3).await.unwrap();
    assert_eq!(payment.purse(&user).await.credit, 0);
}

#[actix_web::test]
async fn pay_order_with_another_amount_is_already_paid() {
    let payment = TestPayment::start().await;
    let (user, order) = (payment.user_with(10).await, new_order());
    payment.pay(&user, &order, 3).await.unwrap();
    let before = payment.raw.everything().await;
    for sum in [0, 2, 4, AMOUNT_MAX] {
        let paid = payment.pay(&user, &order, sum).await;
        assert!(matches!(paid, Err(PaymentError::AlreadyPaid(_))), "{sum}: {paid:?}");
    }
    assert_eq!(payment.raw.everything().await, before);
}

#[actix_web::test]
async fn pay_order_of_nothing_is_a_payment_too() {
    let payment = TestPayment::start().await;
    let (user, order) = (payment.user_with(0).await, new_order());
    payment.pay(&user, &order, 0).await.unwrap();
    assert_eq!(payment.payment(&user, &order).await, "charged by pay 0/0");
    assert!(payment.has_paid(&user, &order).await.unwrap());
}

#[actix_web::test]
async fn pay_order_refused_for_too_little_credit_leaves_nothing_and_may_be_tried_again() {
    let payment = TestPayment::start().await;
    let (user, order) = (payment.user_with(2).await, new_order());
    let before = payment.raw.everything().await;

    let paid = payment.pay(&user, &order, 3).await;

    assert!(matches!(paid, Err(PaymentError::InsufficientCredit(_))), "{paid:?}");
    assert_eq!(payment.raw.everything().await, before);
    payment.add_funds(&user, 1).await.unwrap();
    payment.pay(&user, &order, 3).await.unwrap();
}

#[actix_web::test]
async fn pay_order_of_an_unknown_user_leaves_nothing() {
    let payment = TestPayment::start().await;
    let paid = payment.pay(&user("17"), &new_order(), 1).await;
    assert!(matches!(paid, Err(PaymentError::UnknownUser(_))), "{paid:?}");
    assert!(payment.raw.everything().await.is_empty());
}

#[actix_web::test]
async fn pay_order_while_a_checkout_holds_it_is_pending_and_changes_nothing() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let attempt = payment.attempt(&user).await;
    payment.reserve(&attempt, 3).await;
    let before = payment.raw.everything().await;
    for sum in [0, 3, 99] {
        let paid = payment.pay(&user, &attempt.order, sum).await;
        assert!(matches!(paid, Err(PaymentError::OrderPending(_))), "{sum}: {paid:?}");
    }
    assert_eq!(payment.raw.everything().await, before);
}

#[actix_web::test]
async fn pay_order_while_it_is_held_is_what_the_order_says_and_changes_nothing() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let attempt = payment.attempt(&user).await;
    payment.reserve(&attempt, 3).await;
    let before = payment.raw.everything().await;

    for undecided in ["pending", "aborting", "open"] {
        payment.orders.know(&attempt.order, undecided, &attempt.tx);
        let paid = payment.pay(&user, &attempt.order, 3).await;
        assert!(matches!(paid, Err(PaymentError::OrderPending(_))), "{undecided}: {paid:?}");
    }
    payment.orders.know(&attempt.order, "paid", &attempt.tx);
    let paid = payment.pay(&user, &attempt.order, 3).await;
    assert!(matches!(paid, Err(PaymentError::AlreadyPaid(_))), "{paid:?}");
    payment.orders.fall_silent();
    let paid = payment.pay(&user, &attempt.order, 3).await;
    assert!(matches!(paid, Err(PaymentError::Orders(_))), "{paid:?}");

    assert_eq!(payment.raw.everything().await, before);
}

#[actix_web::test]
async fn pay_order_after_a_checkout_is_already_paid() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let attempt = payment.attempt(&user).await;
    payment.reserve(&attempt, 3).await;
    payment.confirm(&attempt).await;
    let before = payment.raw.everything().await;
    for sum in [3, 4] {
        let paid = payment.pay(&user, &attempt.order, sum).await;
        assert!(matches!(paid, Err(PaymentError::AlreadyPaid(_))), "{sum}: {paid:?}");
    }
    assert_eq!(payment.raw.everything().await, before);
}

#[actix_web::test]
async fn pay_order_after_a_cancelled_checkout_is_done() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let attempt = payment.attempt(&user).await;
    payment.reserve(&attempt, 3).await;
    payment.cancel(&attempt).await;

    payment.pay(&user, &attempt.order, 4).await.unwrap();

    assert_eq!(payment.credit_and_held(&user).await, [6, 0]);
    let next = attempt.next();
    assert_eq!(
        payment.reserve(&next, 3).await,
        Answer::Refused(Refusal::AlreadyPaid),
        "and no checkout comes after it"
    );
}

#[actix_web::test]
async fn pay_order_whose_payment_was_given_back_is_already_paid() {
    let payment = TestPayment::start().await;
    let (user, order) = (payment.user_with(10).await, new_order());
    payment.pay(&user, &order, 3).await.unwrap();
    payment.cancel_payment(&user, &order).await.unwrap();
    let before = payment.raw.everything().await;
    for sum in [3, 4] {
        let paid = payment.pay(&user, &order, sum).await;
        assert!(matches!(paid, Err(PaymentError::AlreadyPaid(_))), "{sum}: {paid:?}");
    }
    assert_eq!(payment.raw.everything().await, before);
}

#[actix_web::test]
async fn pay_order_by_another_user_is_another_payment() {
    let payment = TestPayment::start().await;
    let (one, two, order) = (payment.user_with(10).await, payment.user_with(10).await, new_order());
    payment.pay(&one, &order, 3).await.unwrap();
    payment.pay(&two, &order, 4).await.unwrap();
    assert_eq!(payment.purse(&one).await.credit, 7);
    assert_eq!(payment.purse(&two).await.credit, 6);
}

#[actix_web::test]
async fn pay_order_of_the_largest_amount_is_exact() {
    let payment = TestPayment::start().await;
    let (user, order) = (payment.user_with(AMOUNT_MAX).await, new_order());
    payment.pay(&user, &order, AMOUNT_MAX).await.unwrap();
    payment.pay(&user, &order, AMOUNT_MAX).await.unwrap();
    assert_eq!(payment.purse(&user).await.credit, 0);
    payment.cancel_payment(&user, &order).await.unwrap();
    let purse = Purse { credit: AMOUNT_MAX, held: 0, net: AMOUNT_MAX };
    assert_eq!(payment.purse(&user).await, purse);
    assert_eq!(payment.payment(&user, &order).await, format!("cancelled by pay {AMOUNT_MAX}/{AMOUNT_MAX}"));
}

#[actix_web::test]
async fn pay_order_leaves_records_of_a_later_release_alone() {
    let payment = TestPayment::start().await;
    let (user, order) = (payment.user_with(10).await, new_order());
    payment.pay(&user, &order, 3).await.unwrap();
    for key in [payment.payment_key(&user, &order), payment.key(&user)] {
        payment.raw.make_newer(&key).await;
        let before = payment.raw.everything().await;
        let paid = payment.pay(&user, &order, 3).await;
        assert!(matches!(paid, Err(PaymentError::Newer(_))), "{key}: {paid:?}");
        assert_eq!(payment.raw.everything().await, before);
        payment.make_ours(&key).await;
    }
}

#[actix_web::test]
async fn pay_order_by_many_at_once_takes_the_amount_once() {
    let payment = TestPayment::start().await;
    let (user, order) = (payment.user_with(100).await, new_order());
    let paid = join_all((0..30).map(|_| payment.pay(&user, &order, 3))).await;
    assert!(paid.iter().all(Result::is_ok), "{paid:?}");
    assert_eq!(payment.purse(&user).await.credit, 97);
}
