//! Status: whether a user has paid for an order, directly or by checkout.

use shardcart_payment::error::PaymentError;
use shardcart_protocol::orders::StatusAnswer;

use crate::support::{TestPayment, new_order, user};

#[actix_web::test]
async fn status_is_paid_from_a_direct_payment_until_it_is_given_back() {
    let payment = TestPayment::start().await;
    let (user, order) = (payment.user_with(10).await, new_order());
    assert!(!payment.has_paid(&user, &order).await.unwrap());
    payment.pay(&user, &order, 3).await.unwrap();
    assert!(payment.has_paid(&user, &order).await.unwrap());
    payment.cancel_payment(&user, &order).await.unwrap();
    assert!(!payment.has_paid(&user, &order).await.unwrap());
    assert_eq!(payment.orders.times_asked(), 0, "the order service has nothing to add");
}

#[actix_web::test]
async fn status_of_what_is_held_is_what_the_order_says() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let attempt = payment.attempt(&user).await;
    payment.reserve(&attempt, 3).await;

    for (status, paid) in [("pending", false), ("aborting", false), ("open", false), ("paid", true)] {
        payment.orders.know(&attempt.order, status, &attempt.tx);
        assert_eq!(payment.has_paid(&user, &attempt.order).await.unwrap(), paid, "the order is {status}");
    }
    payment.orders.say(&attempt.order, StatusAnswer::Unknown);
    assert!(!payment.has_paid(&user, &attempt.order).await.unwrap());
}

#[actix_web::test]
async fn status_of_what_is_held_is_no_answer_when_the_order_service_gives_none() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let attempt = payment.attempt(&user).await;
    payment.reserve(&attempt, 3).await;
    payment.orders.say(&attempt.order, StatusAnswer::Unanswered);
    let status = payment.has_paid(&user, &attempt.order).await;
    assert!(matches!(status, Err(PaymentError::Orders(_))), "{status:?}");
    payment.orders.fall_silent();
    let status = payment.has_paid(&user, &attempt.order).await;
    assert!(matches!(status, Err(PaymentError::Orders(_))), "{status:?}");
}

#[actix_web::test]
async fn status_follows_a_checkout_to_its_end() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let [charged, cancelled] = [payment.attempt(&user).await, payment.attempt(&user).await];
    for attempt in [&charged, &cancelled] {
        payment.reserve(attempt, 3).await;
    }
    payment.confirm(&charged).await;
    payment.cancel(&cancelled).await;
    // Settled: nobody needs to be asked any more.
    payment.orders.fall_silent();
    assert!(payment.has_paid(&user, &charged.order).await.unwrap());
    assert!(!payment.has_paid(&user, &cancelled.order).await.unwrap());
}

#[actix_web::test]
async fn status_of_unknown_users_and_orders_is_unpaid_and_leaves_nothing() {
    let payment = TestPayment::start().await;
    assert!(!payment.has_paid(&user("17"), &new_order()).await.unwrap());
    assert!(payment.raw.everything().await.is_empty());
}

#[actix_web::test]
async fn status_works_on_a_full_shard() {
    let payment = TestPayment::start().await;
    let (user, order) = (payment.user_with(10).await, new_order());
    payment.pay(&user, &order, 3).await.unwrap();
    payment.raw.fill().await;
    assert!(payment.has_paid(&user, &order).await.unwrap());
}

#[actix_web::test]
async fn status_of_records_of_a_later_release_gives_no_answer() {
    let payment = TestPayment::start().await;
    let (user, order) = (payment.user_with(10).await, new_order());
    payment.pay(&user, &order, 3).await.unwrap();
    for key in [payment.payment_key(&user, &order), payment.key(&user)] {
        payment.raw.make_newer(&key).await;
        let status = payment.has_paid(&user, &order).await;
        assert!(matches!(status, Err(PaymentError::Newer(_))), "{key}: {status:?}");
        payment.make_ours(&key).await;
    }
}
