//! Reserve: an amount of a user's credit, for one attempt to pay an order.

use shardcart_payment::users;
use shardcart_protocol::participant::{Answer, Refusal};
use shardcart_types::amount::AMOUNT_MAX;

use crate::support::{NEWER_HELD, NEWER_TOMBSTONES, Purse, TestPayment, amount, new_order, user};

const UNKNOWN: Answer = Answer::Refused(Refusal::UnknownUser);
const INSUFFICIENT: Answer = Answer::Refused(Refusal::InsufficientCredit);
const ALREADY_PAID: Answer = Answer::Refused(Refusal::AlreadyPaid);
const BUSY: Answer = Answer::Busy(Refusal::InsufficientCredit);
const ORDER_HELD: Answer = Answer::Busy(Refusal::CheckoutAborted);

#[actix_web::test]
async fn reserve_holds_the_amount_and_notes_the_payment() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let attempt = payment.attempt(&user).await;

    assert_eq!(payment.reserve(&attempt, 4).await, Answer::Held);

    assert_eq!(payment.credit_and_held(&user).await, [6, 4]);
    assert_eq!(payment.payment(&user, &attempt.order).await, "reserved by checkout 4/0");
    payment.assert_held(&attempt).await;
}

#[actix_web::test]
async fn reserve_writes_a_record_that_other_releases_can_read() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let attempt = payment.attempt(&user).await;
    payment.reserve(&attempt, 4).await;
    // As common/src/held.rs tells it, written down by hand: what lies in Redis outlives a release.
    let text = |text: &str| [&[text.len() as u8], text.as_bytes()].concat();
    let texts = [&payment.key(&user), &payment.payment_key(&user, &attempt.order), attempt.order.as_str()].map(text);
    let [deadline, amount] = [attempt.deadline_ms as f64, 4.0].map(f64::to_le_bytes);
    let expected = [b"\x01c", &deadline[..], &amount, &texts.concat(), b"/"].concat();
    assert_eq!(payment.held_for(&attempt).await, Some(expected));
}

#[actix_web::test]
async fn reserve_replayed_answers_held_and_takes_nothing_more() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let attempt = payment.attempt(&user).await;
    payment.reserve(&attempt, 4).await;
    let before = payment.raw.everything().await;
    for _ in 0..3 {
        assert_eq!(payment.reserve(&attempt, 4).await, Answer::Held);
    }
    assert_eq!(payment.raw.everything().await, before);
}

#[actix_web::test]
async fn reserve_replayed_after_the_deadline_and_with_the_credit_spent_still_answers_held() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    // The reserve must come before the deadline, however slow the machine.
    let attempt = loop {
        let mut attempt = payment.attempt(&user).await;
        attempt.deadline_ms = payment.raw.now_ms().await + 500;
        match payment.reserve(&attempt, 4).await {
            Answer::Held => break attempt,
            other => assert_eq!(other, Answer::Expired),
        }
    };
    users::pay(&payment.shards, &user, amount(6), None).await.unwrap();
    payment.raw.wait_until_after(attempt.deadline_ms).await;

    assert_eq!(payment.reserve(&attempt, 4).await, Answer::Held);

    assert_eq!(payment.credit_and_held(&user).await, [0, 4]);
    payment.assert_held(&attempt).await;
}

#[actix_web::test]
async fn reserve_of_nothing_is_held_too() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(0).await;
    let [charged, cancelled] = [payment.attempt(&user).await, payment.attempt(&user).await];
    for attempt in [&charged, &cancelled] {
        assert_eq!(payment.reserve(attempt, 0).await, Answer::Held);
        payment.assert_held(attempt).await;
    }
    assert_eq!(payment.confirm(&charged).await, Answer::Confirmed);
    assert_eq!(payment.cancel(&cancelled).await, Answer::Cancelled);
    assert!(payment.has_paid(&user, &charged.order).await.unwrap());
    assert!(!payment.has_paid(&user, &cancelled.order).await.unwrap());
    let empty = Purse { credit: 0, held: 0, net: 0 };
    assert_eq!(payment.purse(&user).await, empty);
}

#[actix_web::test]
async fn reserve_after_its_deadline_is_expired_and_leaves_nothing() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let attempt = payment.late_attempt(&user, 1_000).await;
    let before = payment.raw.everything().await;
    for sum in [4, 4, 11] {
        assert_eq!(payment.reserve(&attempt, sum).await, Answer::Expired);
    }
    assert_eq!(payment.raw.everything().await, before);
}

#[actix_web::test]
async fn reserve_after_its_cancel_is_cancelled() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let attempt = payment.attempt(&user).await;
    payment.cancel(&attempt).await;

    assert_eq!(payment.reserve(&attempt, 4).await, Answer::Cancelled);

    assert_eq!(payment.credit_and_held(&user).await, [10, 0]);
    assert_eq!(payment.payment(&user, &attempt.order).await, "");
    payment.assert_tombstone(&attempt, "CANCELLED").await;
}

#[actix_web::test]
async fn reserve_after_its_confirm_is_confirmed() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let attempt = payment.attempt(&user).await;
    payment.reserve(&attempt, 4).await;
    payment.confirm(&attempt).await;

    assert_eq!(payment.reserve(&attempt, 4).await, Answer::Confirmed);

    assert_eq!(payment.credit_and_held(&user).await, [6, 0]);
    payment.assert_tombstone(&attempt, "CONFIRMED").await;
}

#[actix_web::test]
async fn reserve_of_an_unknown_user_is_refused_for_good() {
    let payment = TestPayment::start().await;
    let zero = user("0");
    let attempt = payment.attempt(&zero).await;

    for sum in [0, 4] {
        assert_eq!(payment.reserve(&attempt, sum).await, UNKNOWN);
    }
    payment.assert_tombstone(&attempt, "UNKNOWN").await;
    assert_eq!(payment.raw.everything().await.len(), 1, "nothing but the tombstone: neither user nor payment is made");

    payment.load(1, 10).await;
    assert_eq!(payment.reserve(&attempt, 4).await, UNKNOWN, "a repeat gets the first answer");
    assert_eq!(payment.credit_and_held(&zero).await, [10, 0]);
}

#[actix_web::test]
async fn reserve_of_too_much_is_refused_for_good() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let attempt = payment.attempt(&user).await;

    assert_eq!(payment.reserve(&attempt, 11).await, INSUFFICIENT);
    payment.assert_tombstone(&attempt, "INSUFFICIENT").await;
    assert_eq!(payment.payment(&user, &attempt.order).await, "");

    payment.add_funds(&user, 10).await.unwrap();
    assert_eq!(payment.reserve(&attempt, 11).await, INSUFFICIENT, "a repeat gets the first answer");
    assert_eq!(payment.reserve(&attempt.next(), 11).await, Answer::Held);
}

#[actix_web::test]
async fn reserve_is_busy_while_only_others_holds_stand_in_its_way() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let [first, second] = [payment.attempt(&user).await, payment.attempt(&user).await];
    payment.reserve(&first, 6).await;
    let before = payment.raw.everything().await;

    assert_eq!(payment.reserve(&second, 5).await, BUSY);
    assert_eq!(payment.raw.everything().await, before, "busy is not final and leaves nothing");

    payment.cancel(&first).await;
    assert_eq!(payment.reserve(&second, 5).await, Answer::Held);
}

#[actix_web::test]
async fn reserve_that_was_busy_is_refused_when_the_others_are_confirmed() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let [first, second] = [payment.attempt(&user).await, payment.attempt(&user).await];
    payment.reserve(&first, 6).await;
    assert_eq!(payment.reserve(&second, 5).await, BUSY);
    payment.confirm(&first).await;
    assert_eq!(payment.reserve(&second, 5).await, INSUFFICIENT);
    payment.assert_tombstone(&second, "INSUFFICIENT").await;
}

#[actix_web::test]
async fn reserve_of_more_than_the_user_has_in_all_is_refused_though_some_is_held() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let [first, second] = [payment.attempt(&user).await, payment.attempt(&user).await];
    payment.reserve(&first, 6).await;
    assert_eq!(payment.reserve(&second, 11).await, INSUFFICIENT);
    assert_eq!(payment.credit_and_held(&user).await, [4, 6]);
}

#[actix_web::test]
async fn reserve_of_an_order_that_another_attempt_holds_is_busy() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let first = payment.attempt(&user).await;
    let second = first.next();
    payment.reserve(&first, 4).await;
    let before = payment.raw.everything().await;

    // Neither charged twice nor refused: it depends on how the first one ends.
    for sum in [0, 4, 11] {
        assert_eq!(payment.reserve(&second, sum).await, ORDER_HELD);
    }
    assert_eq!(payment.raw.everything().await, before);

    payment.cancel(&first).await;
    assert_eq!(payment.reserve(&second, 4).await, Answer::Held);
    assert_eq!(payment.credit_and_held(&user).await, [6, 4]);
}

#[actix_web::test]
async fn reserve_of_one_order_by_two_attempts_in_one_call_is_held_for_the_first() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let first = payment.attempt(&user).await;
    let (second, other) = (first.next(), payment.attempt_for(&user, &new_order(), "").await);
    let other = other.until(first.deadline_ms);

    let wanted = vec![first.reserve(4), second.reserve(4), other.reserve(5), first.reserve(4), second.reserve(4)];
    let answers = payment.run_all(wanted).await.unwrap();

    assert_eq!(answers, [Answer::Held, ORDER_HELD, Answer::Held, Answer::Held, ORDER_HELD]);
    assert_eq!(payment.credit_and_held(&user).await, [1, 9]);
    payment.assert_held(&first).await;
    payment.assert_unknown(&second).await;
}

#[actix_web::test]
async fn reserve_of_an_order_that_was_paid_is_refused_for_good() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let [direct, checkout] = [payment.attempt(&user).await, payment.attempt(&user).await];
    payment.pay(&user, &direct.order, 3).await.unwrap();
    payment.reserve(&checkout, 3).await;
    payment.confirm(&checkout).await;

    for attempt in [direct, checkout.next()] {
        // Before too little credit is looked at, too.
        for sum in [3, 99] {
            assert_eq!(payment.reserve(&attempt, sum).await, ALREADY_PAID);
        }
        payment.assert_tombstone(&attempt, "ALREADY_PAID").await;
    }
    assert_eq!(payment.credit_and_held(&user).await, [4, 0]);
}

#[actix_web::test]
async fn reserve_refused_as_paid_stays_refused_when_the_payment_is_given_back() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let attempt = payment.attempt(&user).await;
    payment.pay(&user, &attempt.order, 3).await.unwrap();
    assert_eq!(payment.reserve(&attempt, 3).await, ALREADY_PAID);
    payment.cancel_payment(&user, &attempt.order).await.unwrap();

    assert_eq!(payment.reserve(&attempt, 3).await, ALREADY_PAID);
    assert_eq!(payment.reserve(&attempt.next(), 3).await, Answer::Held);
}

#[actix_web::test]
async fn reserve_of_a_payment_given_back_that_is_refused_leaves_it_as_it_was() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let attempt = payment.attempt(&user).await;
    payment.pay(&user, &attempt.order, 3).await.unwrap();
    payment.cancel_payment(&user, &attempt.order).await.unwrap();
    assert_eq!(payment.reserve(&attempt, 11).await, INSUFFICIENT);
    assert_eq!(payment.payment(&user, &attempt.order).await, "cancelled by pay 3/3");
}

#[actix_web::test]
async fn reserve_of_the_largest_amount_is_exact_and_keeps_whole_numbers() {
    let payment = TestPayment::start().await;
    // 10^15 and 10^16 are where a careless number turns into `1e+15`.
    for sum in [1_000_000_000_000_000, AMOUNT_MAX - 1, AMOUNT_MAX] {
        let user = payment.user_with(sum).await;
        let [first, second] = [payment.attempt(&user).await, payment.attempt(&user).await];

        assert_eq!(payment.reserve(&first, sum).await, Answer::Held);
        assert_eq!(payment.credit_and_held(&user).await, [0, sum]);
        assert_eq!(payment.cancel(&first).await, Answer::Cancelled);
        assert_eq!(payment.credit_and_held(&user).await, [sum, 0]);

        assert_eq!(payment.reserve(&second, sum - 1).await, Answer::Held);
        assert_eq!(payment.credit_and_held(&user).await, [1, sum - 1]);
        assert_eq!(payment.confirm(&second).await, Answer::Confirmed);
        let left = Purse { credit: 1, held: 0, net: sum };
        assert_eq!(payment.purse(&user).await, left);
        assert_eq!(payment.payment(&user, &second.order).await, format!("charged by checkout {}/0", sum - 1));
    }
}

#[actix_web::test]
async fn reserve_one_above_the_largest_credit_is_refused_exactly() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(AMOUNT_MAX - 1).await;
    let attempt = payment.attempt(&user).await;
    assert_eq!(payment.reserve(&attempt, AMOUNT_MAX).await, INSUFFICIENT);
}

#[actix_web::test]
async fn reserve_leaves_records_of_a_later_release_alone() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let attempt = payment.attempt(&user).await;
    payment.pay(&user, &attempt.order, 3).await.unwrap();
    for key in [payment.payment_key(&user, &attempt.order), payment.key(&user)] {
        payment.raw.make_newer(&key).await;
        let before = payment.raw.everything().await;
        assert_eq!(payment.reserve(&attempt, 3).await, Answer::Newer, "{key}");
        assert_eq!(payment.raw.everything().await, before, "{key}");
        payment.make_ours(&key).await;
    }
    for tombstone in NEWER_TOMBSTONES {
        payment.bury(&attempt, tombstone).await;
        let before = payment.raw.everything().await;
        assert_eq!(payment.reserve(&attempt, 3).await, Answer::Newer, "{tombstone:?}");
        assert_eq!(payment.raw.everything().await, before, "{tombstone:?}");
    }
    payment.forget(&attempt).await;
    for held in NEWER_HELD {
        payment.hold(&attempt, held).await;
        let before = payment.raw.everything().await;
        assert_eq!(payment.reserve(&attempt, 3).await, Answer::Newer, "{held:?}");
        assert_eq!(payment.raw.everything().await, before, "{held:?}");
    }
}

#[actix_web::test]
async fn reserve_lists_exactly_what_is_held() {
    let payment = TestPayment::start().await;
    let mut attempts = Vec::new();
    for number in 0..16 {
        let user = payment.user_with(10).await;
        let mut attempt = payment.attempt(&user).await;
        attempt.deadline_ms += number;
        payment.reserve(&attempt, if number == 15 { 99 } else { 4 }).await;
        match number % 3 {
            1 => _ = payment.confirm(&attempt).await,
            2 => _ = payment.cancel(&attempt).await,
            _ => {}
        }
        attempts.push(attempt);
    }
    let mut expected: Vec<(String, u64)> =
        [0, 3, 6, 9, 12].map(|number: usize| (attempts[number].tx.to_string(), attempts[number].deadline_ms)).to_vec();
    expected.sort();
    assert_eq!(payment.held().await, expected);
}
