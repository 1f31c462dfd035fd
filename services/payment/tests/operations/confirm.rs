//! Confirm: what an attempt holds is charged.

use shardcart_protocol::participant::Answer;

use crate::support::{NEWER_HELD, NEWER_TOMBSTONES, Purse, TestPayment};

#[actix_web::test]
async fn confirm_charges_what_was_held() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let attempt = payment.attempt(&user).await;
    payment.reserve(&attempt, 4).await;

    assert_eq!(payment.confirm(&attempt).await, Answer::Confirmed);

    let purse = Purse { credit: 6, held: 0, net: 10 };
    assert_eq!(payment.purse(&user).await, purse);
    assert_eq!(payment.payment(&user, &attempt.order).await, "charged by checkout 4/0");
    payment.assert_tombstone(&attempt, "CONFIRMED").await;
    assert!(payment.held().await.is_empty());
}

#[actix_web::test]
async fn confirm_replayed_answers_confirmed_and_charges_nothing_more() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let attempt = payment.attempt(&user).await;
    payment.reserve(&attempt, 4).await;
    payment.confirm(&attempt).await;
    let before = payment.raw.everything().await;
    for _ in 0..3 {
        assert_eq!(payment.confirm(&attempt).await, Answer::Confirmed);
    }
    assert_eq!(payment.raw.everything().await, before);
}

#[actix_web::test]
async fn confirm_before_reserve_is_lost_and_leaves_nothing() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let attempt = payment.attempt(&user).await;
    let before = payment.raw.everything().await;

    assert_eq!(payment.confirm(&attempt).await, Answer::Lost);
    assert_eq!(payment.raw.everything().await, before);

    assert_eq!(payment.reserve(&attempt, 4).await, Answer::Held);
    assert_eq!(payment.confirm(&attempt).await, Answer::Confirmed);
}

#[actix_web::test]
async fn confirm_of_an_unknown_reservation_is_gone_a_minute_after_the_deadline() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let before = payment.raw.everything().await;
    for (ago_ms, expected) in [(1_000, Answer::Lost), (50_000, Answer::Lost), (60_000, Answer::Gone)] {
        let attempt = payment.late_attempt(&user, ago_ms).await;
        assert_eq!(payment.confirm(&attempt).await, expected, "{ago_ms} ms after the deadline");
    }
    assert_eq!(payment.raw.everything().await, before);
}

#[actix_web::test]
async fn confirm_of_a_cancelled_or_refused_reservation_is_a_conflict_and_writes_nothing() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let [cancelled, refused] = [payment.attempt(&user).await, payment.attempt(&user).await];
    payment.reserve(&cancelled, 4).await;
    payment.cancel(&cancelled).await;
    payment.reserve(&refused, 11).await;
    let before = payment.raw.everything().await;
    for attempt in [&cancelled, &refused] {
        assert_eq!(payment.confirm(attempt).await, Answer::Conflict);
    }
    assert_eq!(payment.raw.everything().await, before);
}

#[actix_web::test]
async fn confirm_works_however_late_it_comes() {
    let payment = TestPayment::start().await;
    for ago_ms in [1_000, 61_000, 80_000, 86_400_000] {
        let user = payment.user_with(10).await;
        let mut attempt = payment.attempt(&user).await;
        payment.reserve(&attempt, 4).await;
        attempt.deadline_ms = payment.raw.now_ms().await - ago_ms;

        assert_eq!(payment.confirm(&attempt).await, Answer::Confirmed, "{ago_ms} ms after the deadline");
        let again = payment.confirm(&attempt).await;
        assert!(matches!(again, Answer::Confirmed | Answer::Gone), "{again:?}");

        let purse = payment.purse(&user).await;
        assert_eq!((purse.credit, purse.held, purse.charged()), (6, 0, 4));
        assert_eq!(payment.payment(&user, &attempt.order).await, "charged by checkout 4/0");
    }
    assert!(payment.held().await.is_empty());
}

#[actix_web::test]
async fn confirm_touches_only_its_own_attempt() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let [first, second] = [payment.attempt(&user).await, payment.attempt(&user).await];
    payment.reserve(&first, 4).await;
    payment.reserve(&second, 1).await;
    payment.confirm(&first).await;
    assert_eq!(payment.credit_and_held(&user).await, [5, 1]);
    payment.assert_held(&second).await;
    assert_eq!(payment.held().await, [(second.tx.to_string(), second.deadline_ms)]);
}

#[actix_web::test]
async fn confirm_leaves_what_a_later_release_holds_alone() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let attempt = payment.attempt(&user).await;
    for held in NEWER_HELD {
        payment.hold(&attempt, held).await;
        let before = payment.raw.everything().await;
        assert_eq!(payment.confirm(&attempt).await, Answer::Newer, "{held:?}");
        assert_eq!(payment.raw.everything().await, before, "{held:?}");
    }
}

#[actix_web::test]
async fn confirm_leaves_a_tombstone_of_a_later_release_alone() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let attempt = payment.attempt(&user).await;
    for tombstone in NEWER_TOMBSTONES {
        payment.bury(&attempt, tombstone).await;
        let before = payment.raw.everything().await;
        assert_eq!(payment.confirm(&attempt).await, Answer::Newer, "{tombstone:?}");
        assert_eq!(payment.raw.everything().await, before, "{tombstone:?}");
    }
}

#[actix_web::test]
async fn confirm_leaves_users_and_payments_of_a_later_release_alone() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let attempt = payment.attempt(&user).await;
    payment.reserve(&attempt, 4).await;
    for key in [payment.payment_key(&user, &attempt.order), payment.key(&user)] {
        payment.raw.make_newer(&key).await;
        let before = payment.raw.everything().await;
        assert_eq!(payment.confirm(&attempt).await, Answer::Newer, "{key}");
        assert_eq!(payment.raw.everything().await, before, "{key}");
        payment.make_ours(&key).await;
    }
}
