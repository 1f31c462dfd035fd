//! Cancel: what an attempt holds is given back, and nothing will be held for it later.

use shardcart_protocol::participant::{Answer, Refusal};

use crate::support::{NEWER_HELD, NEWER_TOMBSTONES, TestPayment};

#[actix_web::test]
async fn cancel_gives_back_what_was_held_and_forgets_the_payment() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let attempt = payment.attempt(&user).await;
    let before = payment.raw.everything().await;
    payment.reserve(&attempt, 4).await;

    assert_eq!(payment.cancel(&attempt).await, Answer::Cancelled);

    payment.assert_tombstone(&attempt, "CANCELLED").await;
    payment.forget(&attempt).await;
    assert_eq!(payment.raw.everything().await, before);
}

#[actix_web::test]
async fn cancel_replayed_answers_cancelled_and_gives_nothing_more() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let attempt = payment.attempt(&user).await;
    payment.reserve(&attempt, 4).await;
    payment.cancel(&attempt).await;
    let before = payment.raw.everything().await;
    for _ in 0..3 {
        assert_eq!(payment.cancel(&attempt).await, Answer::Cancelled);
    }
    assert_eq!(payment.raw.everything().await, before);
}

#[actix_web::test]
async fn cancel_replayed_does_not_touch_what_was_paid_since() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let attempt = payment.attempt(&user).await;
    payment.reserve(&attempt, 4).await;
    payment.cancel(&attempt).await;
    payment.pay(&user, &attempt.order, 3).await.unwrap();
    let before = payment.raw.everything().await;
    assert_eq!(payment.cancel(&attempt).await, Answer::Cancelled);
    assert_eq!(payment.raw.everything().await, before);
}

#[actix_web::test]
async fn cancel_before_reserve_leaves_a_tombstone() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    for attempt in [payment.attempt(&user).await, payment.late_attempt(&user, 1_000).await] {
        assert_eq!(payment.cancel(&attempt).await, Answer::Cancelled);
        payment.assert_tombstone(&attempt, "CANCELLED").await;
        assert_eq!(payment.reserve(&attempt, 4).await, Answer::Cancelled);
    }
    assert_eq!(payment.credit_and_held(&user).await, [10, 0]);
}

#[actix_web::test]
async fn cancel_keeps_the_tombstone_of_a_refusal() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let attempt = payment.attempt(&user).await;
    payment.reserve(&attempt, 11).await;
    let before = payment.raw.everything().await;
    assert_eq!(payment.cancel(&attempt).await, Answer::Cancelled);
    assert_eq!(payment.raw.everything().await, before);
    assert_eq!(payment.reserve(&attempt, 11).await, Answer::Refused(Refusal::InsufficientCredit));
}

#[actix_web::test]
async fn cancel_of_a_busy_reserve_stops_its_copies() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let [first, second] = [payment.attempt(&user).await, payment.attempt(&user).await];
    payment.reserve(&first, 6).await;
    payment.reserve(&second, 6).await;
    assert_eq!(payment.cancel(&second).await, Answer::Cancelled);
    payment.cancel(&first).await;
    assert_eq!(payment.reserve(&second, 6).await, Answer::Cancelled);
    assert_eq!(payment.credit_and_held(&user).await, [10, 0]);
}

#[actix_web::test]
async fn cancel_of_a_confirmed_reservation_is_a_conflict_and_writes_nothing() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let attempt = payment.attempt(&user).await;
    payment.reserve(&attempt, 4).await;
    payment.confirm(&attempt).await;
    let before = payment.raw.everything().await;
    assert_eq!(payment.cancel(&attempt).await, Answer::Conflict);
    assert_eq!(payment.raw.everything().await, before);
}

#[actix_web::test]
async fn cancel_works_however_late_it_comes() {
    let payment = TestPayment::start().await;
    for ago_ms in [1_000, 61_000, 80_000, 86_400_000] {
        let user = payment.user_with(10).await;
        let mut attempt = payment.attempt(&user).await;
        payment.reserve(&attempt, 4).await;
        attempt.deadline_ms = payment.raw.now_ms().await - ago_ms;
        for _ in 0..2 {
            assert_eq!(payment.cancel(&attempt).await, Answer::Cancelled, "{ago_ms} ms after the deadline");
            assert_eq!(payment.credit_and_held(&user).await, [10, 0]);
        }
        let late = payment.reserve(&attempt, 4).await;
        assert!(matches!(late, Answer::Cancelled | Answer::Expired), "{late:?}");
        assert_eq!(payment.payment(&user, &attempt.order).await, "");
    }
    assert!(payment.held().await.is_empty());
}

#[actix_web::test]
async fn cancel_long_after_the_deadline_leaves_no_tombstone_for_ever() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let attempt = payment.late_attempt(&user, 71_000).await;
    let before = payment.raw.everything().await;
    assert_eq!(payment.cancel(&attempt).await, Answer::Cancelled);
    payment.assert_unknown(&attempt).await;
    assert_eq!(payment.raw.everything().await, before);
}

#[actix_web::test]
async fn cancel_touches_only_its_own_attempt() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let [first, second] = [payment.attempt(&user).await, payment.attempt(&user).await];
    payment.reserve(&first, 4).await;
    payment.reserve(&second, 1).await;
    payment.cancel(&first).await;
    assert_eq!(payment.credit_and_held(&user).await, [9, 1]);
    payment.assert_held(&second).await;
    assert_eq!(payment.held().await, [(second.tx.to_string(), second.deadline_ms)]);
}

#[actix_web::test]
async fn cancel_leaves_what_a_later_release_holds_alone() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let attempt = payment.attempt(&user).await;
    for held in NEWER_HELD {
        payment.hold(&attempt, held).await;
        let before = payment.raw.everything().await;
        assert_eq!(payment.cancel(&attempt).await, Answer::Newer, "{held:?}");
        assert_eq!(payment.raw.everything().await, before, "{held:?}");
    }
}

#[actix_web::test]
async fn cancel_leaves_a_tombstone_of_a_later_release_alone() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let attempt = payment.attempt(&user).await;
    for tombstone in NEWER_TOMBSTONES {
        payment.bury(&attempt, tombstone).await;
        let before = payment.raw.everything().await;
        assert_eq!(payment.cancel(&attempt).await, Answer::Newer, "{tombstone:?}");
        assert_eq!(payment.raw.everything().await, before, "{tombstone:?}");
    }
}

#[actix_web::test]
async fn cancel_leaves_users_and_payments_of_a_later_release_alone() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let attempt = payment.attempt(&user).await;
    payment.reserve(&attempt, 4).await;
    for key in [payment.payment_key(&user, &attempt.order), payment.key(&user)] {
        payment.raw.make_newer(&key).await;
        let before = payment.raw.everything().await;
        assert_eq!(payment.cancel(&attempt).await, Answer::Newer, "{key}");
        assert_eq!(payment.raw.everything().await, before, "{key}");
        payment.make_ours(&key).await;
    }
}
