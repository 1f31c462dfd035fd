//! Incarnations: a re-loaded user, or a foreign order id given anew, starts with nothing paid.

use shardcart_payment::error::PaymentError;
use shardcart_protocol::orders::StatusAnswer;
use shardcart_protocol::participant::Answer;

use crate::support::{TestPayment, new_order, order, user};

#[actix_web::test]
async fn lives_of_orders_minted_here_are_not_asked_for() {
    let payment = TestPayment::start().await;
    let (user, order) = (payment.user_with(10).await, new_order());
    payment.orders.fall_silent();
    payment.pay(&user, &order, 3).await.unwrap();
    payment.cancel_payment(&user, &order).await.unwrap();
    assert_eq!(payment.orders.times_asked(), 0);
}

#[actix_web::test]
async fn lives_of_foreign_orders_that_nobody_tells_let_nothing_be_done() {
    let payment = TestPayment::start().await;
    let (user, foreign) = (payment.user_with(10).await, order("5"));
    payment.orders.live(&foreign, "open", "a");
    payment.pay(&user, &foreign, 3).await.unwrap();
    payment.orders.say(&foreign, StatusAnswer::Unanswered);
    let before = payment.raw.everything().await;

    let results = [
        payment.pay(&user, &foreign, 3).await,
        payment.cancel_payment(&user, &foreign).await,
        payment.has_paid(&user, &foreign).await.map(drop),
    ];

    for result in results {
        assert!(matches!(result, Err(PaymentError::Orders(_))), "{result:?}");
    }
    assert_eq!(payment.raw.everything().await, before);
}

#[actix_web::test]
async fn lives_of_foreign_orders_that_do_not_exist_can_be_paid_for() {
    let payment = TestPayment::start().await;
    let (user, foreign) = (payment.user_with(10).await, order("no_such_order"));
    payment.pay(&user, &foreign, 3).await.unwrap();
    assert!(payment.has_paid(&user, &foreign).await.unwrap());
    payment.cancel_payment(&user, &foreign).await.unwrap();
    assert_eq!(payment.purse(&user).await.credit, 10);
}

#[actix_web::test]
async fn lives_of_a_foreign_order_have_payments_of_their_own() {
    let payment = TestPayment::start().await;
    let (user, foreign) = (payment.user_with(10).await, order("5"));
    payment.orders.live(&foreign, "open", "a");
    payment.pay(&user, &foreign, 3).await.unwrap();

    payment.orders.live(&foreign, "open", "b");

    assert!(!payment.has_paid(&user, &foreign).await.unwrap());
    let cancelled = payment.cancel_payment(&user, &foreign).await;
    assert!(
        matches!(cancelled, Err(PaymentError::UnknownPayment(_))),
        "an old payment is not given back for a new order: {cancelled:?}"
    );
    payment.pay(&user, &foreign, 3).await.unwrap();
    assert_eq!(payment.purse(&user).await.credit, 4, "the same amount, and no replay");
    payment.pay(&user, &foreign, 3).await.unwrap();
    payment.cancel_payment(&user, &foreign).await.unwrap();
    assert_eq!(payment.purse(&user).await.credit, 7);
}

#[actix_web::test]
async fn lives_of_a_foreign_order_have_checkouts_of_their_own() {
    let payment = TestPayment::start().await;
    let (user, foreign) = (payment.user_with(100).await, order("5"));
    let [a, b, c] = [
        payment.attempt_for(&user, &foreign, "a").await,
        payment.attempt_for(&user, &foreign, "b").await,
        payment.attempt_for(&user, &foreign, "c").await,
    ];
    payment.reserve(&a, 3).await;
    payment.confirm(&a).await;

    assert_eq!(payment.reserve(&b, 4).await, Answer::Held, "paid in an earlier incarnation only");
    assert_eq!(payment.cancel(&b).await, Answer::Cancelled);
    assert_eq!(payment.reserve(&c, 5).await, Answer::Held);
    assert_eq!(payment.confirm(&c).await, Answer::Confirmed);

    payment.orders.live(&foreign, "paid", "c");
    assert!(payment.has_paid(&user, &foreign).await.unwrap());
    let purse = payment.purse(&user).await;
    assert_eq!((purse.credit, purse.held, purse.charged()), (92, 0, 8));
}

#[actix_web::test]
async fn lives_of_a_foreign_order_that_were_paid_stay_charged_when_their_payment_is_overwritten() {
    let payment = TestPayment::start().await;
    let (user, foreign) = (payment.user_with(100).await, order("5"));
    let before = async || payment.raw.number(&payment.key(&user), "before").await;
    let [a, b] = [payment.attempt_for(&user, &foreign, "a").await, payment.attempt_for(&user, &foreign, "b").await];
    payment.reserve(&a, 3).await;
    payment.confirm(&a).await;
    assert!(!payment.raw.record(&payment.key(&user)).await.contains_key("before"), "nothing was overwritten");

    payment.reserve(&b, 4).await;
    assert_eq!(before().await, 3);
    payment.reserve(&b, 4).await;
    payment.cancel(&b).await;
    payment.cancel(&b).await;
    payment.reserve(&b, 4).await;
    assert_eq!(before().await, 3, "once, whatever is repeated, and whatever becomes of the attempt");

    let again = payment.attempt_for(&user, &foreign, "b").await;
    payment.reserve(&again, 4).await;
    payment.confirm(&again).await;
    assert_eq!(before().await, 3, "there was nothing left to overwrite");
    payment.orders.live(&foreign, "open", "c");
    payment.pay(&user, &foreign, 5).await.unwrap();
    payment.pay(&user, &foreign, 5).await.unwrap();
    assert_eq!(before().await, 7, "a direct payment keeps it too");
    let purse = payment.purse(&user).await;
    assert_eq!((purse.credit, purse.held, purse.net, purse.charged()), (88, 0, 95, 7));
}

#[actix_web::test]
async fn lives_of_foreign_orders_that_were_paid_and_are_overwritten_in_one_call_all_stay_charged() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(100).await;
    let orders = [order("5"), order("6")];
    let deadline_ms = payment.raw.now_ms().await + 60_000;
    let (mut reserves, mut confirms) = (Vec::new(), Vec::new());
    for (order, sum) in orders.iter().zip([3, 4]) {
        let old = payment.attempt_for(&user, order, "a").await;
        payment.reserve(&old, sum).await;
        payment.confirm(&old).await;
        let new = payment.attempt_for(&user, order, "b").await.until(deadline_ms);
        reserves.extend([new.reserve(1), new.reserve(1)]);
        confirms.push(new.confirm());
    }

    assert_eq!(payment.run_all(reserves).await.unwrap(), vec![Answer::Held; 4]);
    assert_eq!(payment.raw.number(&payment.key(&user), "before").await, 7);
    assert_eq!(payment.run_all(confirms).await.unwrap(), vec![Answer::Confirmed; 2]);
    let purse = payment.purse(&user).await;
    assert_eq!((purse.credit, purse.held, purse.charged()), (91, 0, 9));
}

#[actix_web::test]
async fn lives_do_not_bring_back_what_was_given_back_in_another_one_when_both_are_wanted_in_one_call() {
    let payment = TestPayment::start().await;
    let (user, foreign) = (payment.user_with(10).await, order("5"));
    payment.orders.live(&foreign, "open", "a");
    payment.pay(&user, &foreign, 3).await.unwrap();
    payment.cancel_payment(&user, &foreign).await.unwrap();
    let old = payment.attempt_for(&user, &foreign, "a").await;
    let mut new = old.next();
    new.incarnation = "b".to_owned();

    let answers = payment.run_all(vec![old.reserve(1), new.reserve(2)]).await.unwrap();

    assert_eq!(answers, [Answer::Held, Answer::Held]);
    assert_eq!(payment.payment(&user, &foreign).await, "reserved by checkout 2/0");
    assert_eq!(payment.cancel(&new).await, Answer::Cancelled);
    assert_eq!(payment.payment(&user, &foreign).await, "");
    assert_eq!(payment.cancel(&old).await, Answer::Cancelled);
    assert_eq!(payment.credit_and_held(&user).await, [10, 0]);
}

#[actix_web::test]
async fn lives_of_a_reloaded_user_are_noted_with_what_its_checkouts_take() {
    let payment = TestPayment::start().await;
    payment.load(1, 10).await;
    let (zero, foreign) = (user("0"), order("5"));
    let attempt = payment.attempt_for(&zero, &foreign, "a").await;
    payment.orders.live(&foreign, "paid", "a");
    payment.reserve(&attempt, 4).await;

    let incarnation = payment.raw.record(&payment.key(&zero)).await.remove("incarnation").unwrap();
    let noted = async || payment.raw.record(&payment.payment_key(&zero, &foreign)).await.remove("incarnation");
    assert_eq!(noted().await, Some(format!("{incarnation}/a")));
    payment.confirm(&attempt).await;
    assert_eq!(noted().await, Some(format!("{incarnation}/a")));
    assert!(payment.has_paid(&zero, &foreign).await.unwrap());
    let paid = payment.pay(&zero, &foreign, 4).await;
    assert!(matches!(paid, Err(PaymentError::AlreadyPaid(_))), "{paid:?}");
}

#[actix_web::test]
async fn lives_of_a_foreign_order_that_were_paid_directly_are_not_charged_by_a_checkout() {
    let payment = TestPayment::start().await;
    let (user, foreign) = (payment.user_with(100).await, order("5"));
    payment.orders.live(&foreign, "open", "a");
    payment.pay(&user, &foreign, 3).await.unwrap();

    let attempt = payment.attempt_for(&user, &foreign, "b").await;
    payment.reserve(&attempt, 4).await;
    payment.confirm(&attempt).await;

    assert!(!payment.raw.record(&payment.key(&user)).await.contains_key("before"), "no checkout was overwritten");
    let purse = payment.purse(&user).await;
    assert_eq!((purse.credit, purse.net, purse.charged()), (93, 97, 4));
}

#[actix_web::test]
async fn lives_of_a_reloaded_user_keep_nothing_of_what_an_earlier_one_was_charged() {
    let payment = TestPayment::start().await;
    payment.load(1, 10).await;
    let (zero, foreign) = (user("0"), order("5"));
    let old = payment.attempt_for(&zero, &foreign, "a").await;
    payment.reserve(&old, 3).await;
    payment.confirm(&old).await;
    payment.load(1, 10).await;

    let new = payment.attempt_for(&zero, &foreign, "b").await;
    payment.reserve(&new, 4).await;

    assert!(!payment.raw.record(&payment.key(&zero)).await.contains_key("before"));
    assert_eq!(payment.purse(&zero).await.charged(), 0);
}

#[actix_web::test]
async fn lives_that_ended_with_a_payment_given_back_are_not_brought_back() {
    let payment = TestPayment::start().await;
    let (user, foreign) = (payment.user_with(10).await, order("5"));
    payment.orders.live(&foreign, "open", "a");
    payment.pay(&user, &foreign, 3).await.unwrap();
    payment.cancel_payment(&user, &foreign).await.unwrap();
    payment.orders.live(&foreign, "open", "b");
    let attempt = payment.attempt_for(&user, &foreign, "b").await;

    payment.reserve(&attempt, 4).await;
    let cancelled = payment.cancel_payment(&user, &foreign).await;
    assert!(matches!(cancelled, Err(PaymentError::OrderPending(_))), "{cancelled:?}");
    payment.cancel(&attempt).await;

    assert_eq!(payment.payment(&user, &foreign).await, "");
    payment.pay(&user, &foreign, 3).await.unwrap();
}

#[actix_web::test]
async fn lives_of_a_reloaded_user_have_payments_of_their_own() {
    let payment = TestPayment::start().await;
    payment.load(1, 10).await;
    let (zero, direct) = (user("0"), new_order());
    let attempt = payment.attempt(&zero).await;
    payment.pay(&zero, &direct, 3).await.unwrap();
    payment.reserve(&attempt, 4).await;
    payment.confirm(&attempt).await;

    payment.load(1, 10).await;

    for order in [&direct, &attempt.order] {
        assert!(!payment.has_paid(&zero, order).await.unwrap());
        let cancelled = payment.cancel_payment(&zero, order).await;
        assert!(matches!(cancelled, Err(PaymentError::UnknownPayment(_))), "{cancelled:?}");
    }
    payment.pay(&zero, &direct, 3).await.unwrap();
    let next = attempt.next();
    assert_eq!(payment.reserve(&next, 4).await, Answer::Held);
    assert_eq!(payment.confirm(&next).await, Answer::Confirmed);
    let purse = payment.purse(&zero).await;
    assert_eq!((purse.credit, purse.charged()), (3, 4));
}

#[actix_web::test]
async fn lives_of_users_loaded_twice_differ_however_soon_after_one_another() {
    let payment = TestPayment::start().await;
    let (zero, direct) = (user("0"), new_order());
    for _ in 0..5 {
        payment.load(1, 10).await;
        assert!(!payment.has_paid(&zero, &direct).await.unwrap());
        payment.pay(&zero, &direct, 3).await.unwrap();
        assert_eq!(payment.purse(&zero).await.credit, 7);
    }
}

#[actix_web::test]
async fn lives_that_are_over_are_not_touched_by_a_late_confirm_or_cancel() {
    let payment = TestPayment::start().await;
    payment.load(1, 10).await;
    let zero = user("0");
    let [charged, cancelled] = [payment.attempt(&zero).await, payment.attempt(&zero).await];
    for attempt in [&charged, &cancelled] {
        payment.reserve(attempt, 3).await;
    }
    payment.confirm(&charged).await;
    payment.cancel(&cancelled).await;
    payment.load(1, 10).await;

    assert_eq!(payment.confirm(&charged).await, Answer::Confirmed);
    assert_eq!(payment.cancel(&cancelled).await, Answer::Cancelled);
    assert_eq!(payment.reserve(&charged, 3).await, Answer::Confirmed);
    assert_eq!(payment.reserve(&cancelled, 3).await, Answer::Cancelled);

    assert_eq!(payment.credit_and_held(&zero).await, [10, 0]);
    assert!(!payment.has_paid(&zero, &charged.order).await.unwrap());
}

#[actix_web::test]
async fn lives_keep_their_direct_payment_when_an_attempt_of_an_earlier_incarnation_is_cancelled() {
    let payment = TestPayment::start().await;
    let (user, foreign) = (payment.user_with(10).await, order("5"));
    // The order was loaded anew while payment still held something for the order before: its entry in flight was lost.
    let old = payment.attempt_for(&user, &foreign, "a").await;
    payment.reserve(&old, 3).await;
    payment.orders.live(&foreign, "open", "b");
    let paid = payment.pay(&user, &foreign, 4).await;

    assert_eq!(payment.cancel(&old).await, Answer::Cancelled);

    // Whether a payment has to wait until the old incarnation is settled is left open.
    if paid.is_err() {
        payment.pay(&user, &foreign, 4).await.unwrap();
    }

    assert_eq!(payment.credit_and_held(&user).await, [6, 0]);
    assert!(
        payment.has_paid(&user, &foreign).await.unwrap(),
        "the new incarnation's payment is gone: {:?}",
        payment.payment(&user, &foreign).await
    );
    payment.pay(&user, &foreign, 4).await.unwrap();
    assert_eq!(payment.purse(&user).await.credit, 6, "a repeat takes nothing more");
}

#[actix_web::test]
async fn lives_keep_their_checkout_when_an_attempt_of_an_earlier_incarnation_is_cancelled() {
    let payment = TestPayment::start().await;
    let (user, foreign) = (payment.user_with(10).await, order("5"));
    let [old, new] = [payment.attempt_for(&user, &foreign, "a").await, payment.attempt_for(&user, &foreign, "b").await];
    payment.reserve(&old, 3).await;
    // Whether a reserve has to wait until the old incarnation is settled is left open.
    let reserved = payment.reserve(&new, 4).await;
    assert!(matches!(reserved, Answer::Held | Answer::Busy(_)), "{reserved:?}");

    assert_eq!(payment.cancel(&old).await, Answer::Cancelled);
    assert_eq!(payment.reserve(&new, 4).await, Answer::Held);
    assert_eq!(payment.confirm(&new).await, Answer::Confirmed);

    payment.orders.live(&foreign, "paid", "b");
    assert_eq!(payment.credit_and_held(&user).await, [6, 0]);
    assert!(
        payment.has_paid(&user, &foreign).await.unwrap(),
        "the new incarnation's payment is gone: {:?}",
        payment.payment(&user, &foreign).await
    );
    let paid = payment.pay(&user, &foreign, 4).await;
    assert!(matches!(paid, Err(PaymentError::AlreadyPaid(_))), "paid twice: {paid:?}");
}

#[actix_web::test]
async fn lives_give_a_payment_back_once_though_an_attempt_of_an_earlier_incarnation_is_confirmed() {
    let payment = TestPayment::start().await;
    let (user, foreign) = (payment.user_with(10).await, order("5"));
    let old = payment.attempt_for(&user, &foreign, "a").await;
    payment.reserve(&old, 3).await;
    payment.orders.live(&foreign, "open", "b");
    let paid = payment.pay(&user, &foreign, 4).await;
    if paid.is_ok() {
        payment.cancel_payment(&user, &foreign).await.unwrap();
    }

    assert_eq!(payment.confirm(&old).await, Answer::Confirmed);

    if paid.is_err() {
        payment.pay(&user, &foreign, 4).await.unwrap();
        payment.cancel_payment(&user, &foreign).await.unwrap();
    }
    for _ in 0..2 {
        payment.cancel_payment(&user, &foreign).await.unwrap();
        assert_eq!(payment.credit_and_held(&user).await, [7, 0], "credit out of nothing");
    }
}

#[actix_web::test]
async fn lives_keep_their_checkout_undecided_when_an_attempt_of_an_earlier_incarnation_is_confirmed() {
    let payment = TestPayment::start().await;
    let (user, foreign) = (payment.user_with(10).await, order("5"));
    let [old, new] = [payment.attempt_for(&user, &foreign, "a").await, payment.attempt_for(&user, &foreign, "b").await];
    payment.reserve(&old, 3).await;
    let reserved = payment.reserve(&new, 4).await;

    assert_eq!(payment.confirm(&old).await, Answer::Confirmed);

    // Whether the new incarnation has to wait until the old one is settled is left open.
    assert!(matches!(reserved, Answer::Held | Answer::Busy(_)), "{reserved:?}");
    assert_eq!(payment.reserve(&new, 4).await, Answer::Held);
    assert_eq!(payment.payment(&user, &foreign).await, "reserved by checkout 4/0");
    assert_eq!(payment.cancel(&new).await, Answer::Cancelled);
    let purse = payment.purse(&user).await;
    assert_eq!((purse.credit, purse.held, purse.charged()), (7, 0, 3));
    payment.orders.live(&foreign, "open", "b");
    payment.pay(&user, &foreign, 5).await.expect("nothing is paid in this incarnation");
}
